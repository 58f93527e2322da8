package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/input/archive"
)

// journalForm is a form of journalctl's output and what it leaves of an entry.
type journalForm struct {
	name string
	// The form drops the fields that journald sets, messages that are no text, parts
	// of a second, the date, or the program.
	noFields, noBytes, noFraction, noDate, noProgram bool
}

var journalForms = []journalForm{
	{name: "json"},
	{name: "json-pretty"},
	{name: "json-sse"},
	{name: "json-seq"},
	{name: "export"},
	{name: "short", noFields: true, noBytes: true, noFraction: true},
	{name: "short-precise", noFields: true, noBytes: true},
	{name: "short-iso", noFields: true, noBytes: true, noFraction: true},
	{name: "short-iso-precise", noFields: true, noBytes: true},
	{name: "short-full", noFields: true, noBytes: true, noFraction: true},
	{name: "short-unix", noFields: true, noBytes: true},
	{name: "short-monotonic", noFields: true, noBytes: true, noDate: true},
	{name: "short-delta", noFields: true, noBytes: true, noDate: true},
	{name: "with-unit", noFields: true, noBytes: true, noFraction: true, noProgram: true},
}

const (
	bytesPID  = 111 // of the entry whose message is no text
	loggerPID = 113 // of the entry that a user wrote
)

// readJournal returns what each entry of a file came to, by its process ID, which is
// another for each message of one kind. reduced leaves out what a form drops.
func readJournal(t *testing.T, path string, reduced journalForm) (map[string]string, Tally, error) {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := archive.Files([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	tally, err := Run(t.Context(), sources, Options{Zone: zone, Line: func(_ string, trace engine.Trace, _ engine.Result) {
		pid := trace.Header.PID
		if !trace.HasHeader || reduced.noBytes && pid == bytesPID || reduced.noFields && pid == loggerPID {
			return
		}
		at, program, r := trace.Header.Time(trace.Line), trace.Header.Program, &trace.Record
		switch {
		case reduced.noDate:
			at = time.Time{}
		case reduced.noFraction:
			at = at.Truncate(time.Second)
		}
		message, _, _ := strings.Cut(trace.Message, "\n")
		if reduced.noProgram {
			program = ""
		}
		if r.Outcome == event.Benign || r.Outcome == event.Foreign {
			program, r.Outcome = "", event.Benign // a unit names no program
		}
		key := fmt.Sprintf("%d %.20s", pid, message)
		entries[key] = fmt.Sprintf("%s %s %s %s %s %s %q %q", at.UTC().Format(time.RFC3339Nano), trace.Header.Host, program, r.Outcome, r.Kind, r.Addr, r.User, message)
	}})
	return entries, tally, err
}

// compareForms reads a journal in each form from a folder and compares it with what
// the JSON of the same entries says.
func compareForms(t *testing.T, dir string) {
	for _, form := range journalForms {
		t.Run(form.name, func(t *testing.T) {
			want, _, err := readJournal(t, filepath.Join(dir, "json"), form)
			if err != nil || len(want) < 17 {
				t.Fatalf("got %d entries of the JSON, %v", len(want), err)
			}
			got, tally, err := readJournal(t, filepath.Join(dir, form.name), form)
			if err != nil {
				t.Fatal(err)
			}
			for key, entry := range want {
				if got[key] != entry {
					t.Errorf("%s:\ngot  %s\nwant %s", key, got[key], entry)
				}
			}
			for key, entry := range got {
				if want[key] == "" {
					t.Errorf("got an entry that there is not: %s", entry)
				}
			}
			if form.noDate != slices.ContainsFunc(tally.Remarks, func(r string) bool { return strings.Contains(r, "no date") }) {
				t.Errorf("got remarks %q, want one on dates: %t", tally.Remarks, form.noDate)
			}
		})
	}
	for name, want := range map[string]string{"verbose": "journalctl -o verbose", "cat": "as journalctl -o cat prints them"} {
		if _, _, err := readJournal(t, filepath.Join(dir, name), journalForm{}); err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%s: got %v, want an error about %q with a hint", name, err, want)
		}
	}
}

// The forms as journalctl of systemd 252 printed them in the zone Europe/Berlin; the
// e2e test makes them anew.
func TestJournalForms(t *testing.T) { compareForms(t, filepath.Join("testdata", "journal")) }

// No form lets a message of one entry be read as another: of the forged lines in the
// fixtures, which name 203.0.113.66, none is an event, but for the one that a user
// wrote as an entry of its own, where the form does not tell who wrote it.
func TestForgedEntries(t *testing.T) {
	for _, form := range journalForms {
		text, err := os.ReadFile(filepath.Join("testdata", "journal", form.name))
		if err != nil || !strings.Contains(string(text), "203.0.113.66") {
			t.Fatalf("%s: %v, or no forged line in it, want it to contain \"203.0.113.66\"", form.name, err)
		}
		entries, _, err := readJournal(t, filepath.Join("testdata", "journal", form.name), form)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.Contains(entry, " event ") && strings.Contains(strings.SplitN(entry, `"`, 2)[0], "203.0.113.66") {
				t.Errorf("%s: got %s", form.name, entry)
			}
		}
	}
}
