//go:build e2e

package journal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"csmail/pkg/input"
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
	whole, last, _ := followJournal(t, Options{Directory: dir, Back: back}, "", 4)
	lines := strings.SplitAfter(whole, "\n")
	if !strings.Contains(lines[0], `"line 1"`) || !strings.Contains(lines[3], `"line 5"`) {
		t.Fatalf("got %s", whole)
	}
	second, _ := parseEntry([]byte(lines[1]))
	rest, end, source := followJournal(t, Options{Directory: dir}, journalCursor{second.Cursor, 1790000002000000}.encode(), 2)
	if rest != lines[2]+lines[3] && strings.Count(rest, "\n") != 2 || end != last || len(source.Status().Drops) != 0 {
		t.Errorf("resumed with %s", rest)
	}
	foreign := "s=00000000000000000000000000000001;i=2;b=00000000000000000000000000000002;m=5;t=65bfeda446480;x=1"
	rest, _, source = followJournal(t, Options{Directory: dir}, journalCursor{foreign, 1790000002000000}.encode(), 2)
	if strings.Contains(rest, `"line 2"`) || source.Status().Drops[input.DropGone] != 1 {
		t.Errorf("resumed by time with %s, want it without %q, Drops 1", rest, `"line 2"`)
	}
}

// underProc is a /proc as ProcSubset=pid makes it, and a host's journal of two boots
// with another host's beside it. What csmail.service asks for is not narrower.
const underProc = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /var/log
id=0123456789abcdef0123456789abcdef
echo $id >"$1/machine-id"
mount --bind "$1/machine-id" /etc/machine-id
mkdir -p /var/log/journal/$id /var/log/journal/remote
/usr/lib/systemd/systemd-journal-remote -o /var/log/journal/$id/system.journal "$1/own" >"$1/said" 2>&1
/usr/lib/systemd/systemd-journal-remote -o /var/log/journal/remote/x.journal "$1/other" >>"$1/said" 2>&1
mount -t proc -o subset=pid,hidepid=invisible proc /proc
! test -e /proc/sys/kernel/random/boot_id
exec "$2" -test.run '^TestRealJournalctlAsChild$' -test.v
`

// Under the /proc of a narrow unit the journal is read, over reboots, and without
// what other hosts sent to this one.
func TestRealJournalctlUnderNarrowProc(t *testing.T) {
	dir := t.TempDir()
	own, other := "", ""
	for n := 1; n <= 4; n++ {
		boot := fmt.Sprintf("%032x", 0xb0+n/3) // two lines a boot
		entry := func(machine, text string) string {
			return fmt.Sprintf("__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\nSYSLOG_FACILITY=2\n"+
				"SYSLOG_IDENTIFIER=postfix/smtpd\n_PID=12\n_HOSTNAME=mx\nMESSAGE=%s %d\n\n", 1790000000000000+n*1000000, n*1000000, boot, machine, text, n)
		}
		own += entry("0123456789abcdef0123456789abcdef", "line")
		other += entry("fedcba9876543210fedcba9876543210", "foreign")
	}
	for name, text := range map[string]string{"own": own, "other": other} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("unshare", "--mount", "sh", "-c", underProc, "sh", dir, program)
	child.Env = append(os.Environ(), "CSMAIL_NARROW_PROC=1")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestRealJournalctlAsChild") {
		t.Fatalf("%v:\n%s, want it to contain \"--- PASS: TestRealJournalctlAsChild\"", err, out)
	}
}

// TestRealJournalctlAsChild is the part of TestRealJournalctlUnderNarrowProc that runs
// inside.
func TestRealJournalctlAsChild(t *testing.T) {
	if os.Getenv("CSMAIL_NARROW_PROC") == "" {
		return
	}
	text, cursor, source := followJournal(t, Options{Back: time.Since(time.Unix(1789999990, 0))}, "", 4)
	for n, line := range strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n") {
		if !strings.Contains(line, fmt.Sprintf("line %d", n+1)) {
			t.Errorf("line %d is %s, want it to contain %q", n+1, line, fmt.Sprintf("line %d", n+1))
		}
	}
	if s := source.Status(); s.Err != nil || s.State != input.Following || s.Restarts != 0 {
		t.Errorf("status %+v, last position %s, want State %v, Restarts 0", s, cursor, input.Following)
	}
}
