package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// waitingRoom returns a guard with as many findings that wait as there is room for:
// each of a /64 of its own, one offence each.
func waitingRoom(b *testing.B, n int, kind event.Kind) (*Guard, []event.Record) {
	b.Helper()
	g := New(Facts{}, Options{})
	g.Explain(false)
	at := sceneStart
	observe := func(r event.Record) { g.Observe(&r, false) }
	for i := range 60 { // our resolver and lists work
		at = at.Add(time.Second)
		observe(event.Record{Outcome: event.Witness, Testimony: event.Connected, Event: event.Event{Time: at, Addr: netip.MustParseAddr("198.51.100.1"), ClientName: "a.example"}})
		observe(event.Record{Outcome: event.Witness, Testimony: event.MailAccepted, Event: event.Event{Time: at, Addr: netip.AddrFrom4([4]byte{198, 51, 100, byte(i % 3)})}})
	}
	at = at.Add(time.Second)
	var lines []event.Record
	for i := range n {
		addr := netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::1", 1+i>>12, i&0xfff))
		r := event.Record{Outcome: event.Noted, Event: event.Event{Time: at, Addr: addr, Kind: kind, Service: event.Dovecot, User: "bob", Attempts: 1}}
		observe(r)
		g.Due(at)
		f := Finding{Scenario: "csmail/strict", Scope: event.ScopeIP, Addr: addr, Needed: 1, First: at, Last: at}
		if v := g.Decide(f, at); !v.Pending {
			b.Fatalf("finding %d is %s by %s and does not wait", i, v.Action, v.Rule)
		}
		lines = append(lines, r)
	}
	if g.Pending() != n {
		b.Fatalf("%d findings wait, want %d", g.Pending(), n)
	}
	return g, lines
}

// A line of a source of which a finding waits, while others wait too.
func BenchmarkLineOfWaiting(b *testing.B) {
	for _, n := range []int{64, 512, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g, lines := waitingRoom(b, n, event.AuthFailed)
			now := lines[0].Time.Add(time.Second)
			for i := range lines {
				lines[i].Time, lines[i].Kind = now, event.NoAuth // says nothing new
			}
			i := 0
			for b.Loop() {
				r := &lines[i%len(lines)]
				g.Observe(r, false)
				g.Due(r.Time)
				i++
			}
			if g.Pending() != n {
				b.Fatalf("%d findings wait at the end, want %d", g.Pending(), n)
			}
		})
	}
}

// A connection with a verified name each second, while findings wait for a block
// list: the name says nothing about the lists.
func BenchmarkSightWhileWaiting(b *testing.B) {
	for _, n := range []int{39, 512, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g, lines := waitingRoom(b, n, event.DNSBLListed)
			r := event.Record{Outcome: event.Witness, Testimony: event.Connected, Event: event.Event{
				Addr: netip.MustParseAddr("198.51.100.1"), ClientName: "a.example",
			}}
			from := lines[0].Time.Add(time.Second)
			i := 0
			for b.Loop() {
				r.Time = from.Add(time.Duration(i%300) * time.Second)
				g.Observe(&r, false)
				g.Due(r.Time)
				i++
			}
			if g.Pending() != n {
				b.Fatalf("%d findings wait at the end, want %d", g.Pending(), n)
			}
		})
	}
}
