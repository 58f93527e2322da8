package report

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/session"
)

// A Counter counts what a Collector counts, whatever comes, in any scope.
func TestCounterCountsWhatACollectorCounts(t *testing.T) {
	some := netip.MustParsePrefix("2001:db8::/33")
	for name, scope := range map[string]Scope{
		"all": {}, "some": {Only: []netip.Prefix{some}}, "late": {Since: start.Add(20 * time.Second), Until: start.Add(700 * time.Second)},
	} {
		random := rand.New(rand.NewPCG(5, 6))
		c, n := NewCollector(scope), NewCounter(scope)
		kinds := [...]event.Kind{event.AuthFailed, event.RelayDenied, event.LoginOK, event.AuthFault, event.NoHostname}
		for i := range 2000 {
			addr := fmt.Sprintf("192.0.2.%d", random.IntN(60))
			if random.IntN(2) == 0 {
				addr = fmt.Sprintf("2001:db8:%x::%x", random.IntN(2)<<15, random.IntN(40))
			}
			r := result(i, addr, "bob", kinds[random.IntN(len(kinds))], 1+random.IntN(3))
			r.Folded, r.Repeated, r.LoggedIn, r.Withheld = random.IntN(9) == 0, random.IntN(9) == 0, random.IntN(9) == 0, random.IntN(9) == 0
			if random.IntN(20) == 0 {
				r.Addr = netip.Addr{}
			}
			if random.IntN(3) == 0 {
				gone := *result(i-random.IntN(9), addr, "bob", event.RelayDenied, 1+random.IntN(2)).Record
				r.Earlier = &session.Earlier{Superseded: []event.Record{gone}}
				if random.IntN(2) == 0 {
					r.Earlier = &session.Earlier{Excused: []event.Record{gone, gone}}
				}
			}
			c.Add(r)
			n.Add(r)
		}
		got, want := map[netip.Addr]int{}, map[netip.Addr]int{}
		for addr, count := range n.All {
			got[addr] = count
		}
		for addr, count := range Tries(c.Sources()) {
			want[addr] = count
		}
		if len(want) < 20 || fmt.Sprint(got) != fmt.Sprint(want) || n.Events() != c.Events() || n.Len() != len(want) {
			t.Errorf("%s: got %d events, %d sources, %v\nwant %d, %d, %v", name, n.Events(), n.Len(), got, c.Events(), len(want), want)
		}
	}
}

// Whatever a client has in the lower half of its addresses, its networks lie in many
// places of the index.
func TestCounterSpreadsNetworks(t *testing.T) {
	c := NewCounter(Scope{})
	for _, lo := range []uint64{0, 1, 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, ^uint64(0)} {
		places := map[uint32]bool{}
		for n := range uint64(1000) {
			places[c.hashOf(&counted{hi: 0x20010db8<<32 | n, lo: lo})] = true
		}
		if len(places) < 990 {
			t.Errorf("%x: got %d hashes of 1000 networks, want as many", lo, len(places))
		}
	}
}
