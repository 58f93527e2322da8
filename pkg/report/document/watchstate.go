package document

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// watchState is what a Watch holds, in a form that encoding/gob keeps.
type watchState struct {
	Accounts map[string]accountState
	Networks map[netip.Prefix]networkState
	Faults   map[event.Kind]faultState
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
	Clients     []netip.Addr
	First, Last time.Time
	Reasons     map[string]int
}

type verdictsState struct {
	Value            string
	Ban, Hold, Alert *Verdict
}

// state returns what the Watch holds. It shares maps, so it is to be used before
// the next Add.
func (w *Watch) state() watchState {
	state := watchState{
		Accounts: map[string]accountState{}, Networks: map[netip.Prefix]networkState{}, Faults: map[event.Kind]faultState{},
	}
	for name, a := range w.accounts {
		one := accountState{FailedFrom: a.failedFrom, Failures: a.failures, LoggedIn: a.loggedIn, First: a.first, Last: a.last, From: a.from}
		for _, b := range a.breakIns {
			one.BreakIns = append(one.BreakIns, breakInState{b.addr, b.at, b.guesses})
		}
		state.Accounts[name] = one
	}
	for prefix, n := range w.networks {
		state.Networks[prefix] = networkState{n.accepted, n.refused, n.lists, n.name, n.first, n.last}
	}
	for kind, f := range w.faults {
		one := faultState{Count: f.count, First: f.first, Last: f.last, Reasons: f.reasons}
		for addr := range f.clients {
			one.Clients = append(one.Clients, addr)
		}
		state.Faults[kind] = one
	}
	for _, value := range w.order {
		v := w.values[value]
		state.Values = append(state.Values, verdictsState{value, v.ban, v.hold, v.alert})
	}
	return state
}

// restoreWatch returns a Watch that goes on where another left off.
func restoreWatch(counts func(*event.Event) bool, state watchState) *Watch {
	w := NewWatch(counts)
	for name, one := range state.Accounts {
		a := &account{failedFrom: filled(one.FailedFrom), failures: one.Failures, loggedIn: one.LoggedIn, first: one.First, last: one.Last, from: one.From}
		for _, b := range one.BreakIns {
			a.breakIns = append(a.breakIns, breakIn{b.Addr, b.At, b.Guesses})
		}
		w.accounts[name] = a
	}
	for prefix, one := range state.Networks {
		w.networks[prefix] = &network{one.Accepted, filled(one.Refused), filled(one.Lists), one.Name, one.First, one.Last}
	}
	for kind, one := range state.Faults {
		f := &fault{count: one.Count, clients: map[netip.Addr]bool{}, first: one.First, last: one.Last, reasons: filled(one.Reasons)}
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

// filled returns a map that can be written to: gob leaves empty ones out.
func filled[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}
