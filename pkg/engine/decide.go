package engine

import (
	"net/netip"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// decide puts overflows before the guard, those of one bucket together. A bucket all
// of whose findings are held listens on: what it hears next is judged as well, and
// told of if it is no longer held.
func (j *Judge) decide(overflows []bucket.Overflow, now time.Time) {
	for len(overflows) > 0 {
		n := 1
		for n < len(overflows) && overflows[n].Scenario == overflows[0].Scenario && overflows[n].Blackhole == overflows[0].Blackhole {
			n++
		}
		if j.decideBucket(overflows[:n], now) {
			j.buckets.Held(overflows[0].Blackhole)
		}
		overflows = overflows[n:]
	}
}

// decideBucket reports whether all overflows of a bucket are held. The six addresses
// of one /64 that fill a bucket together make one finding about the /64, unless a ban
// must not hit all of it.
func (j *Judge) decideBucket(overflows []bucket.Overflow, now time.Time) (held bool) {
	single := false // the one before bans no more than its address
	held = true
	for i := range overflows {
		o := &overflows[i]
		if i > 0 && !single && isSameBlock(&overflows[i-1], o) {
			continue
		}
		f := findingOf(o)
		v := j.guard.Decide(f, now)
		single = v.Action == guard.Ban && !v.Widen.IsValid()
		held = held && v.Action == guard.Hold && !v.Pending
		switch {
		case v.Pending:
			j.waiting[keyOf(f)] = waiting{alertOf(o), f.Needed, o.Blackhole}
		case v.Action == guard.Hold && o.Blackhole.IsAgain(): // it was told of when the blackhole began
		default:
			j.add(alertOf(o), v, f.Needed, now)
		}
	}
	return held
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

// moved gives rulings that a record has brought about its time, to the fraction. All
// others are at whole seconds, so that they do not depend on which line of a second is
// the first to show that the time has come.
func moved(rulings []guard.Ruling, now time.Time) []guard.Ruling {
	for i := range rulings {
		if rulings[i].At.Unix() == now.Unix() {
			rulings[i].At = now
		}
	}
	return rulings
}

// settle adds the findings about which the guard has come to its last word.
func (j *Judge) settle(rulings []guard.Ruling) {
	for _, r := range rulings {
		key := keyOf(r.Finding)
		w, known := j.waiting[key]
		if !known {
			continue // forgiven in the meantime
		}
		delete(j.waiting, key)
		if r.Verdict.Action == guard.Hold {
			j.buckets.Held(w.Blackhole)
			if w.Blackhole.IsAgain() {
				continue
			}
		}
		j.add(w.Alert, r.Verdict, w.Needed, r.At)
	}
}

// add adds a finding. No verdict comes before what it is about, though a line may
// come late.
func (j *Judge) add(a event.Alert, v guard.Verdict, needed int, at time.Time) {
	if at.Before(a.Last) {
		at = a.Last
	}
	a = rule(a, v)
	if j.tells {
		a = Describe(a)
	}
	j.findings = append(j.findings, Finding{Alert: a, Verdict: v, Needed: needed, At: at})
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
		network = event.WidenToBlock(network)
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
