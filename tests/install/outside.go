//go:build e2e

package install

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	serverAddr   = "192.0.2.10" // of the host
	resolverAddr = "192.0.2.1"  // of the outside
)

// outside is the Internet of a host: a network namespace with the attackers'
// addresses and a name server that knows no name.
type outside struct {
	path string // of the namespace
	dns  net.PacketConn
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	cmd := exec.Command("sleep", "infinity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	holder, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.cmd.Process.Kill() // an ended process is what we want
		<-holder.done
	})
	return &outside{path: fmt.Sprintf("/proc/%d/ns/net", holder.pid())}
}

// connect lays a cable from the outside to the host. The kernel takes the one of the
// host's last boot away some time after the host's last process ended, so it is
// removed here, if it is still there.
func (o *outside) connect(t *testing.T, pid int) {
	t.Helper()
	_ = exec.Command("nsenter", "--net="+o.path, "ip", "link", "delete", "wire").Run() // there is none: as wanted
	o.ip(t, fmt.Sprintf(`link add wire type veth peer name eth0 netns %d
address add %s/24 dev wire
address replace 203.0.113.1/24 dev wire
address replace 198.51.100.1/24 dev wire
address add 2001:db8:7::1/64 dev wire nodad
link set lo up
link set wire up`, pid, resolverAddr))
	run(t, fmt.Sprintf(`address add %s/24 dev eth0
address add 2001:db8:7::10/64 dev eth0 nodad
link set eth0 up
route add default via %s dev eth0`, serverAddr, resolverAddr), fmt.Sprintf("/proc/%d/ns/net", pid))
	if o.dns != nil {
		return
	}
	err := o.do(func() (err error) {
		o.dns, err = net.ListenPacket("udp", resolverAddr+":53")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	go denyNames(o.dns)
	t.Cleanup(func() { _ = o.dns.Close() })
}

func (o *outside) ip(t *testing.T, commands string) {
	t.Helper()
	run(t, commands, o.path)
}

// run runs a batch of ip(8) in a network namespace.
func run(t *testing.T, commands, namespace string) {
	t.Helper()
	cmd := exec.Command("nsenter", "--net="+namespace, "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(commands + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip: %v: %s\n%s", err, out, commands)
	}
}

// denyNames answers every query: there is no such name.
func denyNames(conn net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, client, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		const answer, recursion, noSuchName = 0x80, 0x80, 3
		buf[2] |= answer
		buf[3] = recursion | noSuchName
		buf[11] = 0 // no additional record, where EDNS was
		_, _ = conn.WriteTo(buf[:12+questionLength(buf[12:n])], client)
	}
}

// questionLength is the length of a query's question: labels, type and class.
func questionLength(text []byte) int {
	i := 0
	for i < len(text) && text[i] != 0 {
		i += 1 + int(text[i])
	}
	return min(i+5, len(text))
}

// do runs job on a thread in the namespace. Go ends the thread of a goroutine that
// ends locked.
func (o *outside) do(job func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			file, err := os.Open(o.path)
			if err != nil {
				return err
			}
			defer file.Close()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering %s: %w", o.path, err)
			}
			return job()
		}()
	}()
	return <-done
}

// dial connects to a port of the host from a client's address, which the outside
// takes if it has not got it yet.
func (o *outside) dial(t *testing.T, from, port string) (net.Conn, error) {
	t.Helper()
	addr := netip.MustParseAddr(from)
	o.ip(t, fmt.Sprintf("address replace %s/32 dev wire", addr))
	dialer := net.Dialer{Timeout: 20 * time.Second, LocalAddr: &net.TCPAddr{IP: addr.AsSlice()}}
	var conn net.Conn
	err := o.do(func() (err error) {
		conn, err = dialer.DialContext(context.Background(), "tcp4", net.JoinHostPort(serverAddr, port))
		return err
	})
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(time.Minute))
	}
	return conn, err
}
