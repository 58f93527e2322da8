//go:build e2e

package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// buildPackages builds the packages of one version for amd64, as make packages
// does, and returns their folder; "" is the version of the source.
func buildPackages(t *testing.T, version, kinds string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(repoPath(t, "packaging", "build.sh"))
	cmd.Env = append(os.Environ(), "OUT="+dir, "ARCHES=amd64", "KINDS="+kinds, "VERSION="+version)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/build.sh: %v\n%s", err, out)
	}
	return dir
}

// buildPackage returns the path of a Debian package.
func buildPackage(t *testing.T, version string) string {
	t.Helper()
	return onlyFile(t, buildPackages(t, version, "deb"), "*.deb")
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
