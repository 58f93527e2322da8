package engine

import (
	"net/netip"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// decide asks the guard about overflows, those of one bucket together. If all findings of
// a bucket are held, its blackhole is lifted: its next overflow is judged too, and
// reported if it is no longer held.
func (j *Judge) decide(overflows []bucket.Overflow, now time.Time) {
	for len(overflows) > 0 {
		n := 1
		for n < len(overflows) && overflows[n].Scenario == overflows[0].Scenario && overflows[n].Blackhole == overflows[0].Blackhole {
			n++
		}
		if v, held := j.decideBucket(overflows[:n], now); held {
			o := &overflows[0]
			j.buckets.Held(o.Blackhole, kept(&v, o.First, o.Kinds, o.Addr))
		}
		overflows = overflows[n:]
	}
}

// kept returns what a bucket keeps of a finding that is held: the attempts that count all
// the same.
func kept(v *guard.Verdict, first time.Time, kinds []event.Count, addr netip.Addr) bucket.Kept {
	k := bucket.Kept{First: first, Kind: firstKind(kinds), Addr: addr}
	for _, a := range v.Counted {
		k.Attempts = append(k.Attempts, bucket.Attempt(a))
	}
	for _, value := range v.Values {
		k.Values = append(k.Values, bucket.Value{Account: value.Account, Addr: value.Addr, First: bucket.Attempt(value.First), At: value.At})
	}
	return k
}

// decideBucket reports whether all overflows of a bucket are held, and returns the verdict on
// the last one, with the attempts that count all the same. If six addresses of
// one /64 fill a bucket together, the finding is about the /64, unless a ban must not hit
// all of it.
func (j *Judge) decideBucket(overflows []bucket.Overflow, now time.Time) (last guard.Verdict, held bool) {
	single := false // the ban before is for a single address
	held = true
	for i := range overflows {
		o := &overflows[i]
		if i > 0 && !single && isSameBlock(&overflows[i-1], o) {
			continue
		}
		f := findingOf(o)
		v := j.guard.Decide(f, now)
		single = v.Action == guard.Ban && !v.Widen.IsValid()
		last, held = v, held && v.Action == guard.Hold && !v.Pending
		switch {
		case v.Pending:
			j.waiting[keyOf(f)] = waiting{alertOf(o), f.Needed, o.Blackhole}
		case v.Action == guard.Hold && o.Blackhole.IsAgain(): // it was reported when the blackhole began
		default:
			j.add(alertOf(o), v, f.Needed, now)
		}
	}
	return last, held
}

// firstKind returns the kind of the first count.
func firstKind(kinds []event.Count) event.Kind {
	for _, k := range event.Kinds() {
		if len(kinds) > 0 && kinds[0].Name == k.String() {
			return k
		}
	}
	return event.NoKind
}

// isSameBlock reports whether the guard would widen two overflows of one bucket to the
// same /64.
func isSameBlock(a, b *bucket.Overflow) bool {
	if a.Scenario != b.Scenario || scopeOf(a) != event.ScopeIP || scopeOf(b) != event.ScopeIP || !a.Addr.Is6() || !b.Addr.Is6() {
		return false
	}
	block, err := a.Addr.Prefix(64)
	return err == nil && block.Contains(b.Addr)
}

// moved sets the time of rulings that a record caused to that of the record, with its
// fraction. All other rulings are at whole seconds, so that they do not depend on the
// first line of a second.
func moved(rulings []guard.Ruling, now time.Time) []guard.Ruling {
	for i := range rulings {
		if rulings[i].At.Unix() == now.Unix() {
			rulings[i].At = now
		}
	}
	return rulings
}

// settle adds the findings with final verdicts of the guard.
func (j *Judge) settle(rulings []guard.Ruling) {
	for _, r := range rulings {
		key := keyOf(r.Finding)
		w, known := j.waiting[key]
		if !known {
			continue // forgiven meanwhile
		}
		delete(j.waiting, key)
		if r.Verdict.Action == guard.Hold {
			j.buckets.Held(w.Blackhole, kept(&r.Verdict, w.Alert.First, w.Alert.Kinds, w.Alert.Source))
			if w.Blackhole.IsAgain() {
				continue
			}
		}
		j.add(w.Alert, r.Verdict, w.Needed, r.At)
	}
}

// add adds a finding. Its verdict is never earlier than its last event, even if a line
// comes late.
func (j *Judge) add(a event.Alert, v guard.Verdict, needed int, at time.Time) {
	if at.Before(a.Last) {
		at = a.Last
	}
	a = rule(a, v)
	if j.explains {
		a = Describe(a)
	}
	j.findings = append(j.findings, Finding{Alert: a, Verdict: v, Needed: needed, At: at})
}

// waitKey identifies a pending finding. As in the guard, a newer finding of the same
// scenario about the same source replaces it.
type waitKey struct {
	scenario string
	scope    event.Scope
	network  netip.Prefix // of an address its own, of an IPv6 address its /64
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

// keyOf returns the key of the guard's finding.
func keyOf(f guard.Finding) waitKey {
	network := f.Network.Masked()
	if f.Scope != event.ScopeRange {
		network = netip.PrefixFrom(f.Addr, f.Addr.BitLen())
	}
	return waitKeyOf(f.Scenario, f.Scope, network, f.Account)
}

// key returns the key of a pending alert, equal to keyOf of its finding.
func (w waiting) key() waitKey {
	return waitKeyOf(w.Alert.Scenario, w.Alert.Scope, Network(w.Alert), w.Alert.Account)
}
