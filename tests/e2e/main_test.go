//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the server's process: see [startServer].
func TestMain(m *testing.M) {
	if dir := os.Getenv(serverEnv); dir != "" {
		if err := serverMain(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := checkMachine(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func checkMachine() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("must run as root: the tests make network namespaces and start mail servers in them")
	}
	for _, program := range []string{
		"postfix", "dovecot", "/usr/sbin/sshd", "ssh", "ssh-keygen", "openssl", "ip", "nsenter", "journalctl", "/lib/systemd/systemd-journal-remote",
		"systemd-analyze", "setpriv", "unshare", "nft", "ipset", "iptables",
	} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing: run tests/e2e/install.sh", program)
		}
	}
	return nil
}
