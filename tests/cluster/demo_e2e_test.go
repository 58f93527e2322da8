//go:build e2e

package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What make demo-cluster shows, with keys and TLS as csmail cluster init makes them: both
// attackers are banned, and nothing is left running.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	demo, err := filepath.Abs(filepath.Join(dir, "demo"))
	must(t, err)
	root, err := filepath.Abs("../..")
	must(t, err)
	if out, err := exec.Command("go", "build", "-o", demo, "../demo/cluster").CombinedOutput(); err != nil {
		t.Fatalf("building the demo: %v: %s", err, out)
	}
	c := exec.CommandContext(t.Context(), demo, "-csmail", csmail)
	c.Dir, c.Env = root, append(os.Environ(), "TMPDIR="+dir)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("the demo: %v:\n%s", err, out)
	}
	for _, want := range []string{"mx1: 0 bans", "Ip:203.0.113.7 ", "Stream CSMAIL:", "this judge leads", "Ip:203.0.113.99 ", "nothing changed"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got\n%s\nwant %q in it", out, want)
		}
	}
	if strings.Contains(string(out), "duplicated") {
		t.Errorf("got an attacker that is banned twice:\n%s", out)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, p := range processes {
		if text, err := os.ReadFile(p); err == nil && strings.Contains(string(text), dir) {
			t.Errorf("this still runs: %q", text)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "csmail-demo*")); err != nil || len(left) > 0 {
		t.Errorf("the demo leaves %q, %v, want nothing", left, err)
	}
}
