package guard

import (
	"net/netip"
	"slices"
	"time"
)

// forgiven is a network that has amnesty, also for sources that are not seen yet.
type forgiven struct {
	network netip.Prefix
	until   uint32
}

// maxForgiven bounds the networks with amnesty; of more, the one whose amnesty ends
// first goes.
const maxForgiven = 256

// Forgive takes a person's word for a source: what it did is forgotten, and what
// it does until then is not held against it. For IPv6 that is the whole /64.
func (g *Guard) Forgive(addr netip.Addr, until time.Time) {
	g.forgive(g.source(keyOf(addr.Unmap()), g.now), stamp(until))
}

// ForgiveNetwork is Forgive for every source of a network, whether it was seen yet or
// not. Of IPv6 the network is a /64 or wider.
func (g *Guard) ForgiveNetwork(network netip.Prefix, until time.Time) {
	network = network.Masked()
	for s := range g.memory.within(network) {
		g.forgive(s, stamp(until))
	}
	g.forgiven = slices.DeleteFunc(g.forgiven, func(f forgiven) bool { return f.network == network || f.until <= g.now })
	g.forgiven = append(g.forgiven, forgiven{network, stamp(until)})
	if len(g.forgiven) > maxForgiven {
		first := 0
		for i, f := range g.forgiven {
			if f.until < g.forgiven[first].until {
				first = i
			}
		}
		g.forgiven = slices.Delete(g.forgiven, first, first+1)
	}
}

func (g *Guard) forgive(s *source, until uint32) {
	s.amnesty = until
	g.memory.dropOffences(s)
	s.lost, s.lostAt, s.first, s.contact, s.banned = 0, 0, 0, 0, 0
	g.broken.forget(s.key)
	g.waiting.nudge(s.key)
}

// amnestyOf returns until when the networks that a new source is in have amnesty.
func (k *knowledge) amnestyOf(key uint64) uint32 {
	var until uint32
	for _, f := range k.forgiven {
		if f.network.Overlaps(networkOf(key)) {
			until = max(until, f.until)
		}
	}
	return until
}

// isForgiven tells whether a network touches one that has amnesty.
func (k *knowledge) isForgiven(network netip.Prefix) (by forgiven, ok bool) {
	i := slices.IndexFunc(k.forgiven, func(f forgiven) bool { return k.now < f.until && f.network.Overlaps(network) })
	if i < 0 {
		return forgiven{}, false
	}
	return k.forgiven[i], true
}
