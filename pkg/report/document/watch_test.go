package document

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

// A flood of made-up names takes bounded room, and leaves room for accounts that are
// used: who logs in is known, and a break-in is not overlooked.
func TestFloodOfNamesIsBounded(t *testing.T) {
	w := NewWatch(func(*event.Event) bool { return true })
	at := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	take := func(kind event.Kind, user string, guessed int) {
		e := event.Event{Service: event.Postfix, Kind: kind, Attempts: 1, Addr: netip.MustParseAddr("192.0.2.1"), Time: at, User: user}
		w.Add(&engine.Result{Record: &event.Record{Outcome: event.Noted, Event: e}, Guessed: guessed})
	}
	for n := range maxTried + 10 {
		take(event.AuthFailed, fmt.Sprint("made-up-", n), 0)
	}
	if got := len(w.accounts); got != maxTried {
		t.Errorf("got %d accounts after a flood of names, want %d", got, maxTried)
	}
	take(event.LoginOK, "alice@example.org", 9)
	if a := w.accounts["alice@example.org"]; a == nil || !a.loggedIn || len(a.breakIns) != 1 {
		t.Errorf("got %+v of an account that somebody broke into after the flood, want it with its break-in", a)
	}
}

// Attackers choose from how many addresses they try how many names: what is kept of them
// has one bound for all accounts, and no failure is lost.
func TestFloodOfAddressesIsBounded(t *testing.T) {
	w := NewWatch(func(*event.Event) bool { return true })
	const names = 300
	for n := range names * (maxPerItem + 1) {
		addr := netip.AddrFrom4([4]byte{198, 18, byte(n / names >> 8), byte(n / names)})
		e := event.Event{Service: event.Postfix, Kind: event.AuthFailed, Attempts: 1, Addr: addr, User: fmt.Sprint("user", n%names)}
		w.Add(&engine.Result{Record: &event.Record{Outcome: event.Noted, Event: e}})
	}
	addresses, failures := 0, 0
	for _, a := range w.accountsTried() {
		addresses += a.Addresses
		failures += a.Failures
	}
	if addresses != maxTries || failures != names*(maxPerItem+1) {
		t.Errorf("got %d addresses and %d failures, want %d and %d", addresses, failures, maxTries, names*(maxPerItem+1))
	}
}
