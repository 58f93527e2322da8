package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unsafe"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"csmail/pkg/hint"
	"csmail/pkg/input"
)

func readAll(t *testing.T, s Input) (string, error) {
	t.Helper()
	var text strings.Builder
	next := int64(1)
	err := s.Read(t.Context(), func(b Block) error {
		if b.First != next {
			t.Errorf("block begins with line %d, want %d", b.First, next)
		}
		next += countLines(b.Text)
		text.WriteString(b.Text)
		return nil
	})
	return text.String(), err
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t *testing.T, format, text string) string {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch format {
	case "gz":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	case "zst":
		w, err = zstd.NewWriter(&out)
	}
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Jun  3 04:11:09 mail postfix/smtpd[%d]: connect from unknown[192.0.2.1]\n", i)
	}
	return b.String()
}

func TestFileForms(t *testing.T) {
	text := manyLines(20000)
	for name, content := range map[string]string{
		"plain": text, "no last newline": strings.TrimSuffix(text, "\n"), "empty": "", "bom": "\xef\xbb\xbf" + text,
		"gz": packed(t, "gz", text), "xz": packed(t, "xz", text), "zst": packed(t, "zst", text),
		"zst with a skippable frame": "\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + packed(t, "zst", text),
		"gz of many members":         packed(t, "gz", text[:100]) + packed(t, "gz", "") + packed(t, "gz", text[100:200]) + packed(t, "gz", text[200:]),
		"gz of two members":          packed(t, "gz", text[:100]) + packed(t, "gz", text[100:]), "binary": "\x00\xff\n\x00",
	} {
		t.Run(name, func(t *testing.T) {
			sources, err := Files([]string{write(t, "mail.log", content)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAll(t, sources[0])
			want := text
			switch name {
			case "no last newline", "empty", "binary":
				want = content
			}
			if err != nil || got != want {
				t.Errorf("%d bytes of %d, error %v, want %v", len(got), len(want), err, want)
			}
		})
	}
}

func TestDamagedFiles(t *testing.T) {
	for _, format := range []string{"gz", "xz", "zst"} {
		content := packed(t, format, manyLines(20000))
		path := write(t, "mail.log."+format, content[:len(content)/2])
		sources, err := Files([]string{path}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = readAll(t, sources[0])
		if err == nil || !strings.Contains(err.Error(), "mail.log."+format) || hint.Of(err) == "" {
			t.Errorf("%s: error %v, hint %q, want an error containing %q, a hint", format, err, hint.Of(err), "mail.log."+format)
		}
	}
}

func TestFilesRefuses(t *testing.T) {
	path := write(t, "mail.log", "x")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "none")
	for name, tt := range map[string]struct {
		paths []string
		want  string
	}{
		"missing":   {[]string{path, missing}, "no such file or directory"},
		"directory": {[]string{t.TempDir()}, "is a directory"},
		"twice":     {[]string{path, link}, "are the same file"},
	} {
		_, err := Files(tt.paths, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || hint.Of(err) == "" {
			t.Errorf("%s: error %v, hint %q, want an error containing %q, a hint", name, err, hint.Of(err), tt.want)
		}
	}
	sources, err := Files([]string{write(t, "system.journal", "LPKSHHRHxxxxxxxx")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, sources[0]); err == nil || !strings.Contains(hint.Of(err), "--journal-file") {
		t.Errorf("a journal: error %v, want an error containing \"--journal-file\"", err)
	}
	denied := openError("mail.log", &os.PathError{Op: "open", Path: "mail.log", Err: os.ErrPermission})
	if !strings.Contains(hint.Of(denied), "sudo") {
		t.Errorf("hint %q, want it to contain \"sudo\"", hint.Of(denied))
	}
}

func TestFilesInOrderOfTime(t *testing.T) {
	old, young := write(t, "mail.log.1", "old\n"), write(t, "mail.log", "young\n")
	if err := os.Chtimes(old, time.Time{}, time.Unix(1000, 0)); err != nil {
		t.Fatal(err)
	}
	sources, err := Files([]string{"-", young, old}, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if sources[0].Name() != old || sources[1].Name() != young || sources[2].Name() != "stdin" {
		t.Errorf("got %s, %s, %s", sources[0].Name(), sources[1].Name(), sources[2].Name())
	}
}

func TestTwins(t *testing.T) {
	text := manyLines(200)
	_, err := Files([]string{write(t, "mail.log", text), write(t, "mail.log.gz", packed(t, "gz", text))}, nil)
	if err == nil || !strings.Contains(err.Error(), "hold the same lines") || hint.Of(err) == "" {
		t.Errorf("error %v, want an error containing \"hold the same lines\", a hint", err)
	}
	if _, err := Files([]string{write(t, "a", ""), write(t, "b", "")}, nil); err != nil {
		t.Errorf("two empty files: %v", err)
	}
}

// mail.warn holds some of the lines of mail.log. Rotated files may share a few.
func TestExtracts(t *testing.T) {
	line := func(i int) string {
		return fmt.Sprintf("Mar 10 09:%02d:00 mail postfix/smtpd[77]: line number %d\n", i, i)
	}
	all, some, others := "", "", ""
	for i := range 40 {
		all += line(i)
		if i%7 == 3 {
			some += line(i)
		}
		others += strings.Replace(line(i), "mail", "mx2", 1)
	}
	for name, tt := range map[string]struct {
		first, second, text string
		want                bool
	}{
		"warnings":         {"mail.log", "mail.warn", some, true},
		"packed warnings":  {"mail.log", "mail.warn.1", some, true},
		"another host":     {"mail.log", "mail2.log", others, false},
		"rotated":          {"mail.log", "mail.log.1", some, false},
		"rotated by date":  {"mail.log", "mail.log-20260310", some, false},
		"no ending":        {"maillog", "maillog.1", some, false},
		"of two hosts":     {"mx-a.log", "mx-b.log", some, true},
		"two lines":        {"mail.log", "mail.warn", line(3) + line(9), false},
		"one line differs": {"mail.log", "mail.warn", line(3) + line(9) + strings.ToUpper(line(12)), false},
		"short lines":      {"mail.log", "mail.warn", "a\nb\nc\n", false},
		"a part of a line": {"mail.log", "mail.warn", line(3)[1:] + line(9)[1:] + line(12)[1:], false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, second := filepath.Join(dir, tt.first), filepath.Join(dir, tt.second)
			for path, text := range map[string]string{first: all, second: tt.text} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, order := range [][]string{{first, second}, {second, first}} {
				_, err := Files(order, nil)
				if want := fmt.Sprintf("%q holds lines of %q", second, first); (err != nil) != tt.want || err != nil && err.Error() != want {
					t.Errorf("got error %v, want one: %v, %s", err, tt.want, want)
				}
				if err != nil && hint.Of(err) != "leave it out, or these lines would count twice" {
					t.Errorf("got hint %q", hint.Of(err))
				}
			}
		})
	}
}

// Members that were put together each keep their own time.
func TestGzipMembersTellTime(t *testing.T) {
	var out bytes.Buffer
	for i, text := range []string{"old\n", "young\n"} {
		w := gzip.NewWriter(&out)
		w.ModTime = time.Unix(1560000000+int64(i)*86400, 0)
		if _, err := io.WriteString(w, text); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
	}
	sources, err := Files([]string{write(t, "mail.log.gz", out.String())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var times []int64
	err = sources[0].Read(t.Context(), func(b Block) error {
		times = append(times, b.Received.Unix())
		return nil
	})
	if err != nil || fmt.Sprint(times) != "[1560000000 1560086400]" {
		t.Errorf("received %d, error %v, want times \"[1560000000 1560086400]\"", times, err)
	}
}

func TestGzipTellsTime(t *testing.T) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.ModTime = time.Unix(1560000000, 0)
	if _, err := io.WriteString(w, "x\n"); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	sources, err := Files([]string{write(t, "mail.log.gz", out.String())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = sources[0].Read(t.Context(), func(b Block) error {
		if !b.Received.Equal(w.ModTime) {
			t.Errorf("received %s, want Received %s", b.Received, w.ModTime)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// zeros is a stream of lines, each n bytes long, size bytes in all.
type zeros struct{ n, size, done int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.done >= z.size {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = 'x'
		if z.done++; z.done%z.n == 0 {
			p[i] = '\n'
		}
	}
	return len(p), nil
}

func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, n := range map[string]int{"short lines": 100, "lines of 10 MB": 10 << 20, "one line": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			most := uint64(0)
			err := readStream(t.Context(), "x", &zeros{n: n, size: 200 << 20}, time.Now(), func(b Block) error {
				if runtime.ReadMemStats(&after); after.HeapInuse > most {
					most = after.HeapInuse
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if most > before.HeapInuse+32<<20 {
				t.Errorf("heap grew from %d to %d bytes, want at most %v", before.HeapInuse, most, before.HeapInuse+32<<20)
			}
		})
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe() // nobody ever closes it, as a terminal
	defer out.Close()
	go func() {
		fmt.Fprintln(out, "a line")
		cancel()
	}()
	sources, err := Files([]string{"-"}, in)
	if err != nil {
		t.Fatal(err)
	}
	err = sources[0].Read(ctx, func(Block) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %q", err, context.Canceled)
	}
}

// Memory that was released holds a later block; memory that was not stays as it is.
func TestRelease(t *testing.T) {
	var log strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&log, "line %d of a log that is longer than a few blocks\n", i)
	}
	for name, releases := range map[string]bool{"released": true, "kept": false} {
		t.Run(name, func(t *testing.T) {
			b := blocks{from: strings.NewReader(log.String()), received: untold, now: time.Now, consumed: func() int64 { return 0 }}
			var got []string
			places := map[*byte]int{}
			n := 0
			err := b.each(t.Context(), func(b Block) error {
				n++
				places[unsafe.StringData(b.Text)]++
				if !releases {
					got = append(got, b.Text)
					return nil
				}
				got = append(got, strings.Clone(b.Text))
				b.Release()
				b.Release() // of no effect
				return nil
			})
			if err != nil || strings.Join(got, "") != log.String() {
				t.Fatalf("the blocks are not the log, error %v, want %v", err, log.String())
			}
			if reused := len(places) < n; n < 5 || reused != releases {
				t.Errorf("%d blocks in %d places, want at least 5, reused %v", n, len(places), releases)
			}
		})
	}
}

// FuzzBlocks: whatever the bytes and however they come, every line comes out
// once, whole or cut to input.MaxLine, under its number, and other blocks' memory is used
// again.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("a\n\nb"), uint16(0), true)
	f.Add([]byte("\n"), uint16(40000), false)
	f.Fuzz(func(t *testing.T, data []byte, repeat uint16, byteByByte bool) {
		stretched := bytes.ReplaceAll(data, []byte("L"), bytes.Repeat([]byte("x"), int(repeat)*8))
		var from io.Reader = bytes.NewReader(stretched)
		if byteByByte && len(stretched) < 1<<16 {
			from = iotest.OneByteReader(from)
		}
		var got []string
		b := blocks{from: from, received: untold, now: time.Now, consumed: func() int64 { return 0 }}
		err := b.each(t.Context(), func(b Block) error {
			if b.First != int64(len(got))+1 {
				t.Fatalf("block begins with line %d after %d lines, want First %d", b.First, len(got), int64(len(got))+1)
			}
			got = append(got, strings.Split(strings.TrimSuffix(strings.Clone(b.Text), "\n"), "\n")...)
			b.Release()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if len(stretched) > 0 {
			want = strings.Split(strings.TrimSuffix(string(stretched), "\n"), "\n")
		}
		if len(got) != len(want) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
		}
		for i, line := range want {
			if got[i] != line[:min(len(line), input.MaxLine)] {
				t.Fatalf("line %d: %d bytes, want %d", i+1, len(got[i]), len(line))
			}
		}
	})
}

func fakeJournal(t *testing.T, script string) Input {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Journal(JournalOptions{Since: time.Unix(1780459869, 0), Command: path})
}

func TestJournal(t *testing.T) {
	tests := map[string]struct{ script, text, err, hint string }{
		"lines":          {`echo '{"a":1}'; echo '{"a":2}'`, "{\"a\":1}\n{\"a\":2}\n", "", ""},
		"since":          {`case "$*" in *--all*--since=@1780459869*SYSLOG_FACILITY=2) echo yes;; esac`, "yes\n", "", ""},
		"empty":          {`true`, "", "no mail lines", "SYSLOG_FACILITY=2"},
		"no entries":     {`echo '-- No entries --'`, "", "no mail lines", "SYSLOG_FACILITY=2"},
		"no permission":  {`echo "No journal files were opened due to insufficient permissions." >&2; exit 1`, "", "exit status 1", "systemd-journal"},
		"a part missing": {`echo '{"a":1}'; echo "x.journal is truncated, ignoring file." >&2`, "{\"a\":1}\n", "ignoring file", "missing"},
		"not all seen":   {`case "$*" in *json*) exit 0;; esac; echo "Hint: You are currently not seeing messages from other users." >&2`, "", "no mail lines", "systemd-journal"},
		"failing":        {`echo '{"a":1}'; echo broken >&2; exit 3`, "{\"a\":1}\n", `"broken"`, "journal"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := readAll(t, fakeJournal(t, tt.script))
			if text != tt.text || (err == nil) != (tt.err == "") {
				t.Fatalf("got %q, error %v", text, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.err) || !strings.Contains(hint.Of(err), tt.hint)) {
				t.Errorf("error %v, hint %q", err, hint.Of(err))
			}
		})
	}
	_, err := readAll(t, Journal(JournalOptions{Command: "/nonexistent/journalctl"}))
	if err == nil || hint.Of(err) == "" {
		t.Errorf("without journalctl: error %v, want an error, a hint", err)
	}
}

func TestChoose(t *testing.T) {
	path := write(t, "mail.log", "x\n")
	full := fakeJournal(t, `echo '{}'`).(*journal).JournalOptions
	empty := fakeJournal(t, `true`).(*journal).JournalOptions
	for name, tt := range map[string]struct {
		chooser Chooser
		want    string
	}{
		"journal":    {Chooser{full, []string{path}}, "the journal"},
		"file":       {Chooser{empty, []string{"/nonexistent", path}}, path},
		"no journal": {Chooser{JournalOptions{Command: "/nonexistent"}, []string{path}}, path},
		"nothing":    {Chooser{empty, []string{"/nonexistent"}}, ""},
	} {
		s, err := tt.chooser.Choose(t.Context())
		if tt.want == "" {
			if err == nil || !strings.Contains(hint.Of(err), "name the log file") {
				t.Errorf("%s: error %v, hint %q, want an error containing \"name the log file\"", name, err, hint.Of(err))
			}
			continue
		}
		if err != nil || s.Name() != tt.want {
			t.Errorf("%s: got %v, error %v", name, s, err)
		}
	}
}

// Who names an address instead of a log is told which command takes one.
func TestAddressInsteadOfAFile(t *testing.T) {
	for name, want := range map[string]string{
		"203.0.113.7": "csmail why 203.0.113.7", "2001:db8::1": "csmail why 2001:db8::1", "203.0.113.7.log": "reads the journal",
	} {
		err := openError(name, os.ErrNotExist)
		if !strings.Contains(hint.Of(err), want) {
			t.Errorf("%s: got %v and the hint %q, want %q", name, err, hint.Of(err), want)
		}
	}
}
