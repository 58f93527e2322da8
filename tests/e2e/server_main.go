//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	serverEnv   = "CSMAIL_E2E_SERVER" // set: this process is the server, and this is its folder
	serverReady = "ready"
	hostName    = "mx1"
	serverV4    = "192.0.2.25"
	serverV6    = "2001:db8:25::25"
	startWait   = 60 * time.Second
)

// serverMain is the server's process: pid 1 in namespaces of its own. It
// returns when its standard input ends or a daemon dies.
func serverMain(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "server.json"))
	if err != nil {
		return err
	}
	var cfg serverConfig
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return fmt.Errorf("server configuration: %w", err)
	}
	if err := syscall.Sethostname([]byte(hostName)); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if err := mountAll(cfg); err != nil {
		return err
	}
	if err := serverNetwork(cfg.Zone); err != nil {
		return err
	}
	if err := enter(cfg.Root); err != nil {
		return err
	}
	died := make(chan error, 1)
	if err := startDaemons(cfg, died); err != nil {
		return err
	}
	fmt.Println(serverReady)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the test lets go, or is gone
		died <- nil
	}()
	return <-died
}

func serverNetwork(z *zone) error {
	err := runIP([]string{
		"link set lo up",
		"link add br0 type bridge",
		"addr add " + serverV4 + "/32 dev br0",
		"addr add " + serverV6 + "/128 dev br0 nodad",
		"link set br0 up",
		"route add 203.0.113.0/24 dev br0 src " + serverV4,
		"route add 198.51.100.0/24 dev br0 src " + serverV4,
		"route add 2001:db8::/32 dev br0 src " + serverV6,
	})
	if err != nil {
		return fmt.Errorf("server network: %w", err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		return fmt.Errorf("dns server: %w", err)
	}
	go z.serve(conn)
	return nil
}

// startDaemons starts Postfix, then Dovecot, whose login socket for Postfix lies
// in Postfix's queue directory.
func startDaemons(cfg serverConfig, died chan<- error) error {
	daemons := map[int]string{}
	start := func(ports []string, command ...string) error {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "LC_ALL=C"}
		cmd.Stdout, cmd.Stderr, cmd.Dir = os.Stderr, os.Stderr, cfg.Dir
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("%s: %w", command[0], err)
		}
		daemons[cmd.Process.Pid] = command[0]
		return waitListening(ports...)
	}
	if err := start([]string{"25", "587"}, "postfix", "start-fg"); err != nil {
		return err
	}
	if err := start([]string{portIMAP, portPOP3}, "dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf"); err != nil {
		return err
	}
	if cfg.Wide {
		if err := startWide(start, died); err != nil {
			return err
		}
	}
	go reap(daemons, died)
	return nil
}

func startWide(start func(ports []string, command ...string) error, died chan<- error) error {
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return err
	}
	if err := start([]string{portSSH}, "/usr/sbin/sshd", "-D", "-f", "/etc/ssh/sshd_config"); err != nil {
		return err
	}
	if err := serveMilter(died); err != nil {
		return err
	}
	return serveHangup(died)
}

// reap does pid 1's duty, and tells when one of the named daemons ends.
func reap(daemons map[int]string, died chan<- error) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if name, ok := daemons[pid]; ok || err != nil {
			died <- fmt.Errorf("%s ended: status %d: %v", name, status.ExitStatus(), err)
			return
		}
	}
}

// waitListening looks into the kernel's tables instead of connecting: a
// connection of ours would stand in the log.
func waitListening(ports ...string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(startWait)
	for ; ; <-tick.C {
		missing := notListening(ports)
		if missing == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nothing listens on port %s after %v", missing, startWait)
		}
	}
}

func notListening(ports []string) string {
	v4, _ := os.ReadFile("/proc/self/net/tcp")
	v6, _ := os.ReadFile("/proc/self/net/tcp6")
	for _, port := range ports {
		for _, table := range [][]byte{v4, v6} {
			if !listens(string(table), port) {
				return port
			}
		}
	}
	return ""
}

// listens looks for a socket in state 0A, LISTEN, on the port.
func listens(table, port string) bool {
	var number int
	_, _ = fmt.Sscan(port, &number)
	suffix := fmt.Sprintf(":%04X", number)
	for row := range strings.Lines(table) {
		f := strings.Fields(row)
		if len(f) > 3 && strings.HasSuffix(f[1], suffix) && f[3] == "0A" {
			return true
		}
	}
	return false
}
