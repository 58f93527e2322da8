//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"csmail/tests/lapitest"
)

// bouncerConf is that of Debian's crowdsec-firewall-bouncer, which asks each
// second.
const bouncerConf = `mode: %[1]s
update_frequency: 1s
daemonize: false
log_mode: stdout
log_level: info
api_url: http://%[2]s/
api_key: %[3]s
deny_action: DROP
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
ipset_type: nethash
iptables_chains: [INPUT]
nftables:
  ipv4: {enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain}
  ipv6: {enabled: true, set-only: false, table: crowdsec6, chain: crowdsec6-chain}
prometheus: {enabled: false}
`

// firewall is a mode of the bouncer, and how to ask what is in its sets.
type firewall struct {
	mode string
	sets [][]string
}

// Of Debian 12's bouncer only the sets of ipset hold ranges.
func nftables() firewall {
	return firewall{"nftables", [][]string{{"nft", "list", "set", "ip", "crowdsec", "crowdsec-blacklists"}, {"nft", "list", "set", "ip6", "crowdsec6", "crowdsec6-blacklists"}}}
}

func ipset() firewall {
	return firewall{"iptables", [][]string{{"ipset", "list", "crowdsec-blacklists"}, {"ipset", "list", "crowdsec6-blacklists"}}}
}

// bouncer is Debian's firewall bouncer in the server's network.
type bouncer struct {
	*child
	firewall
	ns *netns
}

// startBouncer starts it with a key of the LAPI, which listens at address in that
// network.
func startBouncer(ns *netns, kind firewall, dir, address, key string) (*bouncer, error) {
	program, err := lapitest.FindFirewallBouncer()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "bouncer.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, bouncerConf, kind.mode, address, key), 0o600); err != nil {
		return nil, err
	}
	process, err := startChild(ns, exec.Command(program, "-c", config))
	if err != nil {
		return nil, err
	}
	return &bouncer{process, kind, ns}, nil
}

// blocks tells whether an element of the firewall's sets is that address or range.
func (b *bouncer) blocks(source string) (bool, error) {
	for _, set := range b.sets {
		var out []byte
		var err error
		b.ns.do(func() { out, err = exec.Command(set[0], set[1:]...).CombinedOutput() })
		if bytes.Contains(out, []byte("No such file")) || bytes.Contains(out, []byte("does not exist")) {
			continue // the bouncer has not made it yet
		}
		if err != nil {
			return false, fmt.Errorf("%v: %w: %s", set, err, out)
		}
		if slices.ContainsFunc(strings.Fields(string(out)), func(word string) bool { return strings.TrimRight(word, ",") == source }) {
			return true, nil
		}
	}
	return false, nil
}

// child is a program that runs in a network namespace, and dies with the thread
// that holds that.
type child struct {
	cmd  *exec.Cmd
	out  lockedBuffer
	done chan struct{}
}

func startChild(ns *netns, cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &c.out, &c.out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	var err error
	ns.do(func() { err = cmd.Start() })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	go func() {
		defer close(c.done)
		_ = cmd.Wait() // how it ended stands in its output
	}()
	return c, nil
}

// stop asks the program to end, and waits for that.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // an ended process is what we want
	<-c.done
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// forwarder carries connections from a listener to a LAPI that is in another
// network.
type forwarder struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	conns []net.Conn
	group sync.WaitGroup
}

// forward listens on loopback of the namespace.
func forward(ns *netns, target string) (*forwarder, error) {
	listener, err := ns.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &forwarder{listener: listener, target: target}
	f.group.Go(f.accept)
	return f, nil
}

func (f *forwarder) address() string { return f.listener.Addr().String() }

func (f *forwarder) accept() {
	for {
		from, err := f.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", f.target)
		if err != nil {
			_ = from.Close()
			continue
		}
		f.mu.Lock()
		f.conns = append(f.conns, from, to)
		f.mu.Unlock()
		f.group.Go(func() { carry(from, to) })
		f.group.Go(func() { carry(to, from) })
	}
}

func carry(from, to net.Conn) {
	_, _ = io.Copy(to, from) // either side may end it
	_, _ = from.Close(), to.Close()
}

func (f *forwarder) close() error {
	err := f.listener.Close()
	f.mu.Lock()
	for _, c := range f.conns {
		if closeErr := c.Close(); !errors.Is(closeErr, net.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}
	f.mu.Unlock()
	f.group.Wait()
	return err
}
