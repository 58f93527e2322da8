package bucket

import (
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// What counts of a finding that was held stays in its bucket, in the queue of an overflow
// filter too. So the next overflow comes as early as if the other attempts had not been
// there, and the filter still sees the kinds.
func TestKept(t *testing.T) {
	const head = `type: leaky
name: test/spam
description: test
filter: evt.Meta.kind in ['relay-denied', 'no-hostname']
groupby: evt.Meta.source_block
capacity: 3
leakspeed: 24h
blackhole: 1h
`
	const sums = head + `overflow_filter: "count(queue.Queue, {#.Meta.kind == 'relay-denied'}) >= 2"
`
	relay, name := Attempt{event.RelayDenied, event.Postfix}, Attempt{event.NoHostname, event.Postfix}
	for what, tt := range map[string]struct {
		text, addr string
		kept       []Attempt
		more       []event.Kind
		want       int // which of more makes the next overflow; 0: none
	}{
		"nothing":                 {sums, "192.0.2.1", nil, []event.Kind{event.RelayDenied, event.RelayDenied, event.RelayDenied, event.RelayDenied}, 4},
		"two of the filter":       {sums, "192.0.2.1", []Attempt{relay, relay}, []event.Kind{event.NoHostname, event.NoHostname}, 2},
		"two, of IPv6":            {sums, "2001:db8::1", []Attempt{relay, relay}, []event.Kind{event.NoHostname, event.NoHostname}, 2},
		"two of another kind":     {sums, "192.0.2.1", []Attempt{name, name}, []event.Kind{event.NoHostname, event.NoHostname}, 0},
		"no more than fit":        {sums, "192.0.2.1", []Attempt{name, name, name, relay, relay, relay}, []event.Kind{event.NoHostname}, 1},
		"without a filter":        {head, "192.0.2.1", []Attempt{name, name}, []event.Kind{event.NoHostname, event.NoHostname}, 2},
		"distinct: nothing stays": {head + "distinct: evt.Meta.helo\n", "192.0.2.1", []Attempt{relay, relay}, []event.Kind{event.RelayDenied, event.RelayDenied}, 0},
	} {
		t.Run(what, func(t *testing.T) {
			e, n := load(t, tt.text), 0
			pour := func(k event.Kind) []Overflow {
				n++
				return e.Pour(&event.Event{
					Kind: k, Service: event.Postfix, Addr: netip.MustParseAddr(tt.addr), Attempts: 1,
					Helo: time.Duration(n).String(), Time: start.Add(time.Duration(n) * time.Minute),
				})
			}
			var held []Overflow
			for len(held) == 0 && n < 9 {
				held = pour(event.RelayDenied)
			}
			e.Held(held[0].Blackhole, Kept{Attempts: tt.kept, First: held[0].First, Kind: event.RelayDenied, Addr: held[0].Addr})
			again := load(t, tt.text)
			if err := restore(again, e.AppendSnapshot(nil)); err != nil {
				t.Fatal(err)
			}
			e = again
			got := 0
			for i, k := range tt.more {
				if over := pour(k); len(over) > 0 && got == 0 {
					got = i + 1
					if over[0].Addr.String() != tt.addr {
						t.Errorf("got a finding about %s, want %s", over[0].Addr, tt.addr)
					}
				}
			}
			if got != tt.want {
				t.Errorf("got the next overflow with event %d, want %d", got, tt.want)
			}
		})
	}
}
