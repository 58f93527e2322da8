package daemon

import (
	"fmt"
	"testing"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// An edge speaks of itself and its site, whatever it calls itself in its lines.
func TestOrigins(t *testing.T) {
	o := newOrigins(map[string][]string{"paris": {"mx3", "mx4"}})
	of := func(edge, host string) uint64 {
		f := &wire.Fact{Record: event.Record{Event: event.Event{Host: host}}}
		f.Released = []wire.Release{{Record: f.Record}}
		f.Superseded = []event.Record{f.Record}
		o.set(f, edge, edge)
		got := f.Record.Origin.Host
		if f.Released[0].Record.Origin.Host != got || f.Superseded[0].Origin.Host != got {
			t.Errorf("%s of %s: the records of one fact have several origins", host, edge)
		}
		return got
	}
	if first := of("mx1", "mx1"); first != of("mx1", "mx1") {
		t.Error("an edge is not itself")
	}
	if of("mx7", "mx1") == of("mx1", "mx1") {
		t.Error("mx7 speaks of mx1")
	}
	if of("mx3", "a") != of("mx4", "b") {
		t.Error("two edges of one site: got two, want one")
	}
	if of("mx7", "paris") == of("mx3", "mx3") || of("site/paris", "") == of("mx3", "mx3") {
		t.Error("an edge speaks of a site that it is not of")
	}
	sites := map[uint64]bool{}
	for i := range 10_000 {
		sites[of("mx7", fmt.Sprint("invented", i))] = true
	}
	if len(sites) > hostsOfEdge || len(o.known) > maxKnown {
		t.Errorf("got %d sites and %d known names of one edge, want %d and %d at most", len(sites), len(o.known), hostsOfEdge, maxKnown)
	}
}
