//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// hostConf is a configuration of csmail run that knows this folder and nothing
// of the machine.
const hostConf = `lapi: {credentials: %[2]q}
sources: [{source: file, filenames: [%[3]q], timezone: UTC}]
state: %[1]s/csmail.db
socket: %[1]s/csmail.sock
`

// writeHost writes csmail's configuration into dir, and a Postfix configuration
// that names the lab's networks and not this machine's.
func writeHost(t *testing.T, dir, credentials, log string) (config string) {
	t.Helper()
	write(t, dir, "csmail.yaml", fmt.Appendf(nil, hostConf, dir, credentials, log))
	write(t, dir, "main.cf", []byte("mynetworks = 127.0.0.0/8 [::1]/128\n"))
	return filepath.Join(dir, "csmail.yaml")
}

// csmailCommand is a command of csmail with that configuration; -c and postconf
// look beside it.
func csmailCommand(program, config, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, append([]string{name, "-c", config}, args...)...)
	cmd.Dir = filepath.Dir(config)
	cmd.Env = append(os.Environ(), "TZ=UTC", "MAIL_CONFIG="+cmd.Dir)
	return cmd
}
