//go:build e2e

package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// buildPackages builds packages of a checkout for amd64, as make packages does, and
// returns their folder.
func buildPackages(t *testing.T, checkout, kinds string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("sh", "-ec", `umask "${TEST_UMASK:-022}"; exec packaging/build.sh`)
	cmd.Dir = checkout
	cmd.Env = append(append(os.Environ(), "OUT="+dir, "ARCHES=amd64", "KINDS="+kinds), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/build.sh: %v\n%s", err, out)
	}
	return dir
}

// buildPackage returns the path of a Debian package; "" is the version of the source.
func buildPackage(t *testing.T, version string) string {
	t.Helper()
	return onlyFile(t, buildPackages(t, repoPath(t), "deb", "VERSION="+version), "*.deb")
}

// onlyFile is the one file of a folder that has such a name.
func onlyFile(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %v, %v", pattern, dir, found, err)
	}
	return found[0]
}
