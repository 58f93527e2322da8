//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// netns is a network namespace that lives as long as the thread that made it:
// no name, no mount, so even a killed test leaves none behind.
type netns struct {
	enter func() error
	path  string // for ip and nsenter, valid until close
	work  chan func()
	done  chan struct{}
}

func newNetns() (*netns, error) {
	return startNetns(func() error { return syscall.Unshare(syscall.CLONE_NEWNET) })
}

// openNetns joins the namespace of that path.
func openNetns(path string) (*netns, error) {
	return startNetns(func() error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
	})
}

func startNetns(enter func() error) (*netns, error) {
	n := &netns{enter: enter, work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go n.lockThread(ready)
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return n, nil
}

// lockThread gives the namespace a thread. Not the process's main thread: Go
// never ends that one, and the namespace would stay.
func (n *netns) lockThread(ready chan<- error) {
	runtime.LockOSThread()
	if syscall.Gettid() != os.Getpid() {
		n.thread(ready)
		return
	}
	started := make(chan error)
	go n.lockThread(started) // on another thread, as this one is taken
	err := <-started
	runtime.UnlockOSThread()
	ready <- err
}

// thread never unlocks: Go ends a thread whose goroutine returns locked, and
// the namespace goes with it.
func (n *netns) thread(ready chan<- error) {
	defer close(n.done)
	if err := n.enter(); err != nil {
		ready <- err
		return
	}
	n.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), syscall.Gettid())
	ready <- nil
	for job := range n.work {
		job()
	}
}

// close ends the namespace. Its sockets must be closed before.
func (n *netns) close() {
	close(n.work)
	<-n.done
}

// do runs job on the namespace's thread: sockets that it opens and processes
// that it starts belong to the namespace.
func (n *netns) do(job func()) {
	finished := make(chan struct{})
	n.work <- func() {
		defer close(finished)
		job()
	}
	<-finished
}

func (n *netns) dial(network, address string) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	n.do(func() { conn, err = dialer.Dial(network, address) })
	return conn, err
}

func (n *netns) listen(network, address string) (listener net.Listener, err error) {
	n.do(func() { listener, err = net.Listen(network, address) })
	return listener, err
}

// ip runs a batch of ip(8) commands in the namespace.
func (n *netns) ip(commands ...string) (err error) {
	n.do(func() { err = runIP(commands) })
	return err
}

func runIP(commands []string) error { return runIPBatch(exec.Command("ip", "-batch", "-"), commands) }

// runIPAt runs ip(8) commands in the network namespace of that path.
func runIPAt(path string, commands []string) error {
	return runIPBatch(exec.Command("nsenter", "--net="+path, "ip", "-batch", "-"), commands)
}

func runIPBatch(cmd *exec.Cmd, commands []string) error {
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, out)
	}
	return nil
}
