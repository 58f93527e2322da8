//go:build e2e

package install

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPackagesAreReproducible: the same source gives the same bytes, in another
// folder, another time zone and under another umask.
func TestPackagesAreReproducible(t *testing.T) {
	const time = "SOURCE_DATE_EPOCH=1790000000" // the copy has no git to ask
	here := buildPackages(t, repoPath(t), "deb rpm", time)
	copied := t.TempDir()
	script := `cd "$0" && git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --ignore-failed-read -cf - | tar -xf - -C "$1"`
	if out, err := exec.Command("sh", "-ec", script, repoPath(t), copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	there := buildPackages(t, copied, "deb rpm", time, "TZ=Asia/Tokyo", "LC_ALL=C", "TEST_UMASK=077")
	first, second := sums(t, here), sums(t, there)
	if len(first) != 4 { // the program, deb, rpm and SHA256SUMS
		t.Errorf("got the files %q, want four", first)
	}
	if !slices.Equal(first, second) {
		t.Errorf("two builds differ:\n%q\n%q", first, second)
	}
	rpm := onlyFile(t, here, "*.rpm")
	t.Run("rpm", func(t *testing.T) { checkRPM(t, rpm, onlyFile(t, here, "*.deb")) })
	t.Run("rpm installed", func(t *testing.T) { installRPM(t, rpm) })
}

// sums are the checksums and names of a folder's files.
func sums(t *testing.T, dir string) (sums []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, fmt.Sprintf("%x %s", sha256.Sum256(text), entry.Name()))
	}
	return sums
}

// checkRPM unpacks the rpm: its files are those of the deb, and a shell can read its scripts.
func checkRPM(t *testing.T, rpm, deb string) {
	dir := t.TempDir()
	script := `cd "$0"; mkdir rpm deb; rpm2cpio "$1" | (cd rpm && cpio -idm --quiet --no-absolute-filenames); dpkg-deb -x "$2" deb
list() { (cd "$1" && find . -type f -printf '%P %m\n' | sed 's#zsh/vendor-completions#zsh/site-functions#' | sort); }
list rpm >rpm.list; list deb >deb.list; diff deb.list rpm.list
rpm -qp --nosignature --qf '%{PREIN}' "$1" >/dev/null
for tag in POSTIN PREUN POSTUN; do
	rpm -qp --nosignature --qf "%{$tag}" "$1" >"$tag.sh"
	[ "$(wc -l <"$tag.sh")" -gt 5 ]
	sh -n "$tag.sh"
done
rpm -qp --nosignature --configfiles "$1"`
	out, err := exec.Command("sh", "-ec", script, dir, rpm, deb).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "/etc/csmail/csmail.yaml"; !strings.Contains(string(out), want) {
		t.Errorf("the configuration files of the rpm are %q, want %q among them", out, want)
	}
}
