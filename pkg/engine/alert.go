package engine

import (
	"fmt"
	"strconv"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// Finding is an overflow of a scenario with the guard's word on it.
type Finding struct {
	Alert   event.Alert
	Verdict guard.Verdict
	Needed  int // attempts, or distinct values, that the scenario asks for

	// At is when the guard said so: with the overflow, or when the wait for evidence
	// was over. A ban begins then and not with what led to it.
	At time.Time
}

// alertOf makes the alert of an overflow. It names no user but as the value of
// an account's alert.
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

func scopeOf(o *bucket.Overflow) event.Scope {
	switch {
	case o.Account != "":
		return event.ScopeAccount
	case o.Network.IsValid():
		return event.ScopeRange
	}
	return event.ScopeIP
}

// findingOf puts an overflow before the guard.
func findingOf(o *bucket.Overflow) guard.Finding {
	s := o.Scenario
	return guard.Finding{
		Scenario: s.Name, Scope: scopeOf(o), Addr: o.Addr, Network: o.Network, Account: o.Account, Sources: o.Sources,
		Kinds: guard.Kinds(s.Kinds), Needed: s.Capacity + 1, Distinct: s.CountsAccounts(), Leak: s.LeakSpeed,
		First: o.First, Last: o.Last, Informational: !s.Labels.Remediation,
	}
}

// rule lets the verdict shape the alert: an IPv6 address is widened to its /64,
// and what the guard looked at goes along.
func rule(a event.Alert, v guard.Verdict) event.Alert {
	if v.Widen.IsValid() && a.Scope == event.ScopeIP {
		a.Scope, a.Source = event.ScopeRange, v.Widen.Addr()
	}
	a.Checks = v.Checks
	return a
}

// Describe returns the alert with the message that its other fields make.
func Describe(a event.Alert) event.Alert {
	a.Message = message(a)
	return a
}

// message says in one line who did what. It may reach CrowdSec's central API, so
// it names no user.
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

// span writes a time span as people do: 12s, 5m, 11h, 3d.
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
