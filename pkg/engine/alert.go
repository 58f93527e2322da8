package engine

import (
	"fmt"
	"strconv"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// Finding is an overflow of a scenario with the guard's verdict.
type Finding struct {
	Alert   event.Alert
	Verdict guard.Verdict
	Needed  int // attempts, or distinct values, that the scenario needs

	// At is the time of the verdict: that of the overflow, or the end of the wait for
	// evidence. A ban begins then, not with the events that led to it.
	At time.Time
}

// alertOf makes the alert of an overflow. It names a user only as the value of an alert
// on an account.
func alertOf(o *bucket.Overflow) event.Alert {
	a := event.Alert{
		Scenario: o.Scenario.Name, Scope: scopeOf(o), Source: o.Addr, Account: o.Account,
		Count: o.Count, First: o.First, Last: o.Last,
		Kinds: o.Kinds, Services: o.Services,
		Evidence:      o.Evidence,
		Informational: !o.Scenario.Labels.Remediation,
	}
	if a.Scope == event.ScopeRange {
		a.Source = o.Network.Addr()
		if usual := (event.Alert{Scope: a.Scope, Source: a.Source}); usual.Value() != o.Network.String() {
			a.Bits = o.Network.Bits()
		}
	}
	return a
}

// scopeOf returns the scope of an overflow.
func scopeOf(o *bucket.Overflow) event.Scope {
	switch {
	case o.Account != "":
		return event.ScopeAccount
	case o.Network.IsValid():
		return event.ScopeRange
	}
	return event.ScopeIP
}

// findingOf returns an overflow as a question to the guard.
func findingOf(o *bucket.Overflow) guard.Finding {
	s := o.Scenario
	return guard.Finding{
		Scenario: s.Name, Scope: scopeOf(o), Addr: o.Addr, Network: o.Network, Account: o.Account, Sources: o.Sources,
		Kinds: guard.Kinds(s.Kinds), Needed: s.Capacity + 1, Leak: s.LeakSpeed,
		Distinct: s.CountsAccounts(), Addresses: s.CountsNames && s.CountsAddresses(),
		First: o.First, Last: o.Last, Informational: !s.Labels.Remediation,
	}
}

// rule applies the verdict to the alert: it widens an IPv6 address to its /64, and adds
// the guard's checks.
func rule(a event.Alert, v guard.Verdict) event.Alert {
	if v.Widen.IsValid() && a.Scope == event.ScopeIP {
		a.Scope, a.Source = event.ScopeRange, v.Widen.Addr()
	}
	a.Checks = v.Checks
	return a
}

// Describe returns the alert with its message, which follows from its other fields.
func Describe(a event.Alert) event.Alert {
	a.Message = message(a)
	return a
}

// message describes an alert in one line. It may reach CrowdSec's central API, so it
// names no user.
func message(a event.Alert) string {
	if a.Scenario == BreakIn {
		return breakInMessage(a)
	}
	text := make([]byte, 0, 160)
	if a.Scope == event.ScopeAccount {
		text = append(text, "an account saw "...)
	} else {
		text = append(append(text, a.Value()...), " made "...)
	}
	for i, k := range a.Kinds {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = strconv.AppendInt(text, int64(k.N), 10)
		text = append(append(text, " × "...), k.Name...)
	}
	text = append(text, " on "...)
	for i, service := range a.Services {
		if i > 0 {
			text = append(text, " and "...)
		}
		text = append(text, service...)
	}
	text = append(append(text, " within "...), span(a.Last.Sub(a.First))...)
	return string(append(append(append(text, " ("...), a.Scenario...), ')'))
}

// span returns a time span in the usual short form, for example 12s, 5m, 11h or 3d.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return d.Round(time.Second).String()
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}
