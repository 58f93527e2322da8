package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeClock never waits: what sleeps goes on at once, and how long it would
// have slept is kept.
type fakeClock struct {
	now   time.Time
	waits chan time.Duration
}

func newFakeClock() *fakeClock {
	return &fakeClock{time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), make(chan time.Duration, 100)}
}

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.waits <- d
	tick := make(chan time.Time, 1)
	tick <- c.now
	return tick, func() {}
}

func entryLine(n int, more string) string {
	return fmt.Sprintf(`{"__CURSOR":"s=1;i=%d;b=2;m=3;t=%x;x=%d","__REALTIME_TIMESTAMP":"%d","_HOSTNAME":"mx","SYSLOG_IDENTIFIER":"postfix/smtpd",`+
		`"_SYSTEMD_UNIT":"mail.service","_PID":"7","MESSAGE":"line %d"%s}`, n, 1000000*n, n, 1000000*n, n, more)
}

// fakeJournalctl is a script that notes its arguments and, at its run number n,
// does what runs[n] says.
func fakeJournalctl(t *testing.T, runs ...string) (command, arguments string) {
	t.Helper()
	dir := t.TempDir()
	arguments = filepath.Join(dir, "arguments")
	script := "#!/bin/sh\necho \"$@\" >>" + arguments + "\nn=$(wc -l <" + arguments + ")\ncase $n in\n"
	for i, run := range runs {
		script += fmt.Sprintf("%d)\n%s\n;;\n", i+1, run)
	}
	script += "*) exec sleep 60 ;;\nesac\n"
	command = filepath.Join(dir, "journalctl")
	if err := os.WriteFile(command, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return command, arguments
}

func prints(lines ...string) string {
	return "cat <<'END'\n" + strings.Join(lines, "\n") + "\nEND\n"
}

// followJournal reads until n lines have come.
func followJournal(t *testing.T, o Options, from input.Cursor, n int) (string, input.Cursor, input.Input) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	source := New(o)
	var text strings.Builder
	var last input.Cursor
	err := source.Follow(ctx, from, func(b input.Batch) error {
		text.WriteString(b.Text)
		last = b.Cursor
		if strings.Count(text.String(), "\n") >= n {
			return errKilled
		}
		return nil
	})
	if !errors.Is(err, errKilled) {
		t.Fatalf("Follow: %v after %q, want %q", err, text.String(), errKilled)
	}
	return text.String(), last, source
}

var errKilled = errors.New("killed")

func TestJournalGoesOnAfterItsEnd(t *testing.T) {
	command, arguments := fakeJournalctl(t,
		prints(entryLine(1, ""), entryLine(2, ""))+"exit 1",
		"echo 'No space left' >&2; exit 1",
		prints(entryLine(2, ""), entryLine(3, ""))+"printf '{\"half\":'; exit 0",
		prints(entryLine(3, ""), entryLine(4, ""))+"exec sleep 60")
	clock := newFakeClock()
	text, last, source := followJournal(t, Options{Command: command, clock: clock, Back: time.Hour}, "", 4)
	want := entryLine(1, "") + "\n" + entryLine(2, "") + "\n" + entryLine(3, "") + "\n" + entryLine(4, "") + "\n"
	if text != want {
		t.Errorf("got %s", text)
	}
	if !strings.Contains(entryOf(t, last), "i=4") {
		t.Errorf("cursor %q, want it to contain \"i=4\"", last)
	}
	said, _ := os.ReadFile(arguments)
	runs := strings.Split(string(said), "\n")
	for i, part := range []string{fmt.Sprint("--since=@", clock.now.Add(-time.Hour).Unix()), "--cursor=s=1;i=2;", "--cursor=s=1;i=2;", "--cursor=s=1;i=3;"} {
		if !strings.Contains(runs[i], part) {
			t.Errorf("run %d: %q lacks %q", i, runs[i], part)
		}
	}
	close(clock.waits)
	var waits []time.Duration
	for d := range clock.waits {
		waits = append(waits, d)
	}
	if fmt.Sprint(waits) != "[500ms 1s 500ms]" {
		t.Errorf("waited %v, want waits \"[500ms 1s 500ms]\"", waits)
	}
	if s := source.Status(); s.Restarts != 3 || s.Lines != 4 || s.State != input.Following || len(s.Drops) != 0 {
		t.Errorf("status %+v, want Restarts 3, Lines 4, State %v, no Drops", s, input.Following)
	}
}

// entryOf returns journald's own cursor in a cursor.
func entryOf(t *testing.T, from input.Cursor) string {
	t.Helper()
	c, err := decodeJournalCursor(from)
	if err != nil {
		t.Fatal(err)
	}
	return c.Entry
}

// A cursor comes back as it was, also the JSON of an older csmail.
func TestCursorComesBack(t *testing.T) {
	want := journalCursor{Entry: "s=1;i=2;b=2;m=3;t=1e8480;x=2", Micros: 2000000}
	for _, from := range []input.Cursor{want.encode(), `{"entry":"s=1;i=2;b=2;m=3;t=1e8480;x=2","micros":2000000}`} {
		if got, err := decodeJournalCursor(from); err != nil || got != want {
			t.Errorf("%q: got %+v and error %v, want %+v", from, got, err, want)
		}
	}
	for _, bad := range []input.Cursor{journalPrefix, journalPrefix + "AAAA", journalPrefix + "!", "{", "rubbish"} {
		if got, err := decodeJournalCursor(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, got)
		}
	}
}

func TestJournalWithoutTheCursor(t *testing.T) {
	from := journalCursor{Entry: "s=1;i=2;b=2;m=3;t=1e8480;x=2", Micros: 2000000}.encode()
	tests := map[string][]string{
		"the nearest entry is another": {prints(entryLine(1, ""), entryLine(5, "")) + "exec sleep 60"},
		"journalctl refuses it": {
			"echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1",
			prints(entryLine(1, ""), entryLine(2, ""), entryLine(5, "")) + "exec sleep 60",
		},
	}
	for name, runs := range tests {
		t.Run(name, func(t *testing.T) {
			command, arguments := fakeJournalctl(t, runs...)
			text, _, source := followJournal(t, Options{Command: command, clock: newFakeClock()}, from, 1)
			if text != entryLine(5, "")+"\n" {
				t.Errorf("got %q", text)
			}
			if n := source.Status().Drops[input.DropGone]; n != 1 {
				t.Errorf("%d losses noted, want 1", n)
			}
			said, _ := os.ReadFile(arguments)
			if len(runs) == 2 && !strings.Contains(string(said), "--since=@2 ") {
				t.Errorf("not resumed by time: %s", said)
			}
		})
	}
}

func TestJournalCountsSuppressed(t *testing.T) {
	suppressed := func(n int, unit string) string {
		return strings.Replace(entryLine(n, `,"MESSAGE_ID":"`+suppressedID+`"`), fmt.Sprintf("line %d", n), "Suppressed 120 messages from "+unit, 1)
	}
	command, _ := fakeJournalctl(t, prints(suppressed(1, "postfix@-.service"), entryLine(2, ""), suppressed(3, "web.service"),
		suppressed(4, "mail.service"), entryLine(5, ""))+"exec sleep 60")
	text, _, source := followJournal(t, Options{Command: command, clock: newFakeClock()}, "", 2)
	if text != entryLine(2, "")+"\n"+entryLine(5, "")+"\n" {
		t.Errorf("got %q", text)
	}
	if n := source.Status().Drops[input.DropSuppressed]; n != 240 {
		t.Errorf("%d suppressed, want 240", n)
	}
}

func TestJournalErrors(t *testing.T) {
	denied, _ := fakeJournalctl(t, "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1")
	tests := map[string]struct{ command, text, hint string }{
		"no journalctl": {
			"/nonexistent/journalctl", "starting journalctl: fork/exec /nonexistent/journalctl: no such file or directory",
			"without systemd's journal, follow the log file: sources: [{source: file, filenames: [/var/log/mail.log]}]",
		},
		"no permission": {
			denied, `journalctl ended: exit status 1, it says "No journal files were opened due to insufficient permissions."`,
			"let csmail's user join the group systemd-journal",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			source := New(Options{Command: test.command, clock: stopClock{newFakeClock(), cancel}})
			if err := source.Follow(ctx, "", func(input.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("Follow: %v, want %q", err, context.Canceled)
			}
			s := source.Status()
			if s.State != input.Failing || s.Err == nil || s.Err.Error() != test.text || hint.Of(s.Err) != test.hint {
				t.Errorf("status %+v, hint %q, want State %v, an error, Err %v, hint %q", s, hint.Of(s.Err), input.Failing, test.text, test.hint)
			}
		})
	}
}

// A journalctl that ends soon after each start, with or without a new entry, fails:
// the log says so once, and never that it works in between.
func TestJournalThatEndsDoesNotFlap(t *testing.T) {
	fails := "echo 'Failed to get boot id: No such file or directory' >&2; exit 1"
	for name, run := range map[string]string{
		"it prints nothing":         fails,
		"it repeats the last entry": prints(entryLine(2, "")) + fails,
		"it prints a new entry":     prints(entryLine(2, ""), entryLine(3, "")) + fails,
	} {
		t.Run(name, func(t *testing.T) {
			command, _ := fakeJournalctl(t, run, run, run, run, run, run)
			var said bytes.Buffer
			clock := newFakeClock()
			ctx, cancel := context.WithCancel(t.Context())
			source := New(Options{Command: command, clock: countClock{clock, 6, new(int), cancel}, Logger: slog.New(slog.NewTextHandler(&said, nil))})
			from := journalCursor{Entry: "s=1;i=2;b=2;m=3;t=1e8480;x=2", Micros: 2000000}.encode()
			if err := source.Follow(ctx, from, func(input.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("Follow: %v, want %q", err, context.Canceled)
			}
			if n := strings.Count(said.String(), "source fails"); n != 1 {
				t.Errorf("said %d times that it fails:\n%s, want 1", n, said.String())
			}
			if n := strings.Count(said.String(), "works again"); n > 1 || n == 1 && !strings.Contains(name, "new entry") {
				t.Errorf("said %d times that it works:\n%s", n, said.String())
			}
			if s := source.Status(); s.State != input.Failing || !strings.Contains(hint.Of(s.Err), "ProcSubset=all") {
				t.Errorf("status %+v, hint %q, want State %v, it to contain \"ProcSubset=all\"", s, hint.Of(s.Err), input.Failing)
			}
		})
	}
}

// countClock ends the context at the wait of that number.
type countClock struct {
	*fakeClock
	last int
	n    *int
	stop func()
}

func (c countClock) After(d time.Duration) (<-chan time.Time, func()) {
	if *c.n++; *c.n >= c.last {
		c.stop()
	}
	return c.fakeClock.After(d)
}

// --follow alone shows this boot only; --merge all boots, and other hosts', which no
// alternative of the filter may let in.
func TestJournalArguments(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"the host's":   {Options{machine: id}, "SYSLOG_FACILITY=2 _MACHINE_ID=" + id + " + MESSAGE_ID=" + suppressedID + " _MACHINE_ID=" + id},
		"alternatives": {Options{machine: id, Filter: []string{"A=1", "+", "B=2", "C=3"}}, "A=1 _MACHINE_ID=" + id + " + B=2 C=3 _MACHINE_ID=" + id + " + MESSAGE_ID=" + suppressedID + " _MACHINE_ID=" + id},
		"a directory":  {Options{Directory: "/j"}, "--directory=/j --since=@0 SYSLOG_FACILITY=2 + MESSAGE_ID=" + suppressedID},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(New(tt.o).(*journal).arguments(), " ")
			if !strings.HasSuffix(got, tt.want) || !strings.Contains(got, " --merge ") {
				t.Errorf("%s, want --merge and %s", got, tt.want)
			}
		})
	}
}

func TestMachineID(t *testing.T) {
	for name, text := range map[string]string{"too short": "0123\n", "uninitialized": "uninitialized\n", "empty": "", "another alphabet": strings.Repeat("G", 32)} {
		path := filepath.Join(t.TempDir(), "machine-id")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := machineID(path); got != "" {
			t.Errorf("%s: got %q, want \"\"", name, got)
		}
	}
	if got := machineID("/nonexistent/machine-id"); got != "" {
		t.Errorf("no file: %q, want \"\"", got)
	}
}

// stopClock ends the context at the first wait.
type stopClock struct {
	*fakeClock
	stop func()
}

func (c stopClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.stop()
	return c.fakeClock.After(d)
}

func TestJournalRefusesAForeignCursor(t *testing.T) {
	err := New(Options{}).Follow(t.Context(), "rubbish", func(input.Batch) error { return nil })
	if err == nil || hint.Of(err) != "was it stored by a newer csmail? without it the journal is read again" {
		t.Errorf("%v, hint %q, want an error, hint \"was it stored by a newer csmail? without it the journal is read again\"", err, hint.Of(err))
	}
}

// Every user may write an entry of many megabytes to the journal. It is passed
// over without being held in memory, and those around it are read.
func TestJournalPassesOverHugeEntries(t *testing.T) {
	const size = 24 << 20
	huge := func(head, tail string) string {
		return fmt.Sprintf("printf '%%s' '%s'\nhead -c %d /dev/zero | tr '\\0' x\nprintf '%%s\\n' '%s'\n", head, size, tail)
	}
	command, _ := fakeJournalctl(t, prints(entryLine(1, ""))+
		huge(`{"__CURSOR":"s=1;i=2","MESSAGE":"`, `"}`)+
		huge(``, ``)+
		prints(entryLine(3, `,"MORE":"`+strings.Repeat("x", input.MaxLine)+`"`), entryLine(4, ""))+"exec sleep 60")
	text, last := "", input.Cursor("")
	var source input.Input
	grown := allocated(func() {
		text, last, source = followJournal(t, Options{Command: command, clock: newFakeClock()}, "", 2)
	})
	if want := entryLine(1, "") + "\n" + entryLine(4, "") + "\n"; text != want {
		t.Errorf("got %.500q", text)
	}
	if n := source.Status().Drops[input.DropCut]; n != 3 || !strings.Contains(entryOf(t, last), "i=4") {
		t.Errorf("%d lines cut, cursor %s, want 3, it to contain \"i=4\"", n, last)
	}
	if grown > size/2 {
		t.Errorf("%d bytes allocated for entries of %d, want at most %v", grown, size, size/2)
	}
}

func TestNewestPassesOverHugeEntries(t *testing.T) {
	const size = 24 << 20
	long := fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x\necho\n", size)
	command, _ := fakeJournalctl(t, prints(entryLine(1, ""))+long+prints(entryLine(22222, "")))
	var found []string
	grown := allocated(func() {
		Newest(t.Context(), Options{Command: command}, 100, func(entry string) { found = append(found, entry) })
	})
	if want := []string{entryLine(1, "") + "\n", entryLine(22222, "") + "\n"}; !slices.Equal(found, want) || grown > size/2 {
		t.Errorf("got %.300q, %d bytes allocated, want two entries", found, grown)
	}
}

// allocated counts the bytes that f allocates, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestProbe(t *testing.T) {
	for name, tt := range map[string]struct{ script, want, hint string }{
		"an entry":      {"echo '{}'", "", ""},
		"none":          {"exit 0", "the journal holds no entry with SYSLOG_FACILITY=2", "is mail logged to the journal?"},
		"no permission": {"echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1", "insufficient permissions", "let csmail's user join the group systemd-journal"},
		"it says why":   {"echo 'Hint: You are currently not seeing messages from other users' >&2", "not seeing messages", "let csmail's user join the group systemd-journal"},
	} {
		t.Run(name, func(t *testing.T) {
			command, _ := fakeJournalctl(t, tt.script)
			err := Probe(t.Context(), Options{Command: command})
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("%v, hint %q, want an error containing %q, it to contain %q", err, hint.Of(err), tt.want, tt.hint)
			}
		})
	}
}
