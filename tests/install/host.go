//go:build e2e

package install

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

//go:embed boot.sh
var bootScript string

const hostName = "mx1.example.org"

// host is a Debian that boots: what it writes lies in a layer above the root file
// system of its suite.
type host struct {
	t       *testing.T // of the stage that runs
	life    *testing.T // of the whole life; what is to be ended ends with it
	suite   string
	dir     string // upper, work, root and proc
	process *process
	outside *outside
}

func newHost(t *testing.T, suite string) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "csmail-install-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &host{t: t, life: t, suite: suite, dir: dir}
	for _, name := range []string{"upper", "work", "root", "proc"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.outside = newOutside(t)
	h.put("/etc/hostname", hostName+"\n", 0o644)
	h.put("/etc/mailname", hostName+"\n", 0o644)
	h.put("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n192.0.2.10 "+hostName+" mx1\n", 0o644)
	h.put("/etc/resolv.conf", "nameserver "+resolverAddr+"\noptions timeout:2 attempts:1\n", 0o644)
	return h
}

// put writes a file of the host before it boots.
func (h *host) put(path, text string, mode os.FileMode) {
	h.t.Helper()
	to := filepath.Join(h.dir, "upper", path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(text), mode); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(to, mode); err != nil {
		h.t.Fatal(err)
	}
}

// boot starts systemd and waits until every unit of the boot has started.
func (h *host) boot() {
	h.t.Helper()
	lower := repoPath(h.t, "tests", "e2e", "booted", h.suite)
	if _, err := os.Stat(filepath.Join(lower, "etc", "csmail-e2e")); err != nil {
		h.t.Fatalf("%v\nhint: tests/e2e/booted.sh %s", err, h.suite)
	}
	group := newCgroup(h.life)
	cmd := exec.Command("unshare", "--cgroup", "sh", "-c", bootScript, "boot", lower, h.dir, strings.Split(hostName, ".")[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		UseCgroupFD: true,
		CgroupFD:    int(group.Fd()),
	}
	var err error
	if h.process, err = start(cmd); err != nil {
		h.t.Fatal(err)
	}
	h.life.Cleanup(h.kill)
	h.outside.connect(h.t, h.process.pid())
	h.await(2*time.Minute, "the host is up", func() bool {
		out, _ := h.run("systemctl", "is-system-running")
		state := strings.TrimSpace(out)
		return state == "running" || state == "degraded"
	})
}

// reboot ends every process of the host and boots it again, as systemctl reboot
// does.
func (h *host) reboot() {
	h.t.Helper()
	_, _ = h.run("systemctl", "reboot")
	select {
	case <-h.process.done:
	case <-time.After(90 * time.Second):
		h.t.Fatalf("the host does not shut down\n%s", h.process.said())
	}
	h.boot()
}

// kill ends the host: with its first process all others end.
func (h *host) kill() {
	_ = h.process.cmd.Process.Kill() // an ended process is what we want
	<-h.process.done
}

// command is a command on the host, as root.
func (h *host) command(ctx context.Context, args ...string) *exec.Cmd {
	all := append([]string{
		"-t", fmt.Sprint(h.process.pid()), "-m", "-p", "-n", "-u", "-i", "-C", "--",
		"env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
	}, args...)
	return exec.CommandContext(ctx, "nsenter", all...)
}

const commandLimit = 3 * time.Minute

// run runs a command on the host and returns what it printed on both streams.
func (h *host) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := h.command(ctx, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs a command that has to succeed.
func (h *host) must(args ...string) string {
	h.t.Helper()
	out, err := h.run(args...)
	if err != nil {
		h.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// sh runs a shell script that has to succeed.
func (h *host) sh(script string) string {
	h.t.Helper()
	return h.must("sh", "-ec", script)
}

// await waits until a condition holds.
func (h *host) await(limit time.Duration, what string, holds func() bool) {
	h.t.Helper()
	for end := time.Now().Add(limit); !holds(); time.Sleep(200 * time.Millisecond) {
		select {
		case <-h.process.done:
			h.t.Fatalf("the host ended: %v\n%s", h.process.cmd.ProcessState, h.process.said())
		default:
		}
		if time.Now().After(end) {
			h.t.Fatalf("after %v not yet: %s\n%s", limit, what, h.story())
		}
	}
}

// story is what the host says about itself, for a test that failed.
func (h *host) story() string {
	var b strings.Builder
	for _, line := range []string{
		"systemctl --failed --no-pager",
		"csmail status",
		"csmail held list",
		"journalctl --no-pager -n 60 -u csmail -u crowdsec",
		"tail -n 60 /var/log/mail.log",
		"tail -n 30 /var/log/crowdsec.log",
		"cscli alerts list",
		"cscli decisions list",
	} {
		out, err := h.run("sh", "-c", line)
		fmt.Fprintf(&b, "--- %s (%v)\n%s", line, err, out)
	}
	return b.String()
}

// newCgroup makes a control group for a host; systemd takes it for the whole tree.
func newCgroup(t *testing.T) *os.File {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "cgroup2" {
			continue
		}
		dir, err := os.MkdirTemp(fields[1], "csmail-install-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeGroups(dir) })
		group, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = group.Close() })
		return group
	}
	t.Fatal("no cgroup2 is mounted here, and systemd needs it")
	return nil
}

// removeGroups removes a control group and those in it, the innermost first. The
// kernel takes a moment to see that the last process is gone.
func removeGroups(dir string) {
	for range 50 {
		var groups []string
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for i := len(groups) - 1; i >= 0; i-- {
			_ = os.Remove(groups[i])
		}
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// process is a child that is killed when this process ends.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	out  bytes.Buffer
}

// start starts a child on a thread that waits for it: the kernel kills it with the
// thread that started it.
func start(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its output
		}
	}()
	return p, <-started
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// Write keeps the end of what the child prints.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out.Len() > 1<<20 {
		p.out.Reset()
	}
	return p.out.Write(text)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// repoPath is a path of the checkout.
func repoPath(t *testing.T, names ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", ".."}, names...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
