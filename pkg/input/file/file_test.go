package file

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

// running is a follower in the background.
type running struct {
	*reader
	source input.Input
	stop   func()
}

func start(t *testing.T, o Options, from input.Cursor) *running {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	if o.Quiet == 0 {
		o.Quiet = time.Millisecond
	}
	source, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	r := &running{reader: newReader(), source: source}
	r.cursor = from
	go func() {
		defer close(done)
		err := source.Follow(ctx, from, func(b input.Batch) error { r.take(b); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow: %v, want %q", err, context.Canceled)
		}
	}()
	r.stop = func() { cancel(); <-done }
	t.Cleanup(r.stop)
	// The first plan makes a batch without lines.
	until(t, "the follower starts", func() bool { return r.begun() || source.Status().State == input.Failing })
	return r
}

func (r *running) begun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.batches > 0
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "")
}

func put(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	file.Close()
}

// until waits for a state that no line announces.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestFirstStart(t *testing.T) {
	tests := map[string]struct {
		back time.Duration
		want string
	}{
		"from now on":    {0, "new\n"},
		"an hour back":   {time.Hour, "live\nnew\n"},
		"three days":     {72 * time.Hour, "one\nlive\nnew\n"},
		"all there is":   {300 * 24 * time.Hour, "three\ntwo\none\nlive\nnew\n"},
		"some, unpacked": {5 * 24 * time.Hour, "two\none\nlive\nnew\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWriter(t, 1)
			days := map[string]int{".3": 6, ".2": 4, ".1": 2}
			put(t, w.path, "live\n")
			for suffix, text := range map[string]string{".3": "three\n", ".2": "two\n", ".1": "one\n"} {
				put(t, w.path+suffix, text)
				at := time.Now().Add(-time.Duration(days[suffix]) * 24 * time.Hour)
				if err := os.Chtimes(w.path+suffix, at, at); err != nil {
					t.Fatal(err)
				}
			}
			w.compress(w.path + ".3")
			w.compress(w.path + ".2")
			r := start(t, Options{Globs: []string{w.path}, Back: test.back}, "")
			put(t, w.path, "new\n")
			r.wait(t, strings.Count(test.want, "\n"))
			if got := r.text(); got != test.want {
				t.Errorf("got %q", got)
			}
			r.stop()
			next := start(t, Options{Globs: []string{w.path}}, r.cursor)
			put(t, w.path, "again\n")
			next.wait(t, 1)
			if got := next.text(); got != "again\n" {
				t.Errorf("after the restart %q, want %q", got, "again\n")
			}
		})
	}
}

func TestOldLiveFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	put(t, path, "old\n")
	at := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	r := start(t, Options{Globs: []string{path}, Back: time.Hour}, "")
	put(t, path, "new\n")
	r.wait(t, 1)
	if got := r.text(); got != "new\n" {
		t.Errorf("got %q", got)
	}
}

func TestFileAppearsLater(t *testing.T) {
	dir := t.TempDir()
	r := start(t, Options{Globs: []string{dir + "/mail.log", dir + "/*.err"}}, "")
	if s := r.source.Status(); s.State == input.Failing {
		t.Errorf("status %+v, want State other than %v", s, input.Failing)
	}
	put(t, dir+"/mail.log", "one\n")
	r.wait(t, 1)
	put(t, dir+"/mail.err", "two\n")
	r.wait(t, 2)
	if got := r.text(); got != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
	until(t, "following", func() bool { return r.source.Status().State == input.Following })
}

func TestDeletedAndRecreated(t *testing.T) {
	w := newWriter(t, 1)
	r := start(t, Options{Globs: []string{w.path}}, "")
	// What is deleted before anybody opened it is lost to everybody, so each file is
	// read from first.
	for w.count == 0 {
		w.write(50)
	}
	r.wait(t, w.count)
	for range 20 {
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
		w.write(50)
		w.reopen()
		for before := w.count; w.count == before; {
			w.write(50)
		}
		r.wait(t, w.count)
	}
	r.stop()
	r.check(t, w.count)
}

// A truncated file that has grown past the old offset looks as if it had only
// grown.
func TestTruncatedAndRefilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	put(t, path, "a line of the old file\n")
	r := start(t, Options{Globs: []string{path}, Back: time.Hour}, "")
	r.wait(t, 1)
	for _, down := range []bool{false, true} {
		if down {
			r.stop()
		}
		text := "a line of the new file\nand " + strings.Repeat("more and ", 40) + "more\n"
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if down {
			text = strings.ReplaceAll(text, "line", "row")
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		file.Close()
		if down {
			next := start(t, Options{Globs: []string{path}}, r.cursor)
			next.wait(t, 2)
			if got := next.text(); got != text {
				t.Errorf("got %q", got)
			}
			continue
		}
		r.wait(t, 3)
		if got := r.text(); got != "a line of the old file\n"+text {
			t.Errorf("got %q", got)
		}
	}
}

func TestPartialLine(t *testing.T) {
	w := newWriter(t, 1)
	r := start(t, Options{Globs: []string{w.path}}, "")
	put(t, w.path, "whole\nrip=192.0.2.1")
	r.wait(t, 1)
	put(t, w.path, "0, lip=192.0.2.25\n")
	r.wait(t, 2)
	put(t, w.path, "never ended")
	if err := os.Rename(w.path, w.path+".1"); err != nil {
		t.Fatal(err)
	}
	put(t, w.path, "next\n")
	r.wait(t, 3)
	if got := r.text(); got != "whole\nrip=192.0.2.10, lip=192.0.2.25\nnext\n" {
		t.Errorf("got %q", got)
	}
	until(t, "the line without an end is counted", func() bool { return r.source.Status().Drops[input.DropUnfinished] == 1 })
}

func TestLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	put(t, path, "")
	r := start(t, Options{Globs: []string{path}}, "")
	for range 10 {
		put(t, path, strings.Repeat("x", 50_000))
	}
	r.wait(t, 1)
	put(t, path, "\nnext\n")
	r.wait(t, 2)
	if got := r.text(); got != strings.Repeat("x", 64<<10)+"\nnext\n" {
		t.Errorf("got %d bytes", len(got))
	}
	if n := r.source.Status().Drops[input.DropCut]; n != 1 {
		t.Errorf("%d lines cut, want 1", n)
	}
}

func TestDirectoryVanishes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mail.log")
	put(t, path, "one\n")
	r := start(t, Options{Globs: []string{path}, Back: time.Hour}, "")
	r.wait(t, 1)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	until(t, "failing", func() bool { return r.source.Status().State == input.Failing })
	s := r.source.Status()
	if want := "the directory of \"" + path + "\" is not there"; s.Err.Error() != want || hint.Of(s.Err) == "" {
		t.Errorf("error %q, hint %q, want Err %v, a hint", s.Err, hint.Of(s.Err), want)
	}
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	put(t, path, "two\n")
	r.wait(t, 2)
	if got := r.text(); got != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
	until(t, "following", func() bool { return r.source.Status().State == input.Following })
}

// A file system that is not mounted at the start must not cost the positions.
func TestPositionsOutliveAMissingMount(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mail.log")
	put(t, path, "one\n")
	r := start(t, Options{Globs: []string{path}, Back: time.Hour}, "")
	r.wait(t, 1)
	r.stop()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	next := start(t, Options{Globs: []string{path}, Back: time.Hour}, r.cursor)
	put(t, dir+".away/mail.log", "two\n")
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	next.wait(t, 1)
	if got := next.text(); got != "two\n" {
		t.Errorf("got %q", got)
	}
}

func TestNotARegularFile(t *testing.T) {
	dir := t.TempDir()
	r := start(t, Options{Globs: []string{dir}}, "")
	until(t, "failing", func() bool { return r.source.Status().State == input.Failing })
	s := r.source.Status()
	if s.Err.Error() != `"`+dir+`" is no regular file` || hint.Of(s.Err) != "name a log file; a pipe or a directory cannot be followed" {
		t.Errorf("error %q, hint %q, want Err %v, hint \"name a log file; a pipe or a directory cannot be followed\"",
			s.Err, hint.Of(s.Err), `"`+dir+`" is no regular file`)
	}
}

func TestOpenErrorHasAHint(t *testing.T) {
	err := openError("/var/log/mail.log", &os.PathError{Op: "open", Path: "/var/log/mail.log", Err: os.ErrPermission})
	if err.Error() != `opening "/var/log/mail.log": permission denied` ||
		hint.Of(err) != "let csmail's user join the group that may read the log (adm on Debian), or mend the mode that logrotate's create sets" {
		t.Errorf("error %q, hint %q, want err %q, hint %q",
			err, hint.Of(err), `opening "/var/log/mail.log": permission denied`, "let csmail's user join the group that may read the log (adm on Debian), or mend the mode that logrotate's create sets")
	}
}

func TestFilesRefuses(t *testing.T) {
	tests := map[string]struct {
		globs []string
		text  string
	}{
		"no name":     {nil, "a file source without a file name"},
		"bad pattern": {[]string{"/var/log/["}, `file name "/var/log/[": syntax error in pattern`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Globs: test.globs})
			if err == nil || err.Error() != test.text || hint.Of(err) == "" {
				t.Errorf("error %v, hint %q, want the error %v, a hint", err, hint.Of(err), test.text)
			}
		})
	}
	source, _ := New(Options{Globs: []string{"/nonexistent/mail.log"}})
	err := source.Follow(t.Context(), `{"v":9}`, func(input.Batch) error { return nil })
	if err == nil || hint.Of(err) != "was it stored by a newer csmail? without it the logs are read again from the start" {
		t.Errorf("error %v, hint %q, want an error, hint \"was it stored by a newer csmail? without it the logs are read again from the start\"",
			err, hint.Of(err))
	}
}

func TestParseMember(t *testing.T) {
	tests := map[string]struct {
		live string
		want member
		ok   bool
	}{
		"mail.log":                     {"mail.log", member{number: -1, live: true}, true},
		"mail.log.1":                   {"mail.log", member{number: 1}, true},
		"mail.log.12.gz":               {"mail.log", member{number: 12, packed: true}, true},
		"mail.log.0.xz":                {"mail.log", member{number: 0, packed: true}, true},
		"mail.log-20261124":            {"mail.log", member{number: -1, date: "20261124"}, true},
		"mail.log-20261124-13.zst":     {"mail.log", member{number: -1, date: "20261124-13", packed: true}, true},
		"mail-20261124.log":            {"mail.log", member{number: -1, date: "20261124"}, true},
		"mail.2.log.bz2":               {"mail.log", member{number: 2, packed: true}, true},
		"maillog-20261124":             {"maillog", member{number: -1, date: "20261124"}, true},
		"mail.log.gz":                  {"mail.log", member{}, false},
		"-20261124.log":                {"mail.log", member{}, false},
		".1.log":                       {"mail.log", member{}, false},
		"news-20261124.log":            {"mail.log", member{}, false},
		"mail.log.err":                 {"mail.log", member{}, false},
		"mail.log1":                    {"mail.log", member{}, false},
		"mail.err":                     {"mail.log", member{}, false},
		"mail.log.1.sav":               {"mail.log", member{}, false},
		"mail.log-":                    {"mail.log", member{}, false},
		"mail.log.-1":                  {"mail.log", member{}, false},
		"postfix-mail.log":             {"mail.log", member{}, false},
		"-20260131.log":                {"mail.log", member{}, false},
		"-20260131.log.gz":             {"mail.log", member{}, false},
		"_2026.log":                    {"mail.log", member{}, false},
		"imap-20260131.log":            {"mail.log", member{}, false},
		"mail-20260131":                {"mail.log", member{}, false},
		"mail-20260131.txt":            {"mail.log", member{}, false},
		"mail.log.2026-11-24T03:00:00": {"mail.log", member{number: -1, date: "2026-11-24T03:00:00"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parseMember(test.live, name)
			if ok != test.ok || (ok && got != test.want) {
				t.Errorf("got %+v, %v", got, ok)
			}
		})
	}
}

// A position that no follower stored must not cost memory, or the process.
func TestImpossiblePositions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.log")
	if err := os.WriteFile(path, []byte("Nov 24 03:00:00 mx test[1]: line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]position{
		"a head of 2^30 bytes": {Head: fingerprint{Len: 1 << 30}},
		"less than no head":    {Head: fingerprint{Len: -1}},
		"a mark of 2^30 bytes": {Head: fingerprint{Len: 1}, Mark: fingerprint{Len: 1 << 30}},
		"less than no mark":    {Head: fingerprint{Len: 1}, Mark: fingerprint{Len: -1}},
		"before the start":     {Head: fingerprint{Len: 1}, Offset: -1},
	} {
		t.Run(name, func(t *testing.T) {
			source, err := New(Options{Globs: []string{path}})
			if err != nil {
				t.Fatal(err)
			}
			cursor := filesCursor{Version: 1, Globs: []string{path}, Logs: map[string][]position{path: {p}}}.encode()
			err = source.Follow(t.Context(), cursor, func(input.Batch) error { return errKilled })
			if err == nil || errors.Is(err, errKilled) || hint.Of(err) == "" {
				t.Errorf("error %v, hint %q", err, hint.Of(err))
			}
		})
	}
}
