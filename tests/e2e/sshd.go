//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// sshUsers may log in with ssh, all with sshPassword: denied and locked may not.
var sshUsers = []string{"tess", "denied", "locked"}

const sshPassword = "silver-anchor"

// writeSSHD writes the configuration of the wide server's sshd, with a host key
// of this run and users of its own.
func writeSSHD(cfg serverConfig) error {
	if !cfg.Wide {
		return nil
	}
	etc := filepath.Join(cfg.Dir, "etc")
	for _, sub := range []string{"ssh", "pam.d"} {
		if err := os.Mkdir(filepath.Join(etc, sub), 0o755); err != nil {
			return err
		}
	}
	key := filepath.Join(etc, "ssh", "host_key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key).CombinedOutput(); err != nil {
		return fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	if err := writeUsers(etc); err != nil {
		return err
	}
	if err := writeFiles(filepath.Join(etc, "pam.d"), map[string]string{"sshd": pamService, "dovecot": pamService, "other": pamOther}); err != nil {
		return err
	}
	config := sshdConfig
	if cfg.Root != "" {
		config += penalties
	}
	return writeFiles(filepath.Join(etc, "ssh"), map[string]string{"sshd_config": config})
}

// writeUsers appends the users to the server's copies of passwd and shadow.
func writeUsers(etc string) error {
	hash, err := exec.Command("openssl", "passwd", "-6", sshPassword).Output()
	if err != nil {
		return fmt.Errorf("openssl passwd: %w", err)
	}
	passwd, err := os.ReadFile(filepath.Join(etc, "passwd"))
	if err != nil {
		return err
	}
	rows, shadow := string(passwd), ""
	for i, name := range sshUsers {
		rows += fmt.Sprintf("%s:x:%d:65534::/:/bin/sh\n", name, 2000+i)
		word := strings.TrimSpace(string(hash))
		if name == "locked" {
			word = "!" + word
		}
		shadow += fmt.Sprintf("%s:%s:20000:0:99999:7:::\n", name, word)
	}
	return writeFiles(etc, map[string]string{"passwd": rows, "shadow": shadow})
}

const pamService = `
auth     required pam_unix.so nodelay
account  required pam_unix.so
session  required pam_unix.so
`

const pamOther = `
auth    required pam_deny.so
account required pam_deny.so
`

// One client may open two connections before a login: the third is dropped.
const sshdConfig = `
HostKey /etc/ssh/host_key
UsePAM yes
PasswordAuthentication yes
KbdInteractiveAuthentication yes
MaxAuthTries 3
LoginGraceTime 6
MaxStartups 60
PerSourceMaxStartups 2
DenyUsers denied
PrintMotd no
PidFile none
`

// penalties (OpenSSH 9.8) shut a client out that fails twice in a row.
const penalties = "PerSourcePenalties authfail:9s min:15s\n"
