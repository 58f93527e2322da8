package tests

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/cli"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
	"csmail/pkg/replay"
)

const (
	samplesFolder = "samples"
	maxSamples    = 3_000_000 // bytes of all recorded logs and golden files
)

// recorded lists the recorded logs, relative to samplesFolder.
func recorded(t *testing.T) []string {
	t.Helper()
	var logs []string
	err := filepath.WalkDir(samplesFolder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (filepath.Ext(path) == ".log" || filepath.Ext(path) == ".json") {
			path, err = filepath.Rel(samplesFolder, path)
			logs = append(logs, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(logs) < 12 {
		t.Fatalf("only %d recorded logs, expected six forms of two releases: %v", len(logs), logs)
	}
	return logs
}

// copied makes a copy of one recorded log, in a folder that becomes the working
// directory. It is dated a moment after the recording, since a header without a
// year is dated by its file.
func copied(t *testing.T, log string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(samplesFolder, log))
	if err != nil {
		t.Fatal(err)
	}
	end := recordedAt(t, filepath.Dir(log))
	dir := t.TempDir()
	path := filepath.Join(dir, log)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, end, end); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
}

// eventsOf is what csmail events prints of one recorded log.
func eventsOf(t *testing.T, log string) string {
	t.Helper()
	copied(t, log)
	var stdout, stderr bytes.Buffer
	args := []string{"events", "-o", "json", "--quiet", "--timezone", "UTC", log}
	status := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	if status != 0 || stderr.Len() > 0 {
		t.Fatalf("csmail %v: exit status %d\n%s", args, status, stderr.Bytes())
	}
	return stdout.String()
}

// recordedAt is a time after the recordings of a folder: the own log files were
// made within minutes of the log whose headers tell the year.
func recordedAt(t *testing.T, folder string) time.Time {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(samplesFolder, folder, "mail-rfc3339.log"))
	if err != nil {
		t.Fatal(err)
	}
	stamp, _, _ := strings.Cut(string(text), " ")
	start, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		t.Fatal(err)
	}
	return start.Add(time.Hour)
}

// golden names the file of the events of a recorded log. Three of the logs hold
// the same lines, written down by others, and share one.
func golden(log string) (file string, shared bool) {
	folder, name := filepath.Split(log)
	if name == "mail-rfc3164.log" || name == "journal.json" {
		return folder + "mail-rfc3339.log.events.golden", true
	}
	return log + ".events.golden", false
}

// TestSampleEvents compares the events of each recorded log with those that a
// person has looked at.
func TestSampleEvents(t *testing.T) {
	for _, log := range recorded(t) {
		t.Run(log, func(t *testing.T) {
			file, shared := golden(log)
			path, err := filepath.Abs(filepath.Join(samplesFolder, file))
			if err != nil {
				t.Fatal(err)
			}
			got := eventsOf(t, log)
			if *update && !shared {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (go test ./tests -update writes it)", err)
			}
			compare(t, bare(t, string(want), shared), bare(t, got, shared))
		})
	}
}

// compare tells of the first events that differ. After a missing one all may.
func compare(t *testing.T, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d events, expected %d (go test ./tests -update writes the golden file)", len(got), len(want))
	}
	differing := 0
	for i := 0; i < min(len(want), len(got)) && differing < 5; i++ {
		if want[i] != got[i] {
			differing++
			t.Errorf("event %d (-golden +csmail):\n- %s\n+ %s", i+1, want[i], got[i])
		}
	}
}

// bare is the events one by one; of shared ones without what the log's form
// decides: the name of the file, and how exact the time is.
func bare(t *testing.T, events string, shared bool) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(events, "\n"), "\n")
	if !shared {
		return lines
	}
	for i, line := range lines {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		text, _ := fields["time"].(string)
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		fields["time"] = at.UTC().Truncate(time.Second).Format(time.RFC3339)
		delete(fields, "source")
		same, err := json.Marshal(fields) // keys in their order
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = string(same)
	}
	return lines
}

// saysNothing begin the messages that no grammar needs to know: the daemons tell
// of themselves there, and of no client.
var saysNothing = []string{
	"postfix/smtpd: warning: not enough free space in mail queue: ", // a reject line with the client follows
	"postfix/smtpd: warning: tcp:127.0.0.1:9 lookup error for ",     // the same
	"postfix/smtpd: warning: disabling input from 2601 socket",      // the warning about the client stands beside it
}

// twoWays finds the lines in which two addresses fit, because a client wrote the
// second one where the daemon prints text as it comes. No address is taken from
// them; the attempt stands in other lines too.
var twoWays = regexp.MustCompile(`-login: .*, rip=.*, rip=`)

// TestSamplesUnderstood: csmail scan --missed is empty on every recorded log, but
// for the lines above.
func TestSamplesUnderstood(t *testing.T) {
	for _, log := range recorded(t) {
		t.Run(log, func(t *testing.T) {
			for _, line := range missed(t, log) {
				known := func(start string) bool { return strings.Contains(anonymous(line), start) }
				if !twoWays.MatchString(line) && !slices.ContainsFunc(saysNothing, known) {
					t.Errorf("missed: %s", line)
				}
			}
		})
	}
}

var processID = regexp.MustCompile(`\[\d+\]: `)

// anonymous is the line without the first process ID.
func anonymous(line string) string {
	at := processID.FindStringIndex(line)
	if at == nil {
		return line
	}
	return line[:at[0]] + ": " + line[at[1]:]
}

// missed reads one recorded log as csmail scan --missed does.
func missed(t *testing.T, log string) (lines []string) {
	t.Helper()
	copied(t, log)
	sources, err := archive.Files([]string{log}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tally, err := replay.Run(t.Context(), sources, replay.Options{
		Zone:   time.UTC,
		Result: func(string, *engine.Result) {},
		Missed: func(line string) { lines = append(lines, line) },
	})
	if err != nil || tally.Outcomes[event.Noted] == 0 {
		t.Fatalf("replay: %v, outcomes %v", err, tally.Outcomes)
	}
	return lines
}

func TestSamplesSize(t *testing.T) {
	var total int64
	err := filepath.WalkDir(samplesFolder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil || total > maxSamples {
		t.Errorf("the samples have %d bytes (%v), expected at most %d", total, err, maxSamples)
	}
}
