package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func failure(n int) string {
	return fmt.Sprintf("2026-06-03T04:11:%02dZ mx1 dovecot: imap-login: Disconnected (auth failed, %d attempts in 9 secs): user=<u%d>, method=PLAIN, rip=192.0.2.%d, lip=10.1.2.4, session=<s%d>\n", n, n, n, n, n)
}

// following runs csmail events --follow until the test ends it.
type following struct {
	out    *bufio.Scanner
	reader *io.PipeReader
	err    bytes.Buffer
	stop   context.CancelFunc
	status chan int
}

func startFollowing(t *testing.T, args ...string) *following {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	f := &following{out: bufio.NewScanner(r), reader: r, stop: stop, status: make(chan int, 1)}
	go func() {
		f.status <- Main(ctx, append([]string{"events", "--follow", "-q"}, args...), Streams{In: strings.NewReader(""), Out: w, Err: &f.err})
		w.Close()
	}()
	t.Cleanup(stop)
	return f
}

func (f *following) next(t *testing.T) string {
	t.Helper()
	if !f.out.Scan() {
		t.Fatalf("the output ended: %v, %s", f.out.Err(), f.err.String())
	}
	return f.out.Text()
}

func (f *following) wantEnd(t *testing.T, status int) {
	t.Helper()
	if got := <-f.status; got != status || f.err.Len() > 0 {
		t.Errorf("status %d, want %d; stderr %q", got, status, f.err.String())
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestFollowPrintsLinesAsTheyCome(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	appendTo(t, log, failure(1))
	f := startFollowing(t, "-o", "json", "--since", "2026-06-01", log)
	for n := 1; n <= 3; n++ {
		var got struct {
			Line, Attempts int
			IP             string
		}
		if err := json.Unmarshal([]byte(f.next(t)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Line != n || got.Attempts != n || got.IP != fmt.Sprintf("192.0.2.%d", n) {
			t.Errorf("event %d: %+v", n, got)
		}
		appendTo(t, log, failure(n+1))
	}
	f.stop()
	f.wantEnd(t, 130)
}

func TestFollowForCrowdSecUntilNobodyReads(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	appendTo(t, log, failure(2))
	f := startFollowing(t, "-o", "crowdsec", "--since", "2026-06-01", log)
	first, second := f.next(t), f.next(t)
	if first != second || !strings.Contains(first, `"source_ip":"192.0.2.2"`) {
		t.Errorf("%s\n%s", first, second)
	}
	f.reader.Close()
	appendTo(t, log, failure(3))
	f.wantEnd(t, 0)
}

// Without --since the old lines are left alone, whenever the first new one comes.
func TestFollowBeginsAtTheEnd(t *testing.T) {
	log := filepath.Join(t.TempDir(), "mail.log")
	appendTo(t, log, failure(1)+failure(2))
	config := filepath.Join(t.TempDir(), "csmail.yaml")
	appendTo(t, config, fmt.Sprintf("sources: [{source: file, filenames: [%s]}]\n", log))
	f := startFollowing(t, "-c", config)
	first := make(chan string)
	go func() {
		f.out.Scan()
		first <- f.out.Text()
	}()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case line := <-first:
			if !strings.Contains(line, "192.0.2.7 ") {
				t.Errorf("the first event is %s", line)
			}
			f.reader.Close() // the lines behind it are of no interest
			f.stop()
			if status := <-f.status; status != 130 && status != 0 {
				t.Errorf("status %d, %s", status, f.err.String())
			}
			return
		case <-again.C:
			appendTo(t, log, failure(7))
		}
	}
}

func TestFollowStdinEndsWithIt(t *testing.T) {
	var out, complaint bytes.Buffer
	status := Main(t.Context(), []string{"events", "--follow", "-o", "json", "-"},
		Streams{In: strings.NewReader(failure(1) + "noise\n" + failure(2)), Out: &out, Err: &complaint})
	if status != 0 || strings.Count(out.String(), "\n") != 2 || !strings.HasPrefix(complaint.String(), "Lines: 3 lines, 2 events, 2 sources, 0 missed") {
		t.Errorf("status %d, %q, %q", status, out.String(), complaint.String())
	}
}

func TestFollowRefuses(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"--follow has no end":                       {"--until", "1h", "x.log"},
		"journalctl cannot follow a single journal": {"--journal-file", "x.journal"},
		"stdin is followed alone":                   {"-", "x.log"},
		"is a directory":                            {dir},
		"none.yaml":                                 {"-c", filepath.Join(dir, "none.yaml")},
	} {
		var out, complaint bytes.Buffer
		status := Main(t.Context(), append([]string{"events", "--follow"}, args...), Streams{In: strings.NewReader(""), Out: &out, Err: &complaint})
		if status == 0 || out.Len() > 0 || !strings.Contains(complaint.String(), want) || !strings.Contains(complaint.String(), "hint: ") {
			t.Errorf("%q: status %d, %s", args, status, complaint.String())
		}
	}
}

// What is not there yet is waited for, and said once: a slip in a name shows nothing else.
func TestFollowSaysWhatItWaitsFor(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	config := func(list string) string {
		path := filepath.Join(t.TempDir(), "csmail.yaml")
		appendTo(t, path, "sources: [{source: file, filenames: ["+list+"]}]\n")
		return path
	}
	const waits = "csmail: warning: %q is not there; csmail waits for it\n"
	missing := fmt.Sprintf(waits, "new.log")
	glob := "csmail: warning: no file matches \"new*.log\"; csmail waits for one\n"
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a file":                           {[]string{"new.log"}, missing},
		"two files":                        {[]string{"new.log", "old.log"}, missing + fmt.Sprintf(waits, "old.log")},
		"a glob":                           {[]string{"new*.log"}, glob},
		"a file of the configuration":      {[]string{"-c", config("new.log")}, missing},
		"one of two of the configuration":  {[]string{"-c", config("new.log, there.log")}, ""},
		"two globs of the configuration":   {[]string{"-c", config(`"new*.log", "old*.log"`)}, glob + strings.ReplaceAll(glob, "new", "old")},
		"a file with brackets in its name": {[]string{"new[1].log"}, strings.ReplaceAll(glob, "new*", "new[1]")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			appendTo(t, "there.log", failure(1))
			ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond) // to start, on a busy machine
			defer stop()
			var complaint bytes.Buffer
			Main(ctx, append([]string{"events", "--follow", "-q"}, tt.args...), Streams{In: strings.NewReader(""), Out: io.Discard, Err: &complaint})
			if complaint.String() != tt.want {
				t.Errorf("%q, want %q", complaint.String(), tt.want)
			}
		})
	}
}
