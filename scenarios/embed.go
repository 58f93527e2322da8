// Package scenarios holds the scenario files that csmail brings along, so that
// the binary needs no other file. They are CrowdSec scenario files; a stock
// CrowdSec agent loads them too. The package holds files and lists them; it
// reads none.
package scenarios

import (
	"embed"
	"slices"
)

// Files holds the folder csmail with every scenario.
//
//go:embed csmail/*.yaml
var Files embed.FS

// Logs holds the folder tests with the test logs of every scenario of [Files]:
// tests/NAME/over*.log and under*.log.
//
//go:embed tests
var Logs embed.FS

// Sets are the names under which a configuration may ask for scenarios of
// [Files] rather than for files of its own.
func Sets() []string { return []string{"balanced", "strict"} }

// Paths returns the files of a set within [Files], and false for a name that is
// none. The set strict holds the set balanced.
func Paths(set string) ([]string, bool) {
	balanced := []string{
		"csmail/account-under-attack.yaml", "csmail/auth-bf.yaml", "csmail/auth-slow-bf.yaml", "csmail/auth-spray.yaml",
		"csmail/dead-account.yaml", "csmail/nameless.yaml", "csmail/protocol-abuse.yaml", "csmail/range-bf.yaml",
		"csmail/refused-logins.yaml", "csmail/rejected-client.yaml", "csmail/relay-probe.yaml", "csmail/spambot.yaml", "csmail/user-harvesting.yaml",
	}
	switch set {
	case "balanced":
		return balanced, true
	case "strict":
		return slices.Concat(balanced, []string{"csmail/strict-auth.yaml", "csmail/strict-names.yaml", "csmail/strict-rejects.yaml"}), true
	}
	return nil, false
}
