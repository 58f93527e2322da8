package guard

import (
	"net/netip"
	"slices"
	"time"
)

// forgiven is a network with amnesty, which also holds for sources that are seen later.
type forgiven struct {
	network netip.Prefix
	until   uint32
}

// maxForgiven is the number of networks with amnesty. At the limit the one whose amnesty
// ends first is dropped.
const maxForgiven = 256

// Forgive grants amnesty to a source until a time, on a person's word: its offences are
// dropped, and new ones do not count. For IPv6 the source is the whole /64.
func (g *Guard) Forgive(addr netip.Addr, until time.Time) {
	g.forgive(g.source(keyOf(addr.Unmap()), g.now), stamp(until))
}

// ForgiveNetwork grants amnesty to every source of a network, also to those that are seen
// later. An IPv6 network is a /64 or wider.
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

// forgive drops the offences of a source.
func (g *Guard) forgive(s *source, until uint32) {
	s.amnesty = until
	g.memory.dropOffences(s)
	s.lost, s.lostAt, s.first, s.contact, s.banned = 0, 0, 0, 0, 0
	g.broken.forget(s.key)
	g.waiting.nudge(s.key)
}

// amnestyOf returns the end of the amnesty of a source that is seen for the first time, 0
// for none.
func (k *knowledge) amnestyOf(key uint64) uint32 {
	var until uint32
	for _, f := range k.forgiven {
		if f.network.Overlaps(networkOf(key)) {
			until = max(until, f.until)
		}
	}
	return until
}

// isForgiven reports whether a network overlaps one with amnesty, and returns that one.
func (k *knowledge) isForgiven(network netip.Prefix) (by forgiven, ok bool) {
	i := slices.IndexFunc(k.forgiven, func(f forgiven) bool { return k.now < f.until && f.network.Overlaps(network) })
	if i < 0 {
		return forgiven{}, false
	}
	return k.forgiven[i], true
}
