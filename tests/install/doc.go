// Package install runs the life of csmail on a real host: Debian booted with
// systemd as PID 1 in namespaces of its own, with the distribution's Postfix and
// Dovecot as shipped, journald, rsyslog and the real CrowdSec under its own unit.
// csmail is installed from its package, set up, attacked, upgraded and purged
// there.
//
// It needs root, Debian, the root file systems that tests/e2e/booted.sh makes, and
// the tag e2e. The root file systems are never written: each host has a layer of
// its own above them. No network but that between the host and its attackers is
// used, and everything ends with the test.
package install
