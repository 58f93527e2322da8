package scenario

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"csmail/pkg/event"
)

// queuedEvent is an event in a queue whose text some expression reads.
type queuedEvent struct {
	event.Event
	view *Evt
}

// hold puts the event at hand into the bucket's queue, if anything will read it:
// an expression, or the list of sources of a bucket of more than one address.
func (e *Engine) hold(s *Scenario, gi uint32, b *bucket) {
	if e.groups.at(gi).bits == 128 && !s.keepFacts && !s.keepEvents {
		return
	}
	limit := s.queueLimit
	if limit < 0 || limit > e.limits.Queue {
		limit = e.limits.Queue
	}
	x := e.extraOf(b)
	for int(x.queueLen) > limit-1 {
		e.dropOldest(x)
	}
	ci := e.cells.take()
	c := e.cells.at(ci)
	c.time, c.info = e.at, infoOf(&e.in)
	if e.in.ev.Addr.IsValid() {
		key := addrKey(e.in.ev.Addr)
		c.a, c.b = key.hi, key.lo
	}
	if s.keepEvents {
		e.events[ci] = &queuedEvent{Event: e.in.ev.Clone()}
	}
	if x.queue == 0 {
		c.next = ci
	} else {
		newest := e.cells.at(x.queue)
		c.next, newest.next = newest.next, ci
	}
	x.queue = ci // the newest; its next is the oldest
	x.queueLen++
}

func (e *Engine) dropOldest(x *extra) {
	newest := e.cells.at(x.queue)
	oldest := newest.next
	newest.next = e.cells.at(oldest).next
	if oldest == x.queue {
		x.queue = 0
	}
	delete(e.events, oldest)
	e.cells.give(oldest)
	x.queueLen--
}

func (e *Engine) freeQueue(x *extra) {
	for x.queueLen > 0 {
		e.dropOldest(x)
	}
}

// queued calls yield with every cell of the queue, the oldest first.
func (e *Engine) queued(b *bucket, yield func(ci uint32, c *cell)) {
	if b.extra == 0 {
		return
	}
	x := e.extras.at(b.extra)
	if x.queueLen == 0 {
		return
	}
	ci := e.cells.at(x.queue).next
	for range x.queueLen {
		c := e.cells.at(ci)
		yield(ci, c)
		ci = c.next
	}
}

func (c *cell) addr() netip.Addr {
	if !c.info.hasAddr() {
		return netip.Addr{}
	}
	return addrFrom(c.a, c.b)
}

// queueView builds "queue" of an expression.
func (e *Engine) queueView(b *bucket, s *Scenario) *Queue {
	n := 0
	if b.extra != 0 {
		n = int(e.extras.at(b.extra).queueLen)
	}
	q := &Queue{Queue: make([]*Evt, 0, n), L: s.queueLimit - 1}
	facts := make([]Evt, 0, n)
	e.queued(b, func(ci uint32, c *cell) {
		if kept := e.events[ci]; kept != nil {
			if kept.view == nil {
				in := input{ev: &kept.Event, shape: c.info.shape()}
				kept.view = in.evt()
			}
			q.Queue = append(q.Queue, kept.view)
			return
		}
		facts = append(facts, Evt{Meta: c.meta(e.facts), Time: stamp(c.time)})
		q.Queue = append(q.Queue, &facts[len(facts)-1])
	})
	return q
}

// meta holds the enumerated fields of a queued event. Its maps are few and shared.
func (c *cell) meta(known map[cellInfo]map[string]string) map[string]string {
	meta := known[c.info]
	if meta == nil {
		in := input{ev: &event.Event{Kind: c.info.kind(), Service: c.info.service()}, shape: c.info.shape()}
		meta = map[string]string{}
		for name, f := range metaFields {
			if f.isEnumerated() {
				meta[name] = f.read(&in)
			}
		}
		known[c.info] = meta
	}
	return meta
}

// isNew is distinct: it remembers the value and reports whether the bucket has
// not seen it (pkg/leakybucket/uniq.go, v1.7.8). A bucket that has seen as many
// values as it may remember takes no more: it never counts one twice.
func (e *Engine) isNew(s *Scenario, b *bucket) bool {
	h := e.distinctHash(s)
	x := e.extraOf(b)
	for ci := x.set; ci != 0; ci = e.cells.at(ci).next {
		if e.cells.at(ci).holds(h) {
			return false
		}
	}
	if int(x.setLen) >= e.limits.Distinct {
		return false
	}
	x.setLen++
	if x.set == 0 || e.cells.at(x.set).info == 3 {
		ci := e.cells.take()
		e.cells.at(ci).next, x.set = x.set, ci
	}
	e.cells.at(x.set).put(h)
	return true
}

func (c *cell) holds(h uint64) bool {
	return c.info > 0 && c.a == h || c.info > 1 && c.b == h || c.info > 2 && uint64(c.time) == h
}

func (c *cell) put(h uint64) {
	switch c.info {
	case 0:
		c.a = h
	case 1:
		c.b = h
	case 2:
		c.time = int64(h)
	}
	c.info++
}

// distinctHash hashes the value of distinct. An address needs no text.
func (e *Engine) distinctHash(s *Scenario) uint64 {
	addr := e.in.ev.Addr
	if addr.IsValid() {
		switch s.distinctField {
		case fieldSourceIP:
			return addrHash(addr)
		case fieldSourceBlock:
			if addr.Is6() {
				addr = rangeOf(addr).Addr()
			}
			return addrHash(addr)
		case fieldSourceRange:
			return addrHash(rangeOf(addr).Addr())
		}
	}
	return textHash(e.machine.text(s.distinct))
}

func addrHash(addr netip.Addr) uint64 {
	raw := addr.As16()
	return mix(mix(binary.BigEndian.Uint64(raw[:8])+1) ^ binary.BigEndian.Uint64(raw[8:]))
}

// countMore counts a kind beyond the two that a bucket has room for.
func (e *Engine) countMore(b *bucket, kind event.Kind) {
	x := e.extraOf(b)
	for ci := x.kinds; ci != 0; ci = e.cells.at(ci).next {
		if c := e.cells.at(ci); c.info.kind() == kind {
			c.a++
			return
		}
	}
	ci := e.cells.take()
	*e.cells.at(ci) = cell{a: 1, info: cellInfo(kind), next: x.kinds}
	x.kinds = ci
}

// forgetPart takes the events of addr out of the buckets of a network or an
// account.
func (e *Engine) forgetPart(g *group, addr netip.Addr) {
	for bi := g.head; bi != 0; bi = e.buckets.at(bi).next {
		b := e.buckets.at(bi)
		var mine []uint32
		e.queued(b, func(ci uint32, c *cell) {
			if c.addr() == addr {
				mine = append(mine, ci)
			}
		})
		if len(mine) == 0 {
			continue
		}
		e.unqueue(e.extras.at(b.extra), mine)
		n := len(mine)
		b.total -= min(b.total, uint32(n))
		b.poured -= min(b.poured, uint16(n))
		if b.total == 0 {
			e.restart(b)
		}
	}
}

// unqueue takes cells out of a queue.
func (e *Engine) unqueue(x *extra, out []uint32) {
	ci := x.queue
	var kept []uint32
	for range x.queueLen {
		ci = e.cells.at(ci).next
		kept = append(kept, ci)
	}
	kept = slices.DeleteFunc(kept, func(ci uint32) bool { return slices.Contains(out, ci) })
	for _, ci := range out {
		delete(e.events, ci)
		e.cells.give(ci)
	}
	x.queue, x.queueLen = 0, uint16(len(kept))
	for i, ci := range kept {
		e.cells.at(ci).next = kept[(i+1)%len(kept)]
		x.queue = ci
	}
}
