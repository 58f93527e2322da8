//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
)

// setup is which daemons the lab runs, and how.
type setup struct {
	Root      string // of another release's files; "" is the machine's own
	Dovecot24 bool   // that release's Dovecot has the configuration syntax of 2.4
	OwnLogs   bool   // the daemons write their own log files instead of using syslog
	Enforce   bool   // Postfix and Dovecot ask csmail
	Apart     string // the address of csmail, if it is another host's (a container's); "": it is this host's
	Wide      bool   // also the services that only [provocations] use
	Delays    bool   // Dovecot slows down guesses, as shipped
}

// release is a Debian whose daemons are recorded.
type release struct {
	name    string
	setup   setup
	samples string // the folder of its recordings, under tests/samples
}

// releases are this machine's Debian 12 and, if debian13.sh has brought it,
// Debian 13.
func releases() ([]release, error) {
	all := []release{{name: "debian12"}}
	root, err := filepath.Abs("debian13")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "usr", "sbin", "dovecot")); err == nil {
		all = append(all, release{name: "debian13", setup: setup{Root: root, Dovecot24: true}, samples: "debian13"})
	}
	return all, nil
}
