package scenario

import (
	"encoding/binary"
	"hash/crc32"

	"csmail/pkg/event"
)

// snapshotMagic begins a snapshot; its last byte is the version of the format.
const snapshotMagic = "csmail scenario state\x01"

// AppendSnapshot appends the whole state to b: all that decides what the next
// events lead to, and the texts for the alerts. [Engine.Restore] reads it.
func (e *Engine) AppendSnapshot(b []byte) []byte {
	from := len(b)
	w := &writer{b: append(b, snapshotMagic...), now: e.now}
	w.scenarios(e.set)
	w.signed(e.now)
	w.number(uint64(e.cursor))
	w.number(uint64(e.stats.Evicted))
	w.number(uint64(e.stats.Untracked))
	w.ring(&e.ring)
	writeSlab(w, &e.groups.texts, w.text)
	w.number(uint64(e.groups.oldest))
	w.number(uint64(e.groups.newest))
	writeSlab(w, &e.groups.slab, w.group)
	writeSlab(w, &e.buckets, w.bucket)
	writeSlab(w, &e.extras, w.extra)
	writeSlab(w, &e.cells, w.cell)
	w.number(uint64(len(e.events)))
	for ci := uint32(1); ci <= e.cells.used && len(e.events) > 0; ci++ {
		if kept := e.events[ci]; kept != nil {
			w.number(uint64(ci))
			w.event(&kept.Event)
		}
	}
	w.number(uint64(len(e.due)))
	for _, d := range e.due {
		w.time(d.at)
		w.number(uint64(d.bucket))
		w.number(uint64(d.group))
	}
	return binary.BigEndian.AppendUint32(w.b, crc32.ChecksumIEEE(w.b[from:]))
}

// writer appends the parts of a snapshot. Times are written as their distance
// from now.
type writer struct {
	b   []byte
	now int64
}

func (w *writer) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) signed(n int64)  { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) text(s *string)  { w.number(uint64(len(*s))); w.b = append(w.b, *s...) }
func (w *writer) fixed(n uint64)  { w.b = binary.BigEndian.AppendUint64(w.b, n) }

// time writes a time; 0, which stands for none, stays 0.
func (w *writer) time(t int64) {
	if t == 0 {
		w.number(0)
		return
	}
	w.number(1)
	w.signed(w.now - t)
}

func (w *writer) scenarios(set *Set) {
	w.number(uint64(len(set.scenarios)))
	for _, s := range set.scenarios {
		w.text(&s.Name)
		w.fixed(s.hash)
	}
}

func (w *writer) ring(r *ring) {
	w.number(uint64(r.number))
	held := 0
	for i := range r.clones {
		if r.clones[i].number != 0 {
			held++
		}
	}
	w.number(uint64(held))
	for i := range r.clones {
		if c := &r.clones[i]; c.number != 0 {
			w.number(uint64(c.number))
			copied := c.event()
			w.event(&copied)
		}
	}
}

func (w *writer) event(e *event.Event) {
	w.time(nanoseconds(e.Time))
	raw, _ := e.Addr.MarshalBinary()
	addr := string(raw)
	w.text(&addr)
	w.signed(int64(e.PID))
	w.signed(int64(e.Attempts))
	w.number(uint64(e.Kind))
	w.number(uint64(e.Service))
	for _, text := range textsOf(e) {
		w.text(text)
	}
}

// writeSlab writes the free list too, so that numbers are handed out again in the
// same order.
func writeSlab[T comparable](w *writer, s *slab[T], write func(*T)) {
	w.number(uint64(s.used))
	w.number(uint64(len(s.free)))
	for _, i := range s.free {
		w.number(uint64(i))
	}
	var zero T
	for i := uint32(1); i <= s.used; i++ {
		record := s.at(i)
		if *record == zero {
			w.b = append(w.b, 0)
			continue
		}
		w.b = append(w.b, 1)
		write(record)
	}
}

func (w *writer) group(g *group) {
	w.fixed(g.hi)
	w.fixed(g.lo)
	w.b = append(w.b, g.bits, g.seen, g.newest)
	w.number(uint64(g.head))
	w.number(uint64(g.older))
	w.number(uint64(g.newer))
	for _, ref := range g.evidence[:g.seen] {
		w.fixed(uint64(ref))
	}
}

func (w *writer) bucket(b *bucket) {
	w.time(b.busy)
	w.time(b.last)
	w.time(b.first)
	for _, n := range [...]uint64{
		uint64(b.total), uint64(b.next), uint64(b.extra), uint64(b.kindCounts[0]), uint64(b.kindCounts[1]),
		uint64(b.kinds[0]), uint64(b.kinds[1]), uint64(b.scenario), uint64(b.poured), uint64(b.services),
	} {
		w.number(n)
	}
}

func (w *writer) extra(x *extra) {
	w.time(x.blackhole)
	for _, n := range [...]uint32{x.set, x.queue, x.kinds, uint32(x.setLen), uint32(x.queueLen)} {
		w.number(uint64(n))
	}
}

func (w *writer) cell(c *cell) {
	w.fixed(c.a)
	w.fixed(c.b)
	w.fixed(uint64(c.time))
	w.number(uint64(c.info))
	w.number(uint64(c.next))
}
