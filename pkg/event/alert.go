package event

import (
	"net/netip"
	"time"
)

// Scope says what the value of an alert is. The spelling is CrowdSec's
// (pkg/types/constants.go, v1.7.8).
type Scope string

// The scopes that csmail uses.
const (
	ScopeIP    Scope = "Ip"
	ScopeRange Scope = "Range"

	// ScopeAccount is one login name, tried from many addresses. It is a scope of
	// our own: no profile of CrowdSec's knows it and no bouncer enforces it.
	ScopeAccount Scope = "Username"
)

// Alert is a finding about one source, ready to be told to CrowdSec.
type Alert struct {
	Scenario string // csmail/…
	Scope    Scope
	Source   netip.Addr // of ScopeIP; any address in the network of ScopeRange
	Bits     int        // the network's prefix length; 0: 24 of IPv4, 64 of IPv6
	Account  string     // of ScopeAccount, else ""
	Count    int        // attempts that counted
	First    time.Time  // of the first and the last event that counted
	Last     time.Time
	Message  string // for everybody: no user name, no mail address

	Kinds    []Count  // how often each kind
	Services []string // sorted
	Evidence []Event  // a sample in the order of time, oldest first

	// Informational alerts tell a person and ask for no decision.
	Informational bool

	// Checks are what the guard looked at before it let the alert pass, in words
	// for a person and without user names.
	Checks []string
}

// Count is how often something was seen.
type Count struct {
	Name string
	N    int
}
