package scenario

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"csmail/pkg/event"
)

var (
	errNoSnapshot = errors.New("not a state of the scenarios")
	errDamaged    = errors.New("the state of the scenarios is damaged")
)

// Restore replaces the state by that of a snapshot. A scenario that is new or has
// changed in what it decides starts empty. After an error the Engine is as it was.
func (e *Engine) Restore(b []byte) error {
	body, ok := strings.CutPrefix(string(b[:min(len(b), len(snapshotMagic))]), snapshotMagic[:len(snapshotMagic)-1])
	switch {
	case !ok || len(b) < len(snapshotMagic)+4:
		return errNoSnapshot
	case body != snapshotMagic[len(snapshotMagic)-1:]:
		return fmt.Errorf("the state of the scenarios has version %d, this csmail reads version %d", body[0], snapshotMagic[len(snapshotMagic)-1])
	case crc32.ChecksumIEEE(b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]):
		return errDamaged
	}
	fresh := New(e.set, e.limits)
	r := &stateReader{b: b[len(snapshotMagic) : len(b)-4]}
	now := r.scenarios(e.set)
	r.state(fresh)
	if r.bad || len(r.b) > 0 {
		return errDamaged
	}
	fresh.rename(now)
	*e = *fresh
	e.machine.in = &e.in
	return nil
}

// rename gives the buckets the numbers that their scenarios have now, and drops
// those of scenarios that are no more.
func (e *Engine) rename(now []int) {
	for gi := uint32(1); gi <= e.groups.used; gi++ {
		g := e.groups.at(gi)
		if g.bits == 0 {
			continue
		}
		for link := &g.head; *link != 0; {
			bi := *link
			b := e.buckets.at(bi)
			index := now[b.scenario]
			if index < 0 {
				*link = b.next
				e.freeBucket(bi)
				continue
			}
			b.scenario = uint16(index)
			link = &b.next
		}
	}
}

// stateReader reads the parts of a snapshot, which a checksum has found to be whole.
// A part that is not there sets bad.
type stateReader struct {
	b   []byte
	now int64
	bad bool
}

func (r *stateReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	r.skip(size)
	return n
}

func (r *stateReader) signed() int64 {
	n, size := binary.Varint(r.b)
	r.skip(size)
	return n
}

func (r *stateReader) skip(size int) {
	if size <= 0 {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[size:]
}

func (r *stateReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *stateReader) fixed() uint64 {
	if len(r.b) < 8 {
		r.bad, r.b = true, nil
		return 0
	}
	n := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return n
}

func (r *stateReader) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	text := string(r.b[:n])
	r.b = r.b[n:]
	return text
}

func (r *stateReader) time() int64 {
	if r.number() == 0 {
		return 0
	}
	return r.now - r.signed()
}

// scenarios returns the number that each scenario of the snapshot has now, or -1.
func (r *stateReader) scenarios(set *Set) []int {
	n := r.number()
	var now []int
	for range min(n, maxScenarios) {
		name, hash := r.text(), r.fixed()
		index := -1
		for _, s := range set.scenarios {
			if s.Name == name && s.hash == hash {
				index = int(s.index)
			}
		}
		now = append(now, index)
	}
	r.bad = r.bad || n > maxScenarios
	return now
}

func (r *stateReader) state(e *Engine) {
	r.now = r.signed()
	e.now = r.now
	e.cursor = uint32(r.number())
	e.stats.Evicted, e.stats.Untracked = int64(r.number()), int64(r.number())
	r.ring(&e.ring)
	readSlab(r, &e.groups.texts, func(s *string) { *s = r.text() })
	e.groups.oldest, e.groups.newest = uint32(r.number()), uint32(r.number())
	readSlab(r, &e.groups.slab, r.group)
	readSlab(r, &e.buckets, r.bucket)
	readSlab(r, &e.extras, r.extra)
	readSlab(r, &e.cells, r.cell)
	for range r.count() {
		ci := uint32(r.number())
		e.events[ci] = &queuedEvent{Event: r.event()}
	}
	for range r.count() {
		e.due = append(e.due, deadline{r.time(), uint32(r.number()), uint32(r.number())})
	}
	if r.bad {
		return
	}
	for i := uint32(1); i <= e.groups.used; i++ {
		if e.groups.at(i).bits != 0 {
			e.groups.reindex(i)
		}
	}
}

// count reads how many records follow; each takes a byte at least.
func (r *stateReader) count() uint64 {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return n
}

func (r *stateReader) ring(ring *ring) {
	ring.number = uint32(r.number())
	for range r.count() {
		number := uint32(r.number())
		found := r.event()
		if ring.number-number < uint32(len(ring.clones)) {
			ring.slot(number).fill(&found, nanoseconds(found.Time), number)
		}
	}
}

func (r *stateReader) event() event.Event {
	e := event.Event{Time: stamp(r.time())}
	if err := e.Addr.UnmarshalBinary([]byte(r.text())); err != nil {
		r.bad = true
	}
	e.PID, e.Attempts = int(r.signed()), int(r.signed())
	e.Kind, e.Service = event.Kind(r.number()), event.Service(r.number())
	for _, text := range textsOf(&e) {
		*text = r.text()
	}
	return e
}

func readSlab[T any](r *stateReader, s *slab[T], read func(*T)) {
	used, free := r.count(), r.count()
	for range free {
		s.free = append(s.free, uint32(r.number()))
	}
	for range used {
		s.grow()
		if r.byte() != 0 {
			read(s.at(s.used))
		}
		if r.bad {
			return
		}
	}
}

func (r *stateReader) group(g *group) {
	g.hi, g.lo = r.fixed(), r.fixed()
	g.bits, g.seen, g.newest = r.byte(), min(r.byte(), evidencePerGroup), r.byte()%evidencePerGroup
	g.head, g.older, g.newer = uint32(r.number()), uint32(r.number()), uint32(r.number())
	for i := range g.evidence[:g.seen] {
		g.evidence[i] = reference(r.fixed())
	}
}

func (r *stateReader) bucket(b *bucket) {
	b.busy, b.last, b.first = r.time(), r.time(), r.time()
	b.total, b.next, b.extra = uint32(r.number()), uint32(r.number()), uint32(r.number())
	b.kindCounts[0], b.kindCounts[1] = uint16(r.number()), uint16(r.number())
	b.kinds[0], b.kinds[1] = event.Kind(r.number()), event.Kind(r.number())
	b.scenario, b.poured, b.services = uint16(r.number()), uint16(r.number()), uint8(r.number())
}

func (r *stateReader) extra(x *extra) {
	x.blackhole = r.time()
	x.set, x.queue, x.kinds = uint32(r.number()), uint32(r.number()), uint32(r.number())
	x.setLen, x.queueLen = uint16(r.number()), uint16(r.number())
}

func (r *stateReader) cell(c *cell) {
	c.a, c.b, c.time = r.fixed(), r.fixed(), int64(r.fixed())
	c.info, c.next = cellInfo(r.number()), uint32(r.number())
}
