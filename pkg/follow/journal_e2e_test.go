//go:build e2e

package follow

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The real journalctl, on journal files that systemd-journal-remote writes.
func TestRealJournalctl(t *testing.T) {
	const remote = "/usr/lib/systemd/systemd-journal-remote"
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Fatal("tests/e2e/install.sh installs it:", err)
	}
	if _, err := os.Stat(remote); err != nil {
		t.Fatal("tests/e2e/install.sh installs it:", err)
	}
	dir := t.TempDir()
	export := ""
	for n := 1; n <= 5; n++ {
		facility := 2
		if n == 3 {
			facility = 10
		}
		export += fmt.Sprintf("__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=4c6bcb1ec1db4f8c9ed4ee7d4cd1fb84\nSYSLOG_FACILITY=%d\n"+
			"SYSLOG_IDENTIFIER=postfix/smtpd\n_PID=12\n_HOSTNAME=mx\nMESSAGE=line %d\n\n", 1790000000000000+n*1000000, n*1000000, facility, n)
	}
	exportFile := filepath.Join(t.TempDir(), "export")
	if err := os.WriteFile(exportFile, []byte(export), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(remote, "-o", filepath.Join(dir, "x.journal"), exportFile).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	back := time.Since(time.Unix(1789999990, 0))
	whole, last, _ := followJournal(t, JournalOptions{Directory: dir, Back: back}, "", 4)
	lines := strings.SplitAfter(whole, "\n")
	if !strings.Contains(lines[0], `"line 1"`) || !strings.Contains(lines[3], `"line 5"`) {
		t.Fatalf("got %s", whole)
	}
	second, _ := parseEntry([]byte(lines[1]))
	rest, end, source := followJournal(t, JournalOptions{Directory: dir}, journalCursor{second.Cursor, 1790000002000000}.encode(), 2)
	if rest != lines[2]+lines[3] && strings.Count(rest, "\n") != 2 || end != last || len(source.Status().Drops) != 0 {
		t.Errorf("resumed with %s", rest)
	}
	foreign := "s=00000000000000000000000000000001;i=2;b=00000000000000000000000000000002;m=5;t=65bfeda446480;x=1"
	rest, _, source = followJournal(t, JournalOptions{Directory: dir}, journalCursor{foreign, 1790000002000000}.encode(), 2)
	if strings.Contains(rest, `"line 2"`) || source.Status().Drops[DropGone] != 1 {
		t.Errorf("resumed by time with %s", rest)
	}
}
