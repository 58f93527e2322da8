package bucket

import (
	"net/netip"
)

// Forget resets what the Engine holds against an address, because a person said
// so: its own buckets and those of its /64, and its part in the buckets of
// networks and accounts.
func (e *Engine) Forget(addr netip.Addr) {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return
	}
	keys := []groupKey{addrKey(addr)}
	if addr.Is6() {
		keys = append(keys, rangeKey(addr))
	}
	for _, key := range keys {
		if gi := e.groups.findNetwork(key); gi != 0 {
			e.release(gi)
		}
	}
	for gi := range e.groups.Used() {
		g := e.groups.At(gi + 1)
		if g.bits == isText || (g.bits > 0 && g.bits < 128 && g.key().prefix().Contains(addr)) {
			e.forgetPart(g, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
}

// ForgetNetwork is Forget for every address of a valid network, and for the networks
// in it.
func (e *Engine) ForgetNetwork(network netip.Prefix) {
	for gi := range e.groups.Used() {
		switch g := e.groups.At(gi + 1); {
		case g.bits == 0:
		case g.bits == isText:
			e.forgetPart(g, network)
		case network.Bits() <= g.key().prefix().Bits() && network.Contains(g.key().addr()):
			e.release(gi + 1)
		case g.key().prefix().Overlaps(network):
			e.forgetPart(g, network)
		}
	}
}

// forgetPart takes the events of a network out of the buckets of a wider one or of an
// account.
func (e *Engine) forgetPart(g *group, network netip.Prefix) {
	buckets := e.bucketsOf(g)
	for i := range buckets {
		b := &buckets[i]
		n := e.unqueue(b, network)
		if n == 0 {
			continue
		}
		b.total -= min(b.total, uint32(n))
		if e.set.Scenarios()[b.owner.scenario()].IsLeaky {
			b.poured -= min(b.poured, uint16(n))
		}
		if b.total == 0 {
			e.restart(b)
		}
	}
}

// unqueue takes the events of a network out of a queue and returns how many they were.
func (e *Engine) unqueue(b *bucket, network netip.Prefix) int {
	from, w := e.detailOf(b)
	var kept []uint64
	to := from
	to.oldest, to.queued = 0, 0
	for n := range int(from.queued) {
		words := from.nth(w, n)
		q := queuedOf(words)
		if network.Contains(q.addr()) {
			e.uncountKind(b, q.facts.Kind())
			e.freeEvent(q)
			continue
		}
		kept = append(kept, words...)
		to.queued++
	}
	if to.queued == from.queued {
		return 0
	}
	copy(w[from.queue():], kept)
	w[layoutWord] = to.word()
	b.detail = e.words.Resize(b.detail, from.size(), to.size())
	return int(from.queued - to.queued)
}

// makeRoom forgets a source that was not seen for long, if the limit is reached: the
// one of the next few that was used least recently. A source with a blackhole
// stays: without it the source would be told of twice.
func (e *Engine) makeRoom() bool {
	if e.groups.Len() < e.limits.Sources && e.events.Len() < e.limits.Events {
		return true
	}
	oldest, age := uint32(0), uint32(0)
	for range min(evictionChoice, e.groups.Used()) {
		e.hand = e.hand%e.groups.Used() + 1
		g := e.groups.At(e.hand)
		unused := uint32(e.pours) - g.used
		if g.bits != 0 && unused > age && !e.isSilenced(g) {
			oldest, age = e.hand, unused
		}
	}
	if oldest == 0 && e.groups.Len() < e.limits.Sources {
		return true
	}
	if oldest == 0 {
		e.stats.Untracked++
		return false
	}
	e.release(oldest)
	e.stats.Evicted++
	return true
}

func (e *Engine) isSilenced(g *group) bool {
	buckets := e.bucketsOf(g)
	for i := range buckets {
		if e.silentUntil(&buckets[i]) > e.now {
			return true
		}
	}
	return false
}

// sweep looks at the next n groups and gives back what is dead.
func (e *Engine) sweep(n int) {
	for range min(n, int(e.groups.Used())) {
		e.cursor = e.cursor%e.groups.Used() + 1
		if g := e.groups.At(e.cursor); g.bits != 0 && e.dropDead(g) {
			e.release(e.cursor)
		}
	}
}

// dropDead frees the dead buckets of a group and reports whether none is left.
func (e *Engine) dropDead(g *group) bool {
	buckets, kept := e.bucketsOf(g), 0
	for i := range buckets {
		if e.isDead(&buckets[i]) {
			e.freeBucket(&buckets[i])
			continue
		}
		if kept < i {
			buckets[kept] = buckets[i]
		}
		kept++
	}
	if kept < len(buckets) {
		g.keep(buckets[:kept])
		g.buckets = e.buckets.Resize(g.buckets, len(buckets), kept)
	}
	return kept == 0
}

func (e *Engine) isDead(b *bucket) bool {
	s := e.set.Scenarios()[b.owner.scenario()]
	return b.last+s.Life+lateness < e.now && (b.total == 0 || !s.IsTimed()) && max(e.silentUntil(b), e.heldUntil(b))+lateness <= e.now
}

// release frees a group and its buckets.
func (e *Engine) release(gi uint32) {
	g := e.groups.At(gi)
	buckets := e.bucketsOf(g)
	for i := range buckets {
		e.freeBucket(&buckets[i])
	}
	e.buckets.Give(g.buckets, len(buckets))
	if g.more != 0 {
		e.words.Give(g.more, evidencePerGroup-evidenceAtHand)
	}
	e.groups.remove(gi)
}

func (e *Engine) freeBucket(b *bucket) {
	l, w := e.detailOf(b)
	e.freeEvents(l, w)
	e.words.Give(b.detail, len(w))
	e.open--
}

// restart empties a bucket; its blackhole stays.
func (e *Engine) restart(b *bucket) {
	if b.detail != 0 {
		e.freeDetail(b)
	}
	b.restart()
}
