package bucket

import (
	"net/netip"
)

// Forget drops all counts against an address, on a person's word: its own buckets and
// those of its /64, and its part in the buckets of networks and accounts.
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

// ForgetNetwork does the same for every address of a valid network, and for the networks
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

// forgetPart removes the events of a network from the buckets of a wider network or of an
// account.
func (m *memory) forgetPart(g *group, network netip.Prefix) {
	buckets := m.bucketsOf(g)
	for i := range buckets {
		b := &buckets[i]
		n := m.unqueue(b, network)
		if n == 0 {
			continue
		}
		b.total -= min(b.total, uint32(n))
		if m.set.Scenarios()[b.owner.scenario()].IsLeaky {
			b.poured -= min(b.poured, uint16(n))
		}
		if b.total == 0 {
			m.restart(b)
		}
	}
}

// unqueue removes the events of a network from a queue and returns their number.
func (d *details) unqueue(b *bucket, network netip.Prefix) int {
	from, w := d.detailOf(b)
	var kept []uint64
	to := from
	to.oldest, to.queued = 0, 0
	for n := range int(from.queued) {
		words := from.nth(w, n)
		q := queuedOf(words)
		if network.Contains(q.addr()) {
			d.uncountKind(b, q.facts.Kind())
			d.freeEvent(q)
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
	b.detail = d.words.Resize(b.detail, from.size(), to.size())
	return int(from.queued - to.queued)
}

// makeRoom evicts a source if the limit is reached: among the next few the one that was
// used least recently. A source with a blackhole stays, because without it the source
// would be reported twice.
func (m *memory) makeRoom() bool {
	if m.groups.Len() < m.limits.Sources && m.events.Len() < m.limits.Events {
		return true
	}
	oldest, age := uint32(0), uint32(0)
	for range min(evictionChoice, m.groups.Used()) {
		m.hand = m.hand%m.groups.Used() + 1
		g := m.groups.At(m.hand)
		unused := uint32(m.pours) - g.used
		if g.bits != 0 && unused > age && !m.isSilenced(g) {
			oldest, age = m.hand, unused
		}
	}
	if oldest == 0 && m.groups.Len() < m.limits.Sources {
		return true
	}
	if oldest == 0 {
		m.stats.Untracked++
		return false
	}
	m.release(oldest)
	m.stats.Evicted++
	return true
}

func (m *memory) isSilenced(g *group) bool {
	buckets := m.bucketsOf(g)
	for i := range buckets {
		if m.silentUntil(&buckets[i]) > m.now {
			return true
		}
	}
	return false
}

// sweep frees the dead buckets of the next n groups.
func (m *memory) sweep(n int) {
	for range min(n, int(m.groups.Used())) {
		m.cursor = m.cursor%m.groups.Used() + 1
		if g := m.groups.At(m.cursor); g.bits != 0 && m.dropDead(g) {
			m.release(m.cursor)
		}
	}
}

// dropDead frees the dead buckets of a group and reports whether none is left.
func (m *memory) dropDead(g *group) bool {
	buckets, kept := m.bucketsOf(g), 0
	for i := range buckets {
		if m.isDead(&buckets[i]) {
			m.freeBucket(&buckets[i])
			continue
		}
		if kept < i {
			buckets[kept] = buckets[i]
		}
		kept++
	}
	if kept < len(buckets) {
		g.keep(buckets[:kept])
		g.buckets = m.buckets.Resize(g.buckets, len(buckets), kept)
	}
	return kept == 0
}

func (m *memory) isDead(b *bucket) bool {
	s := m.set.Scenarios()[b.owner.scenario()]
	return b.last+s.Life+lateness < m.now && (b.total == 0 || !s.IsTimed()) && max(m.silentUntil(b), m.heldUntil(b))+lateness <= m.now
}

// release frees a group and its buckets.
func (m *memory) release(gi uint32) {
	g := m.groups.At(gi)
	buckets := m.bucketsOf(g)
	for i := range buckets {
		m.freeBucket(&buckets[i])
	}
	m.buckets.Give(g.buckets, len(buckets))
	if g.more != 0 {
		m.words.Give(g.more, evidencePerGroup-evidenceAtHand)
	}
	m.groups.remove(gi)
}

func (m *memory) freeBucket(b *bucket) {
	l, w := m.detailOf(b)
	m.freeEvents(l, w)
	m.words.Give(b.detail, len(w))
	m.open--
}

// restart empties a bucket; its blackhole stays.
func (d *details) restart(b *bucket) {
	if b.detail != 0 {
		d.freeDetail(b)
	}
	b.restart()
}
