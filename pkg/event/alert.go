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
)

// Alert is a finding about one source, ready to be told to CrowdSec.
type Alert struct {
	Scenario string // csmail/…
	Scope    Scope
	Source   netip.Addr
	Count    int       // attempts that counted
	First    time.Time // of the first and the last event that counted
	Last     time.Time
	Message  string // for everybody: no user name, no mail address

	Kinds    []Count  // how often each kind
	Services []string // sorted
	Evidence []Event  // a sample in the order of time, oldest first
}

// Count is how often something was seen.
type Count struct {
	Name string
	N    int
}
