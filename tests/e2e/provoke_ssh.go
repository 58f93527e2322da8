//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const portSSH = "22"

// askpass answers ssh(1) instead of a person.
const askpass = "#!/bin/sh\nprintf '%s\\n' \"$CSMAIL_E2E_PASSWORD\"\n"

// ssh runs ssh(1) in the client's namespace. Options come before the user's.
func (c *Client) ssh(want bool, user, password string, options ...string) error {
	dir, err := os.MkdirTemp("", "csmail-e2e-ssh-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "askpass")
	if err := os.WriteFile(program, []byte(askpass), 0o700); err != nil {
		return err
	}
	target := serverV4
	if !c.isV4() {
		target = serverV6
	}
	args := append(options, "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
		"-o", "ConnectTimeout=10", "-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "NumberOfPasswordPrompts=3",
		"-l", user, target, "true")
	cmd := exec.Command("ssh", args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "SSH_ASKPASS=" + program, "SSH_ASKPASS_REQUIRE=force", "CSMAIL_E2E_PASSWORD=" + password}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	c.ns.do(func() { err = cmd.Start() })
	if err == nil {
		err = cmd.Wait()
	}
	if want != (err == nil) {
		return fmt.Errorf("ssh as %q: %v, expected success %v: %s", user, err, want, out.Bytes())
	}
	return nil
}

var (
	once     = []string{"-o", "NumberOfPasswordPrompts=1"}
	byPAM    = []string{"-o", "NumberOfPasswordPrompts=1", "-o", "PreferredAuthentications=keyboard-interactive"}
	noCommon = []string{"-o", "KexAlgorithms=diffie-hellman-group1-sha1"}
)

// guessSSH tries passwords: one a connection, as many as there are tries, and
// for users that do not exist.
func guessSSH(c *Client) error {
	for _, try := range []struct {
		user    string
		options []string
	}{
		{"tess", once},
		{"admin", once},
		{"tess", byPAM},
		{"root", nil},
		{"oracle", nil},
		{"", once},
	} {
		user := try.user
		if user == "" {
			user = "x from " + victim + " port 22 ssh2"
		}
		if err := c.ssh(false, user, "123456", try.options...); err != nil {
			return err
		}
	}
	return nil
}

// useSSH mistypes once, and logs in.
func useSSH(c *Client) error {
	return each(
		func() error { return c.ssh(false, "tess", "silver-ancor", once...) },
		func() error { return c.ssh(true, "tess", sshPassword) },
		func() error { return c.ssh(true, "tess", sshPassword, byPAM...) },
	)
}

func deniedSSH(c *Client) error {
	return each(
		func() error { return c.ssh(false, "denied", sshPassword, once...) },
		func() error { return c.ssh(false, "locked", sshPassword, once...) },
		func() error { return c.ssh(false, "x rhost="+victim+" user=root", "x", once...) },
	)
}

// probeSSH does all but log in: it hangs up, speaks another language, knows no
// common algorithm, opens more connections than it may, and lets the server wait.
func probeSSH(c *Client) error {
	return each(
		func() error { return c.blurt(portSSH, true, 0, "") },
		func() error { return c.blurt(portSSH, false, 0, "") },
		func() error { return c.blurt(portSSH, true, untilClosed, "GET /["+victim+"] HTTP/1.1\r\n\r\n") },
		func() error { return c.blurt(portSSH, true, 0, "SSH-2.0-probe from "+victim+" port 22\r\n") },
		func() error {
			return c.blurt(portSSH, true, untilClosed, "SSH-2.0-probe\r\n"+strings.Repeat("\x7f", 200))
		},
		func() error { return c.ssh(false, "tess", sshPassword, noCommon...) },
		c.crowdSSH,
	)
}

func (c *Client) crowdSSH() error {
	var open []net.Conn
	for range 4 {
		conn, err := c.connect(portSSH)
		if err != nil {
			return err
		}
		defer conn.Close()
		open = append(open, conn)
	}
	for _, conn := range open {
		if err := skipLines(conn, untilClosed); err != nil {
			return err
		}
	}
	return nil
}
