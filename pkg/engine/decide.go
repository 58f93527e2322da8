package engine

import (
	"net/netip"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// decide puts overflows before the guard. The six addresses of one /64 that fill
// a bucket together make one finding about the /64, unless a ban must not hit all
// of it.
func (e *Engine) decide(overflows []bucket.Overflow, now time.Time) {
	single := false // the one before bans no more than its address
	for i := range overflows {
		o := &overflows[i]
		if i > 0 && !single && isSameBlock(&overflows[i-1], o) {
			continue
		}
		f := findingOf(o)
		alert := alertOf(o)
		v := e.guard.Decide(f, now)
		single = v.Action == guard.Ban && !v.Widen.IsValid()
		if v.Pending {
			e.waiting[keyOf(f)] = waiting{alert, f.Needed}
			continue
		}
		e.add(alert, v, f.Needed, now)
	}
}

// isSameBlock knows two overflows of one bucket that the guard would widen to
// one /64.
func isSameBlock(a, b *bucket.Overflow) bool {
	if a.Scenario != b.Scenario || scopeOf(a) != event.ScopeIP || scopeOf(b) != event.ScopeIP || !a.Addr.Is6() || !b.Addr.Is6() {
		return false
	}
	block, err := a.Addr.Prefix(64)
	return err == nil && block.Contains(b.Addr)
}

// settle adds the findings about which the guard has come to its last word by now.
// It counts whole seconds: what came in this one came now.
func (e *Engine) settle(rulings []guard.Ruling, now time.Time) {
	for _, r := range rulings {
		key := keyOf(r.Finding)
		w, known := e.waiting[key]
		if !known {
			continue // forgiven in the meantime
		}
		delete(e.waiting, key)
		if r.At.Unix() == now.Unix() {
			r.At = now
		}
		e.add(w.Alert, r.Verdict, w.Needed, r.At)
	}
}

// add adds a finding. No verdict comes before what it is about, though a line may
// come late.
func (e *Engine) add(a event.Alert, v guard.Verdict, needed int, at time.Time) {
	if at.Before(a.Last) {
		at = a.Last
	}
	a = rule(a, v)
	if e.tells {
		a = Describe(a)
	}
	e.findings = append(e.findings, Finding{Alert: a, Verdict: v, Needed: needed, At: at})
}

// waitKey is what a finding waits under: as with the guard, a newer one of the same
// scenario about the same source takes the place of the older.
type waitKey struct {
	scenario string
	scope    event.Scope
	network  netip.Prefix // of an address that one; of an address of IPv6 its /64
	account  string
}

func waitKeyOf(scenario string, scope event.Scope, network netip.Prefix, account string) waitKey {
	if scope == event.ScopeAccount {
		return waitKey{scenario: scenario, scope: scope, account: account}
	}
	if scope != event.ScopeRange {
		network = atLeast64(network)
	}
	return waitKey{scenario: scenario, scope: scope, network: network}
}

func keyOf(f guard.Finding) waitKey {
	network := f.Network.Masked()
	if f.Scope != event.ScopeRange {
		network = netip.PrefixFrom(f.Addr, f.Addr.BitLen())
	}
	return waitKeyOf(f.Scenario, f.Scope, network, f.Account)
}

func (w waiting) key() waitKey {
	return waitKeyOf(w.Alert.Scenario, w.Alert.Scope, Network(w.Alert), w.Alert.Account)
}
