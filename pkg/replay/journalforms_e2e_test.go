//go:build e2e

package replay

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the fixtures of journalctl's forms")

// The forms as the journalctl of this host prints them, from a journal that
// systemd-journal-remote makes of the recorded entries.
func TestRealJournalForms(t *testing.T) {
	const remote = "/usr/lib/systemd/systemd-journal-remote"
	fixtures := filepath.Join("testdata", "journal")
	dir := t.TempDir()
	journal := filepath.Join(dir, "x.journal")
	if out, err := exec.Command(remote, "-o", journal, filepath.Join(fixtures, "source")).CombinedOutput(); err != nil {
		t.Fatalf("tests/e2e/install.sh installs it: %v: %s", err, out)
	}
	names := []string{"verbose", "cat"}
	for _, form := range journalForms {
		names = append(names, form.name)
	}
	for _, name := range names {
		child := exec.Command("journalctl", "--no-pager", "-q", "--file", journal, "-o", name)
		child.Env = append(os.Environ(), "TZ=Europe/Berlin", "LC_ALL=C")
		out, err := child.Output()
		if err != nil {
			t.Fatalf("journalctl -o %s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), out, 0o600); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(filepath.Join(fixtures, name), out, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	compareForms(t, dir)
}
