package event

import (
	"net/netip"
	"time"
)

// Scope is the type of an alert's value. The spelling is CrowdSec's
// (pkg/types/constants.go, v1.7.8).
type Scope string

// The scopes that csmail uses.
const (
	ScopeIP    Scope = "Ip"
	ScopeRange Scope = "Range"

	// ScopeAccount is one login name, tried from many addresses. Only csmail uses this
	// scope: no profile of CrowdSec names it and no bouncer enforces it.
	ScopeAccount Scope = "Username"
)

// Alert is a finding about one source, ready to be sent to CrowdSec.
type Alert struct {
	Scenario string // csmail/…
	Scope    Scope
	Source   netip.Addr // of ScopeIP; any address in the network of ScopeRange
	Bits     int        // the network's prefix length; 0: 24 of IPv4, 64 of IPv6
	Account  string     // of ScopeAccount, else ""
	Count    int        // attempts that counted
	First    time.Time  // of the first and the last event that counted
	Last     time.Time
	Message  string // may be shown to anyone: no user name, no mail address

	Kinds    []Count  // how often each kind
	Services []string // sorted
	Evidence []Event  // a sample in the order of time, oldest first

	// Informational alerts are for a person to read and ask for no decision.
	Informational bool

	// Checks lists the guard's checks that the alert passed, in plain text without user
	// names.
	Checks []string
}

// Count is how often something was seen.
type Count struct {
	Name string
	N    int
}
