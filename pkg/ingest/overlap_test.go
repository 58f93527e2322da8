package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"csmail/pkg/hint"
	"csmail/pkg/input/journal"
)

func TestCheckOverlap(t *testing.T) {
	dir := t.TempDir()
	text := func(from, to, pid int) string {
		var b strings.Builder
		for n := from; n <= to; n++ {
			fmt.Fprintf(&b, "Nov 24 03:00:00 mx postfix/smtpd[%d]: line %d of this log\n", pid, n)
		}
		return b.String()
	}
	put(t, dir+"/mail.log", text(1, 50, 7))
	put(t, dir+"/mail.info", text(40, 50, 7))
	put(t, dir+"/other.log", text(1, 50, 8))
	put(t, dir+"/few.log", text(49, 52, 7))
	put(t, dir+"/mail.log.1", text(1, 50, 7))
	put(t, dir+"/full.log", strings.ReplaceAll(text(1, 50, 7), " mx ", " MX.example.org "))
	put(t, dir+"/mx2.log", strings.ReplaceAll(text(1, 50, 7), " mx ", " mx2 "))
	put(t, dir+"/empty.log", "")
	if err := os.Symlink(dir+"/mail.log", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(dir+"/mail.log", dir+"/hard"); err != nil {
		t.Fatal(err)
	}
	entries := func(pid int) *journal.Options {
		var lines []string
		for n := 30; n <= 60; n++ {
			lines = append(lines, fmt.Sprintf(`{"__CURSOR":"x","__REALTIME_TIMESTAMP":"1790000000000000","_HOSTNAME":"mx",`+
				`"SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"%d","MESSAGE":"line %d of this log"}`, pid, n))
		}
		command := printer(t, strings.Join(lines, "\n"))
		return &journal.Options{Command: command}
	}
	files := func(name string, globs ...string) spec {
		for i := range globs {
			globs[i] = filepath.Join(dir, globs[i])
		}
		return spec{Name: name, Globs: globs}
	}
	tests := map[string]struct {
		specs []spec
		want  string
	}{
		"two logs":                          {[]spec{files("a", "mail.log"), files("b", "other.log", "empty.log")}, ""},
		"one name, two globs of a source":   {[]spec{files("a", "mail.lo*", "mail.log")}, ""},
		"rotated files are no own logs":     {[]spec{files("a", "mail.log*")}, ""},
		"two lines in common":               {[]spec{files("a", "mail.log"), files("b", "few.log")}, ""},
		"another host, the same client":     {[]spec{files("a", "mail.log"), files("b", "mx2.log")}, ""},
		"the host with its domain":          {[]spec{files("a", "mail.log"), files("b", "full.log")}, `"DIR/mail.log" and "DIR/full.log" hold the same lines`},
		"a file that is not there":          {[]spec{files("a", "mail.log"), files("b", "missing.log")}, ""},
		"a journal with other lines":        {[]spec{files("a", "mail.log"), {Name: "j", Journal: entries(9)}}, ""},
		"a journal that cannot be read":     {[]spec{files("a", "mail.log"), {Name: "j", Journal: &journal.Options{Command: "/nonexistent"}}}, ""},
		"one file in two sources":           {[]spec{files("a", "mail.log"), files("b", "mail.lo*")}, `sources "a" and "b" read the same file, "DIR/mail.log"`},
		"a symbolic link":                   {[]spec{files("a", "mail.log", "link")}, `"DIR/mail.log" and "DIR/link" are the same file`},
		"a hard link":                       {[]spec{files("a", "mail.log"), files("b", "hard")}, `"DIR/mail.log" and "DIR/hard" are the same file`},
		"mail.log and mail.info":            {[]spec{files("a", "mail.log", "mail.info")}, `"DIR/mail.log" and "DIR/mail.info" hold the same lines`},
		"the journal and rsyslog's file":    {[]spec{files("a", "mail.log"), {Name: "j", Journal: entries(7)}}, `"DIR/mail.log" and "journal" hold the same lines`},
		"the journal before rsyslog's file": {[]spec{{Name: "j", Journal: entries(7)}, files("a", "mail.log")}, `"journal" and "DIR/mail.log" hold the same lines`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkOverlap(t.Context(), test.specs)
			want := strings.ReplaceAll(test.want, "DIR", dir)
			switch {
			case want == "" && err != nil:
				t.Errorf("%v", err)
			case want != "" && (err == nil || err.Error() != want || !strings.HasSuffix(hint.Of(err), "or each line would count twice")):
				t.Errorf("got %v, hint %q", err, hint.Of(err))
			}
		})
	}
}

// printer returns a journalctl that prints a text.
func printer(t *testing.T, text string) string {
	t.Helper()
	command := filepath.Join(t.TempDir(), "journalctl")
	put(t, command, "#!/bin/sh\ncat <<'END'\n"+text+"\nEND\n")
	if err := os.Chmod(command, 0o700); err != nil {
		t.Fatal(err)
	}
	return command
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
