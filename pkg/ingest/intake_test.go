package ingest

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/config"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/input"
)

const (
	failed    = "Jun  3 04:11:09 mx1 postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=b\xff\n"
	connected = "Jun  3 04:11:09 mx1 postfix/smtpd[1]: connect from a.example[192.0.2.1]\n"
	unknown   = "Jun  3 04:11:09 mx1 postfix/smtpd[1]: warning: of tomorrow's release\n"
	foreign   = "Jun  3 04:11:09 mx1 cron[1]: a job\n"
	again     = "Jun  3 04:11:39 mx1 last message repeated 3 times\n"
)

var received = time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)

func TestOpenRefuses(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	file := config.Source{Source: "file", Filenames: []string{log}}
	for name, tt := range map[string]struct {
		sources   []config.Source
		err, hint string
	}{
		"one file twice": {[]config.Source{file, file}, "two sources are", "name it once, or each line would count twice"},
		"a file in two globs": {
			[]config.Source{file, {Source: "file", Filenames: []string{filepath.Join(filepath.Dir(log), "*.log")}}},
			log, "",
		},
		"a file without a name":  {[]config.Source{{Source: "file"}}, "a file source without a file name", "filenames: [/var/log/mail.log]"},
		"a zone that is nowhere": {[]config.Source{{Source: "stdin", Timezone: "Europe/Atlantis"}}, "Europe/Atlantis", ""},
		"an unknown kind":        {[]config.Source{{Source: "carrier-pigeon"}}, `unknown source type "carrier-pigeon"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(log, []byte(failed), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), tt.sources, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.err) || tt.hint != "" && hint.Of(err) != tt.hint {
				t.Errorf("%v (%s)", err, hint.Of(err))
			}
		})
	}
}

func TestOpen(t *testing.T) {
	feeds, err := Open(t.Context(), []config.Source{
		{Source: "file", Filenames: []string{"/var/log/mail.log"}, Filename: "/var/log/more.log"},
		{Source: "journalctl", JournalctlFilter: []string{"SYSLOG_FACILITY=10"}},
		{Source: "syslog", ListenAddr: "127.0.0.1", ListenPort: 5140, Protocol: "tcp"},
		{Source: "syslog", Path: "/run/csmail/log.sock"},
		{Source: "stdin"},
	}, Options{Stdin: strings.NewReader("")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range feeds {
		got = append(got, f.Kind+" "+f.Input.Name())
	}
	want := []string{
		"file /var/log/mail.log,/var/log/more.log", "journalctl journal", "syslog tcp:127.0.0.1:5140", "syslog unixgram:/run/csmail/log.sock", "stdin stdin",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Without a source it is the journal if it holds mail.
func TestOpenByDefault(t *testing.T) {
	journalctl := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(journalctl, []byte("#!/bin/sh\necho '{\"__CURSOR\":\"c\",\"MESSAGE\":\"x\"}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	feeds, err := Open(t.Context(), nil, Options{Journal: journalctl})
	if err != nil || len(feeds) != 1 || feeds[0].Kind != "journalctl" {
		t.Errorf("%v, %v", feeds, err)
	}
}

func open1(t *testing.T, zone string) *Feed {
	t.Helper()
	feeds, err := Open(t.Context(), []config.Source{{Source: "file", Filenames: []string{"/nonexistent/*.log"}, Timezone: zone}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return feeds[0]
}

// parse returns what became of each line.
func parse(f *Feed, log string, lines ...string) []string {
	var got []string
	f.Parse(input.Batch{Log: log, Text: strings.Join(lines, ""), Received: received}, func(r *event.Record) {
		got = append(got, fmt.Sprintf("%d %s %d %s", r.Line, r.Outcome, r.Attempts, r.Addr))
	})
	return got
}

func TestParse(t *testing.T) {
	f := open1(t, "UTC")
	got := parse(f, "a", failed, again, connected, again, foreign, unknown, "nonsense\n")
	got = append(got, parse(f, "b", again)...) // of another log
	want := []string{
		"1 event 1 192.0.2.1", "2 event 3 192.0.2.1", "3 witness 0 192.0.2.1", "4 witness 3 invalid IP",
		"5 foreign 0 invalid IP", "6 missed 0 invalid IP", "7 no-header 0 invalid IP", "1 witness 3 invalid IP",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if want := (Counts{Read: 8, Parsed: 6, Unparsed: 2}); f.Counts != want {
		t.Errorf("counted %+v, want %+v", f.Counts, want)
	}
}

func TestParseZone(t *testing.T) {
	f := open1(t, "Europe/Berlin")
	f.Parse(input.Batch{Log: "a", Text: failed, Received: received}, func(r *event.Record) {
		if want := time.Date(2026, 6, 3, 2, 11, 9, 0, time.UTC); !r.Time.Equal(want) {
			t.Errorf("at %s, want %s", r.Time, want)
		}
	})
}

// A process that ends between a line and its repetitions leaves them countable to
// the next one, however many logs the feed has.
func TestCursorCarriesWhatMayBeRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		before []string
		want   string
	}{
		"an event":                  {[]string{connected, failed}, "3 event 3 192.0.2.1"},
		"repetitions of it":         {[]string{failed, again}, "3 event 3 192.0.2.1"},
		"an event, another line":    {[]string{failed, foreign}, "1 witness 3 invalid IP"},
		"a witness":                 {[]string{connected}, "1 witness 3 invalid IP"},
		"an event after repetition": {[]string{failed, again, failed}, "4 event 3 192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			before := open1(t, "UTC")
			parse(before, "a", tt.before...)
			parse(before, "b", foreign)
			cursor := before.Cursor(input.Batch{Cursor: `{"at":"here:there"}`})

			after := open1(t, "UTC")
			from, err := after.Resume(cursor)
			if err != nil || from != `{"at":"here:there"}` {
				t.Fatalf("from %q, %v", from, err)
			}
			if got := parse(after, "b", again); got[0] != "1 witness 3 invalid IP" {
				t.Errorf("in another log: %s", got)
			}
			if got := parse(after, "a", again); got[0] != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// What a client sent is no text in any encoding.
func TestCursorKeepsBytes(t *testing.T) {
	before, after := open1(t, "UTC"), open1(t, "UTC")
	parse(before, "a", failed)
	if _, err := after.Resume(before.Cursor(input.Batch{Cursor: "x"})); err != nil {
		t.Fatal(err)
	}
	after.Parse(input.Batch{Log: "a", Text: again, Received: received}, func(r *event.Record) {
		if r.User != "b\xff" || !strings.HasSuffix(r.Message, "sasl_username=b\xff") {
			t.Errorf("user %q, message %q", r.User, r.Message)
		}
		if want := time.Date(2026, 6, 3, 4, 11, 39, 0, time.UTC); !r.Time.Equal(want) {
			t.Errorf("at %s, want %s", r.Time, want)
		}
	})
}

// A cursor that an older csmail encoded by encoding/gob is read.
func TestOlderCursor(t *testing.T) {
	f := open1(t, "UTC")
	parse(f, "a", failed)
	latest, _, err := splitRepeatable(f.place(input.Batch{Cursor: "x"}))
	if err != nil || len(latest) != 1 {
		t.Fatalf("got %d records and error %v, want one", len(latest), err)
	}
	older := olderReadUpTo + packGob(t, f.reach) + ":" + olderRepeatable + packGob(t, latest) + ":there"
	after := open1(t, "UTC")
	from, err := after.Resume(older)
	if err != nil || from != "there" {
		t.Fatalf("got from %q and error %v, want from \"there\"", from, err)
	}
	if d := cmp.Diff(f.reach, after.reach); d != "" {
		t.Errorf("reach (-want +got):\n%s", d)
	}
	if got, want := parse(after, "a", again)[0], "2 event 3 192.0.2.1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func packGob(t *testing.T, v any) string {
	t.Helper()
	var packed bytes.Buffer
	if err := gob.NewEncoder(&packed).Encode(v); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes())
}

func TestCursorOfSourceThatCannotResume(t *testing.T) {
	f := open1(t, "UTC")
	parse(f, "a", foreign)
	if got := f.Cursor(input.Batch{}); got != "" {
		t.Errorf("cursor %q", got)
	}
	parse(f, "a", failed)
	if from, err := open1(t, "UTC").Resume(f.Cursor(input.Batch{})); from != "" || err != nil {
		t.Errorf("from %q, %v", from, err)
	}
}

func TestResumeRefuses(t *testing.T) {
	for _, cursor := range []string{repeatable, repeatable + "!:x", repeatable + "AAAA:x", olderRepeatable, olderRepeatable + "AAAA:x", olderReadUpTo + "AAAA:x", readUpTo, readUpTo + "!:x", readUpTo + "AAAA:x"} {
		if from, err := open1(t, "UTC").Resume(cursor); err == nil || hint.Of(err) != "was it stored by a newer csmail?" {
			t.Errorf("%q: %q, %v", cursor, from, err)
		}
	}
	if from, err := open1(t, "UTC").Resume(`{"v":1}`); from != `{"v":1}` || err != nil {
		t.Errorf("a cursor without more: %q, %v", from, err)
	}
}

// What is not read is logged, and again when it is ten times as much.
func TestRemarks(t *testing.T) {
	const entry = `{"__REALTIME_TIMESTAMP":"1780459869000000","SYSLOG_IDENTIFIER":"postfix/smtpd","_UID":"1000","_COMM":"logger",` +
		`"MESSAGE":"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x"}` + "\n"
	const inside = "Jun  3 04:11:09 mx1 docker[7]: " + failed
	for name, tt := range map[string]struct {
		lines []string
		count int
		want  string
	}{
		"a user's entries":   {[]string{entry, entry, entry}, 1, "their writers are no mail daemons"},
		"eleven of them":     {slices.Repeat([]string{entry}, 11), 2, "10 journal entries were passed over"},
		"inside other lines": {[]string{inside}, 1, "look like mail logs inside other lines"},
		"foreign":            {slices.Repeat([]string{foreign}, fewLines), 1, "no line of a log is of Postfix"},
		"foreign and few":    {slices.Repeat([]string{foreign}, fewLines-1), 0, ""},
		"warnings":           {slices.Repeat([]string{failed}, manyTroubles), 1, "is it filtered by severity"},
		"all there is":       {append(slices.Repeat([]string{failed}, manyTroubles), connected), 1, "is it filtered by severity"},
		"connections first":  {append([]string{connected}, slices.Repeat([]string{failed}, manyTroubles)...), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			f := open1(t, "UTC")
			f.log = slog.New(slog.NewTextHandler(&out, nil))
			for _, line := range tt.lines {
				parse(f, "a", line)
			}
			if got := strings.Count(out.String(), "level=WARN"); got != tt.count || !strings.Contains(out.String(), tt.want) {
				t.Errorf("got %d warnings %s, want %d with %q", got, out.String(), tt.count, tt.want)
			}
		})
	}
}

// A file in journalctl's export form that is followed is passed over whole: a part
// of a message in it looks like a line.
func TestExportIsPassedOver(t *testing.T) {
	f := open1(t, "UTC")
	got := parse(f, "a", "__CURSOR=s=1\n", "MESSAGE\n", failed, "\n", failed)
	for _, line := range got {
		if !strings.Contains(line, "no-header") {
			t.Errorf("got %q, want no line read", got)
		}
	}
	if got := parse(f, "b", failed); got[0] != "1 event 1 192.0.2.1" {
		t.Errorf("another log: got %q", got)
	}
}

func TestEnvelopeAndTrusted(t *testing.T) {
	source := config.Source{Source: "stdin", Envelope: "docker", Trusted: []string{"_UID=1000"}}
	feeds, err := Open(t.Context(), []config.Source{source}, Options{Stdin: strings.NewReader("")})
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(feeds[0], "a", "Jun  3 04:11:09 mx1 docker[7]: "+failed); got[0] != "1 event 1 192.0.2.1" {
		t.Errorf("got %q, want the event inside", got)
	}
	for _, bad := range []config.Source{{Source: "stdin", Envelope: "x"}, {Source: "stdin", Trusted: []string{"_COMM=a"}}} {
		if _, err := Open(t.Context(), []config.Source{bad}, Options{}); err == nil || hint.Of(err) == "" {
			t.Errorf("%+v: got %v, want an error with a hint", bad, err)
		}
	}
}
