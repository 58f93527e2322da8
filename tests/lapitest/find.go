package lapitest

import (
	"fmt"
	"os"
	"path/filepath"

	"csmail/pkg/hint"
)

// Release names one of the CrowdSec releases that the tests run against.
type Release string

// The releases.
const (
	Current Release = "1.7.8" // built by tests/crowdsec/build.sh
	Legacy  Release = "1.4.6" // Debian 12's, unpacked by tests/crowdsec/debian.sh
)

// Find returns the options to start a release with its binaries, which it looks
// for under tests/crowdsec of the checkout that the working directory is in.
// Where they are missing, the error's hint says how to get them.
func Find(r Release) (Options, error) {
	root, err := checkout()
	if err != nil {
		return Options{}, err
	}
	dir, script := filepath.Join(root, "tests", "crowdsec", "bin"), "tests/crowdsec/build.sh"
	if r == Legacy {
		dir, script = filepath.Join(root, "tests", "crowdsec", "debian", "usr", "bin"), "tests/crowdsec/debian.sh"
	}
	o := Options{Crowdsec: filepath.Join(dir, "crowdsec"), Cscli: filepath.Join(dir, "cscli")}
	if r == Legacy {
		o.Profiles = legacyProfiles
	}
	for _, path := range []string{o.Crowdsec, o.Cscli} {
		if _, err := os.Stat(path); err != nil {
			return Options{}, hint.Wrap(fmt.Errorf("crowdsec %s: %w", r, err), "run %s", script)
		}
	}
	return o, nil
}

// FindFirewallBouncer returns the path of Debian's crowdsec-firewall-bouncer.
func FindFirewallBouncer() (string, error) {
	root, err := checkout()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "tests", "crowdsec", "debian", "usr", "bin", "crowdsec-firewall-bouncer")
	if _, err := os.Stat(path); err != nil {
		return "", hint.Wrap(fmt.Errorf("crowdsec-firewall-bouncer: %w", err), "run tests/crowdsec/debian.sh")
	}
	return path, nil
}

// checkout returns the folder above the working directory that holds
// tests/crowdsec/go.mod.
func checkout() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tests", "crowdsec", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no tests/crowdsec/go.mod in %q or above it", start)
		}
	}
}
