//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"csmail/tests/lapitest"
)

// maxExposure is ten times what systemd-analyze security may say of the unit, from
// 0 (locked in) to 100.
const maxExposure = "19"

// TestServiceUnit: systemd finds nothing wrong with the units, and little that the
// daemon's leaves open.
func TestServiceUnit(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"csmail.service", "csmail-report.service", "csmail-report.timer"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "config", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, []byte(strings.ReplaceAll(string(text), "/usr/bin/csmail", buildProgram(t))))
	}
	unit := filepath.Join(dir, "csmail.service")
	for _, args := range [][]string{
		{"verify", "--man=no", unit, filepath.Join(dir, "csmail-report.service"), filepath.Join(dir, "csmail-report.timer")},
		{"security", "--no-pager", "--offline=true", "--threshold=" + maxExposure, unit},
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
}

// sandbox does what csmail.service asks systemd for, as far as it can be done
// without: nothing may be written but state and socket, /tmp is its own, only its
// own processes are to be seen, and it has no privilege but to read logs.
const sandbox = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
for name in bin etc log state run; do
	mkdir /mnt/$name
	mount --bind "$1/$name" /mnt/$name
done
for name in bin etc log; do mount -o remount,bind,ro /mnt/$name; done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t proc -o hidepid=invisible proc /proc
mount -o remount,bind,ro /mnt
mount -o remount,bind,ro /
cd /
exec setpriv --reuid=nobody --regid=nogroup --groups=adm --no-new-privs --bounding-set=-all --inh-caps=-all \
	/mnt/bin/csmail run -c /mnt/etc/csmail.yaml
`

// TestSandbox runs csmail as its unit has it: it reads, bans, answers and ends as
// it should, without a privilege.
func TestSandbox(t *testing.T) {
	r := newRunning(t, buildProgram(t), startLAPI(t, lapitest.Current))
	r.prepareSandbox()
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: fmt.Sprintf("@csmail-e2e-%d", os.Getpid()), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notified.Close()
	cmd := exec.Command("unshare", "--mount", "sh", "-c", sandbox, "sandbox", r.dir)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "MAIL_CONFIG=/mnt/etc", "NOTIFY_SOCKET=" + notified.LocalAddr().String()}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if r.process, err = startChild(r.ns, cmd); err != nil {
		t.Fatal(err)
	}
	awaitNotice(t, r, notified, "READY=1")
	mustHaveNoPrivilege(t, cmd.Process.Pid)

	attack := &trafficLog{random: rand.New(rand.NewPCG(1, 1))}
	attack.guessOften(time.Now().Add(-5*time.Minute), "203.0.113.66")
	log := &growingLog{path: r.log, random: attack.random}
	if err := log.write(attack.lines); err != nil {
		t.Fatal(err)
	}
	r.await("the attacker is banned", func() bool {
		list := decisions(t, r.lapi)
		return len(list) > 0 && list[0].Value == "203.0.113.66"
	})
	awaitNotice(t, r, notified, "WATCHDOG=1")
	r.awaitIdle()
	if info, err := os.Stat(filepath.Join(r.dir, "state", "csmail.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: %v, %v", info, err)
	}
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("csmail took %v to end", took)
	}
	awaitNotice(t, r, notified, "STOPPING=1")
}

// prepareSandbox makes the folders that the sandbox shows.
func (r *running) prepareSandbox() {
	r.t.Helper()
	for name, mode := range map[string]os.FileMode{"bin": 0o755, "etc": 0o755, "log": 0o755, "state": 0o700, "run": 0o755} {
		if err := os.Mkdir(filepath.Join(r.dir, name), mode); err != nil {
			r.t.Fatal(err)
		}
	}
	program, err := os.ReadFile(r.program)
	if err != nil {
		r.t.Fatal(err)
	}
	credentials, err := os.ReadFile(filepath.Join(r.lapi.Dir, "csmail_credentials.yaml"))
	if err != nil {
		r.t.Fatal(err)
	}
	write(r.t, r.dir, "bin/csmail", program)
	write(r.t, r.dir, "etc/credentials.yaml", credentials)
	write(r.t, r.dir, "etc/main.cf", []byte("mynetworks = 127.0.0.0/8\n"))
	write(r.t, r.dir, "etc/csmail.yaml", []byte(`lapi: {credentials: /mnt/etc/credentials.yaml}
sources: [{source: file, filenames: [/mnt/log/mail.log], timezone: UTC}]
state: /mnt/state/csmail.db
socket: /mnt/run/csmail.sock
`))
	write(r.t, r.dir, "log/mail.log", nil)
	write(r.t, r.dir, "csmail.yaml", []byte("socket: "+filepath.Join(r.dir, "run", "csmail.sock")+"\n")) // of csmail status
	r.log = filepath.Join(r.dir, "log", "mail.log")
	const script = `set -e
cd "$0"
chmod 755 bin/csmail
chown root:adm log/mail.log etc/credentials.yaml
chmod 640 log/mail.log etc/credentials.yaml
chown nobody:nogroup state run
`
	if out, err := exec.Command("sh", "-c", script, r.dir).CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
}

// awaitNotice reads what csmail tells systemd, sd_notify(3), up to that.
func awaitNotice(t *testing.T, r *running, from *net.UnixConn, want string) {
	t.Helper()
	if err := from.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			t.Fatalf("csmail does not notify %s: %v\n%s", want, err, r.said())
		}
		if strings.Contains(string(buf[:n]), want) {
			return
		}
	}
}

func mustHaveNoPrivilege(t *testing.T, pid int) {
	t.Helper()
	status := readFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in the status of csmail:\n%s", want, status)
		}
	}
}
