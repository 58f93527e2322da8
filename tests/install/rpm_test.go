//go:build e2e

package install

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// installRPM has Debian's rpm install a package, upgrade it and remove it in the files of a
// Debian 12, as there is no Red Hat here: its scripts run, with the arguments that rpm gives
// them. No systemd runs there, and dependencies are not looked at.
func installRPM(t *testing.T, old string) {
	next := onlyFile(t, buildPackages(t, repoPath(t), "rpm", "VERSION="+newVersion), "*.rpm")
	lower, err := filepath.EvalSymlinks(filepath.Join("..", "e2e", "booted", "bookworm"))
	if err == nil {
		lower, err = filepath.Abs(lower)
	}
	if err != nil {
		t.Fatalf("Debian 12 is not there: %v; tests/e2e/booted.sh bookworm unpacks it", err)
	}
	dir := t.TempDir()
	// The mounts are of a namespace of its own, and end with it.
	const script = `cd "$1"; mkdir upper work root
mount -t tmpfs tmpfs upper; mkdir upper/upper upper/work
mount -t overlay -o "lowerdir=$2,upperdir=upper/upper,workdir=upper/work" overlay root
mount -t proc proc root/proc; mount --bind /dev root/dev
rpm() { command rpm --root "$PWD/root" "$@" 2>&1 | grep -v '^rpm: '; } # Debian's own advice
say() { echo "== $*"; }
files() { chroot root stat -c '%n %a %U:%G' /etc/csmail /etc/csmail/csmail.yaml /usr/bin/csmail; chroot root id -nG csmail; }
say install; rpm --nodeps --nosignature -i "$3"; files; chroot root csmail version; chroot root csmail run -t --offline
echo "log_level: debug" >>root/etc/csmail/csmail.yaml; echo "log_level: warn" >root/etc/csmail/csmail.yaml.local
mkdir -p root/var/lib/csmail; echo state >root/var/lib/csmail/csmail.db
say upgrade; rpm --nodeps --nosignature -U "$4"; files; chroot root csmail version; rpm -q csmail; tail -n 1 root/etc/csmail/csmail.yaml; cat root/etc/csmail/csmail.yaml.local root/var/lib/csmail/csmail.db
say remove; rpm -e csmail; rpm -q csmail || :; (cd root; find etc/csmail usr/bin/csmail usr/share/csmail usr/share/doc/csmail usr/lib/systemd/system/csmail* var/lib/csmail 2>/dev/null | sort) || :`
	cmd := exec.Command("unshare", "-m", "-p", "-f", "--kill-child", "sh", "-ec", script, "sh", dir, lower, old, next)
	bytes, err := cmd.CombinedOutput()
	out := string(bytes)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rights := "/etc/csmail 750 root:csmail\n/etc/csmail/csmail.yaml 640 root:csmail\n/usr/bin/csmail 755 root:root\ncsmail adm systemd-journal\n"
	for _, want := range []string{
		"\ncsmail is installed. The next command finds the log, registers at CrowdSec and starts it: csmail setup\n" + rights + "csmail 0.1.0",
		"the configuration is good (/etc/csmail/csmail.yaml)",
		"== upgrade\n",
		rights + "csmail " + newVersion,
		"log_level: debug\nlog_level: warn\nstate\n",
		"== remove\n",
		"package csmail is not installed",
		"etc/csmail/csmail.yaml.local\netc/csmail/csmail.yaml.rpmsave\nvar/lib/csmail\nvar/lib/csmail/csmail.db\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("rpm does not say %q", want)
		}
	}
	_, removed, _ := strings.Cut(out, "== remove\n")
	if strings.Contains(removed, "usr/") {
		t.Errorf("after the removal files of the package are there:\n%s", removed)
	}
	if t.Failed() {
		t.Log(out)
	}
}
