package bucket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
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
	r := &stateReader{b: b[len(snapshotMagic) : len(b)-4]}
	var key event.HashKey
	copy(key[:], r.take(len(key)))
	fresh := New(e.set, e.limits, key)
	r.scenarios(e.set)
	r.state(fresh)
	if r.bad || len(r.b) > 0 {
		return errDamaged
	}
	*e = *fresh
	e.machine.In = &e.in
	return nil
}

// stateReader reads the parts of a snapshot, which a checksum has found to be whole.
// A part that is not there sets bad.
type stateReader struct {
	b     []byte
	now   int64
	bad   bool
	owner []int // the number that each scenario of the snapshot has now, or -1
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

// take reads n bytes, nil if there are not as many.
func (r *stateReader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return part
}

func (r *stateReader) time() int64 {
	if r.number() == 0 {
		return 0
	}
	return r.now - r.signed()
}

// scenarios finds the number that each scenario of the snapshot has now.
func (r *stateReader) scenarios(set *scenario.Set) {
	n := r.number()
	for range min(n, scenario.MaxScenarios) {
		name, hash := r.text(), r.fixed()
		index := -1
		for _, s := range set.Scenarios() {
			if s.Name == name && s.Hash == hash {
				index = int(s.Index)
			}
		}
		r.owner = append(r.owner, index)
	}
	r.bad = r.bad || n > scenario.MaxScenarios
}

func (r *stateReader) state(e *Engine) {
	r.now = r.signed()
	e.now = r.now
	e.pours, e.cursor, e.hand = r.number(), uint32(r.number()), uint32(r.number())
	e.stats.Evicted, e.stats.Untracked = int64(r.number()), int64(r.number())
	r.ring(&e.ring)
	used, free := r.count(), r.count()
	for range free {
		e.groups.AddFree(uint32(r.number()))
	}
	for range used {
		e.groups.Grow()
		r.group(e, e.groups.Used())
		if r.bad {
			return
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

// group reads a group with all that belongs to it.
func (r *stateReader) group(e *Engine, gi uint32) {
	g := e.groups.At(gi)
	switch g.bits = r.byte(); g.bits {
	case 0:
		return
	case isText:
		g.hi = r.fixed()
		length := int(min(r.number(), math.MaxInt32))
		g.lo = uint64(e.groups.texts.putBeginning(r.take(min(length, maxKept)), length))
	default:
		g.hi, g.lo = r.fixed(), r.fixed()
	}
	e.groups.enter(gi)
	g.used = uint32(e.pours) - uint32(r.number())
	r.evidence(e, g)
	for range r.count() {
		r.bucket(e, gi)
		if r.bad {
			return
		}
	}
}

func (r *stateReader) evidence(e *Engine, g *group) {
	told := told(r.byte() % (2 * evidencePerGroup))
	for range told.seen() {
		g.told = g.told.more()
		e.setEvidence(g, reference(r.fixed()))
	}
	g.told = told
}

// bucket reads a bucket. One of a scenario that is no more is read and dropped.
func (r *stateReader) bucket(e *Engine, gi uint32) {
	b := bucket{busy: r.time(), last: r.time(), first: r.time(), owner: owner(r.number())}
	b.total, b.poured, b.second = uint32(r.number()), uint16(r.number()), uint16(r.number())
	b.kinds[0], b.kinds[1] = event.Kind(r.number()), event.Kind(r.number())
	was := b.owner.scenario()
	if was >= len(r.owner) {
		r.bad = true
		return
	}
	limit := e.limits.Queue
	if now := r.owner[was]; now >= 0 {
		limit = e.queueLimitOf(e.set.Scenarios()[now])
	}
	r.detail(e, &b, limit)
	if r.owner[was] < 0 || r.bad {
		l, w := e.detailOf(&b)
		e.freeEvents(l, w)
		e.words.Give(b.detail, len(w))
		return
	}
	s, g := e.set.Scenarios()[r.owner[was]], e.groups.At(gi)
	b.owner = owner(s.Index).of(b.owner.service())
	*e.bucketOf(g, s) = b
	if s.IsTimed() && b.total > 0 {
		e.push(deadline{b.busy + s.Life, gi, s.Index})
	}
}

// detail reads the detail of a bucket, whose queue holds at most limit events.
func (r *stateReader) detail(e *Engine, b *bucket, limit int) {
	if r.number() == 0 {
		return
	}
	l := layoutOf(r.number())
	e.silence(b, r.time())
	e.needDetail(b)
	fixed := l
	fixed.queued, fixed.oldest = 0, 0
	if fixed.size() > len(r.b)/8+kindsWord || l.stride > strideAll {
		r.bad = true
		return
	}
	w := e.enlarge(b, layout{}, fixed)
	for i := range w[kindsWord:] {
		w[kindsWord+i] = r.fixed()
	}
	for range l.queued {
		e.enqueue(b, r.queued(e), l.stride, limit)
		if r.bad {
			return
		}
	}
}

func (r *stateReader) queued(e *Engine) queued {
	q := queued{facts: expression.Facts(r.number()), time: r.time(), hi: r.number(), lo: r.number()}
	if r.number() != 0 {
		q.event = e.events.Take()
		e.events.At(q.event).Event = r.event()
	}
	return q
}
