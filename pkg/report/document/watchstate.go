package document

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"csmail/pkg/event"
)

// watchState is the content of a Watch as older releases encoded it, by encoding/gob.
type watchState struct {
	Accounts map[string]accountState
	Networks map[netip.Prefix]networkState
	Faults   map[string]faultState // by the name of the kind
	Values   []verdictsState
}

type accountState struct {
	FailedFrom  map[netip.Addr]int
	Failures    int
	LoggedIn    bool
	First, Last time.Time
	BreakIns    []breakInState
	From        []netip.Addr
}

type breakInState struct {
	Addr    netip.Addr
	At      time.Time
	Guesses int
}

type networkState struct {
	Accepted    int
	Refused     map[netip.Addr]int
	Lists       map[string]int
	Name        string
	First, Last time.Time
}

type faultState struct {
	Count       int
	Refused     int
	Clients     []netip.Addr
	First, Last time.Time
	Reasons     map[string]int
}

type verdictsState struct {
	Value            string
	Ban, Hold, Alert *Verdict
}

// restoreWatch returns a Watch that continues with the state.
func restoreWatch(counts func(*event.Event) bool, state watchState) *Watch {
	w := NewWatch(counts)
	for name, one := range state.Accounts {
		a := &account{failures: one.Failures, loggedIn: one.LoggedIn, first: one.First, last: one.Last, from: one.From}
		for addr := range one.FailedFrom {
			a.failedFrom.add(addr, maxPerItem)
		}
		w.tries += a.failedFrom.count
		for _, b := range one.BreakIns {
			a.breakIns = append(a.breakIns, breakIn{b.Addr, b.At, b.Guesses})
		}
		w.accounts[name] = a
	}
	for prefix, one := range state.Networks {
		n := &network{
			accepted: one.Accepted, listed: one.Lists[event.DNSBLListed.String()], nameless: one.Lists[event.NoHostname.String()],
			name: one.Name, first: one.First, last: one.Last,
		}
		for addr := range one.Refused {
			n.refused.add(addr, maxPerItem)
		}
		w.networks[prefix] = n
	}
	for name, one := range state.Faults {
		var kind event.Kind
		if kind.UnmarshalText([]byte(name)) != nil {
			continue // of another release
		}
		f := &fault{count: one.Count, refused: one.Refused, clients: map[netip.Addr]bool{}, first: one.First, last: one.Last, reasons: filled(one.Reasons)}
		for _, addr := range one.Clients {
			f.clients[addr] = true
		}
		w.faults[kind] = f
	}
	for _, one := range state.Values {
		w.values[one.Value] = &firstVerdicts{one.Ban, one.Hold, one.Alert}
		w.order = append(w.order, one.Value)
	}
	return w
}

// filled returns a map that can be written to, since gob leaves out empty ones.
func filled[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// merge adds the content of another Watch. Beyond the limits the rest is left out, as
// while lines come in.
func (w *Watch) merge(o *Watch) {
	for name, a := range o.accounts {
		most := maxTried
		if a.loggedIn || len(a.breakIns) > 0 {
			most = maxAccounts
		}
		if into := w.account(name, most); into != nil {
			before := into.failedFrom.count
			into.merge(a, w.mostTries(before))
			w.tries += into.failedFrom.count - before
		}
	}
	for prefix, n := range o.networks {
		if into := w.network(prefix.Addr()); into != nil {
			into.merge(n)
		}
	}
	for kind, f := range o.faults {
		w.faultOf(kind).merge(f)
	}
	for value, proof := range o.proofs {
		w.addProof(value, proof)
	}
	for _, value := range o.order {
		if into := w.verdictsOf(value); into != nil {
			into.merge(o.values[value])
		}
	}
}

// merge adds another account, with at most so many addresses of failures.
func (a *account) merge(o *account, most int) {
	a.failures += o.failures
	a.failedFrom.merge(&o.failedFrom, most)
	a.loggedIn = a.loggedIn || o.loggedIn
	if !o.first.IsZero() {
		widen(&a.first, &a.last, o.first)
		widen(&a.first, &a.last, o.last)
	}
	for _, b := range o.breakIns {
		a.addBreakIn(b)
	}
	for _, addr := range o.from {
		a.cameFrom(addr)
	}
}

func (n *network) merge(o *network) {
	n.accepted += o.accepted
	n.refused.merge(&o.refused, maxPerItem)
	n.listed += o.listed
	n.nameless += o.nameless
	if o.name != "" && (n.name == "" || o.name < n.name) {
		n.name = o.name
	}
	if !o.first.IsZero() {
		widen(&n.first, &n.last, o.first)
		widen(&n.first, &n.last, o.last)
	}
}

func (f *fault) merge(o *fault) {
	f.count += o.count
	f.refused += o.refused
	for addr := range o.clients {
		if len(f.clients) < maxPerItem {
			f.clients[addr] = true
		}
	}
	mergeBounded(f.reasons, o.reasons)
	widen(&f.first, &f.last, o.first)
	widen(&f.first, &f.last, o.last)
}

// merge keeps the earlier of two findings with the same action.
func (v *firstVerdicts) merge(o *firstVerdicts) {
	for _, pair := range [...]struct{ into, from **Verdict }{{&v.ban, &o.ban}, {&v.hold, &o.hold}, {&v.alert, &o.alert}} {
		if *pair.from == nil {
			continue
		}
		if *pair.into == nil || (*pair.from).isBefore(*pair.into) {
			*pair.into = *pair.from
		}
	}
}

func (v *Verdict) isBefore(o *Verdict) bool {
	return cmp.Or(v.At.Compare(o.At), strings.Compare(v.Scenario, o.Scenario)) < 0
}

// mergeBounded adds counts, at most maxPerItem of them.
func mergeBounded[K comparable](into, from map[K]int) {
	for key, n := range from {
		if _, known := into[key]; known || len(into) < maxPerItem {
			into[key] += n
		}
	}
}
