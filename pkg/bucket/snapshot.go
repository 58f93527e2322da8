package bucket

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/wire"
)

// snapshotMagic begins a snapshot; its last byte is the version of the format.
const snapshotMagic = "csmail scenario state\x03"

// pieceSize is about how many bytes of a snapshot are handed out at a time.
const pieceSize = 256 << 10

// AppendSnapshot appends the bytes of [Engine.Snapshot] to b.
func (e *Engine) AppendSnapshot(b []byte) []byte {
	e.Snapshot(func(piece []byte) { b = append(b, piece...) })
	return b
}

// Snapshot hands out the whole state in pieces, so that no second copy of it is in
// memory: all that decides about the next events, and the texts for the alerts.
// [Engine.Restore] reads it. take must not keep a piece.
func (e *Engine) Snapshot(take func(piece []byte)) {
	w := &writer{take: take, now: e.now}
	w.B = append(make([]byte, 0, pieceSize+pieceSize/4), snapshotMagic...)
	w.Bytes(e.key[:])
	w.scenarios(e.set)
	w.Signed(e.now)
	for _, n := range [...]uint64{e.pours, uint64(e.cursor), uint64(e.hand), uint64(e.stats.Evicted), uint64(e.stats.Untracked)} {
		w.Number(n)
	}
	w.ring(&e.ring)
	w.Number(uint64(e.groups.Used()))
	// The free list too, so that numbers are handed out again in the same order.
	w.Number(uint64(len(e.groups.Free())))
	for _, i := range e.groups.Free() {
		w.Number(uint64(i))
		w.flushIfLong()
	}
	for i := range e.groups.Used() {
		w.group(e, e.groups.At(i+1))
		w.flushIfLong()
	}
	w.flush()
	take(binary.BigEndian.AppendUint32(nil, w.sum))
}

// writer hands out the parts of a snapshot. Times are written as their distance
// from now.
type writer struct {
	wire.Codec
	take func(piece []byte)
	sum  uint32 // CRC of the bytes so far
	now  int64
}

func (w *writer) flush() {
	w.sum = crc32.Update(w.sum, crc32.IEEETable, w.B)
	w.take(w.B)
	w.B = w.B[:0]
}

func (w *writer) flushIfLong() {
	if len(w.B) >= pieceSize {
		w.flush()
	}
}

func (w *writer) fixed(n uint64) {
	n = bits.ReverseBytes64(n) // the most significant byte comes first
	w.Fixed(&n)
}

// time writes a time; 0, which stands for none, stays 0.
func (w *writer) time(t int64) {
	if t == 0 {
		w.Number(0)
		return
	}
	w.Number(1)
	w.Signed(w.now - t)
}

// scenarios writes the names and hashes of the scenarios, by which Restore finds them.
func (w *writer) scenarios(set *scenario.Set) {
	w.Number(uint64(len(set.Scenarios())))
	for _, s := range set.Scenarios() {
		w.Text(&s.Name)
		w.fixed(s.Hash)
	}
}

// ring writes the texts of the newest events.
func (w *writer) ring(r *ring) {
	w.Number(uint64(r.number))
	held := 0
	for i := range r.clones {
		if r.clones[i].number != 0 {
			held++
		}
	}
	w.Number(uint64(held))
	for i := range r.clones {
		if c := &r.clones[i]; c.number != 0 {
			w.Number(uint64(c.number))
			copied := c.event()
			w.event(&copied)
			w.flushIfLong()
		}
	}
}

func (w *writer) event(e *event.Event) {
	w.time(nanoseconds(e.Time))
	w.Addr(&e.Addr)
	w.Signed(int64(e.PID))
	w.Signed(int64(e.Attempts))
	w.Number(uint64(e.Kind))
	w.Number(uint64(e.Service))
	for _, text := range textsOf(e) {
		w.Text(text)
	}
}

// group writes a group with all that belongs to it.
func (w *writer) group(e *Engine, g *group) {
	w.Byte(g.bits)
	switch g.bits {
	case 0:
		return
	case isText:
		ref := textRef(g.lo)
		w.fixed(g.hi)
		w.Number(uint64(ref.length()))
		w.B = append(w.B, e.groups.texts.beginning(ref)...)
	default:
		w.fixed(g.hi)
		w.fixed(g.lo)
	}
	w.Number(uint64(uint32(e.pours) - g.used))
	w.Byte(byte(g.remembered))
	for i := range g.remembered.seen() {
		w.fixed(uint64(e.evidenceAt(g, i)))
	}
	buckets := e.bucketsOf(g)
	w.Number(uint64(len(buckets)))
	for i := range buckets {
		w.bucket(e, &buckets[i])
	}
}

// bucket writes one bucket with its detail.
func (w *writer) bucket(e *Engine, b *bucket) {
	w.time(b.busy)
	w.time(b.last)
	w.time(b.first)
	for _, n := range [...]uint64{
		uint64(b.owner), uint64(b.total), uint64(b.poured), uint64(b.second), uint64(b.kinds[0]), uint64(b.kinds[1]),
	} {
		w.Number(n)
	}
	l, words := e.detailOf(b)
	if words == nil {
		w.Number(0)
		return
	}
	w.Number(uint64(len(words)))
	inOrder := l
	inOrder.oldest = 0 // the oldest event is written first
	w.Number(inOrder.word())
	w.time(int64(words[silentWord]))
	for _, word := range words[kindsWord:l.queue()] {
		w.fixed(word)
	}
	for n := range int(l.queued) {
		w.queued(e, queuedOf(l.nth(words, n)))
	}
}

func (w *writer) queued(e *Engine, q queued) {
	w.Number(uint64(q.facts))
	w.time(q.time)
	w.Number(q.hi)
	w.Number(q.lo)
	if q.event == 0 {
		w.Number(0)
		return
	}
	w.Number(1)
	w.event(&e.events.At(q.event).Event)
}
