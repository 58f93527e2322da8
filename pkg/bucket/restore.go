package bucket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
	"csmail/pkg/wire"
)

var (
	errNoSnapshot = errors.New("not a state of the scenarios")
	errDamaged    = errors.New("the state of the scenarios is damaged")
)

// Restore replaces the state by that of a snapshot. A scenario that is new, or changed in
// a part that decides, starts empty. After an error the Engine is unchanged.
func (e *Engine) Restore(open wire.Open) error {
	size, err := checkSnapshot(open)
	if err != nil {
		return err
	}
	next, err := open()
	if err != nil {
		return err
	}
	in := wire.NewReader(next)
	in.Limit(size)
	r := &stateReader{Codec: wire.Streaming(in)}
	r.Take(len(snapshotMagic))
	var key event.HashKey
	r.Bytes(key[:])
	fresh := New(e.set, e.limits, key)
	r.scenarios(e.set)
	r.state(fresh)
	switch {
	case in.Err != nil:
		return in.Err
	case r.Err != nil || r.Left() > 0:
		return errDamaged
	}
	*e = *fresh
	e.machine.In = &e.in
	return nil
}

// checksumSize is that of the CRC behind a snapshot, in bytes.
const checksumSize = 4

// checkSnapshot reads a whole snapshot, and returns how many bytes stand before its
// checksum.
func checkSnapshot(open wire.Open) (size uint64, err error) {
	next, err := open()
	if err != nil {
		return 0, err
	}
	in := wire.NewReader(next)
	head, version := in.Peek(len(snapshotMagic)), len(snapshotMagic)-1
	switch {
	case in.Err != nil:
		return 0, in.Err
	case len(head) <= version || string(head[:version]) != snapshotMagic[:version]:
		return 0, errNoSnapshot
	case head[version] != snapshotMagic[version]:
		return 0, fmt.Errorf("the state of the scenarios has version %d, this csmail reads version %d", head[version], snapshotMagic[version])
	}
	var sum uint32
	for {
		b := in.Some(math.MaxInt)
		if len(b) <= checksumSize {
			b = in.Peek(checksumSize + 1)
		}
		if len(b) <= checksumSize {
			break
		}
		body := len(b) - checksumSize
		sum, size = crc32.Update(sum, crc32.IEEETable, b[:body]), size+uint64(body)
		in.Skip(body)
	}
	last := in.Peek(checksumSize)
	switch {
	case in.Err != nil:
		return 0, in.Err
	case len(last) < checksumSize || binary.BigEndian.Uint32(last) != sum:
		return 0, errDamaged
	}
	return size, nil
}

// stateReader reads the parts of a snapshot, after a checksum has proved it whole.
type stateReader struct {
	wire.Codec
	now   int64
	owner []int // the number that each scenario of the snapshot has now, or -1
}

func (r *stateReader) number() uint64 { return r.Number(0) }

func (r *stateReader) fixed() uint64 {
	var n uint64
	r.Fixed(&n)
	return bits.ReverseBytes64(n) // the most significant byte comes first
}

func (r *stateReader) text() (s string) {
	r.Text(&s)
	return s
}

func (r *stateReader) time() int64 {
	if r.number() == 0 {
		return 0
	}
	return r.now - r.Signed(0)
}

// scenarios finds the present number of each scenario of the snapshot.
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
	if n > scenario.MaxScenarios {
		r.Fail()
	}
}

// state reads the whole state, in the order of AppendSnapshot.
func (r *stateReader) state(e *Engine) {
	r.now = r.Signed(0)
	e.now = r.now
	e.pours, e.cursor, e.hand = r.number(), uint32(r.number()), uint32(r.number())
	e.stats.Evicted, e.stats.Untracked = int64(r.number()), int64(r.number())
	r.ring(&e.ring)
	used, free := r.Count(0), r.Count(0)
	for range free {
		e.groups.AddFree(uint32(r.number()))
	}
	for range used {
		e.groups.Grow()
		r.group(e, e.groups.Used())
		if r.Err != nil {
			return
		}
	}
}

// ring reads the texts of the newest events.
func (r *stateReader) ring(ring *ring) {
	ring.number = uint32(r.number())
	for range r.Count(0) {
		number := uint32(r.number())
		found := r.event()
		if ring.number-number < uint32(len(ring.clones)) {
			ring.slot(number).fill(&found, nanoseconds(found.Time), number)
		}
	}
}

func (r *stateReader) event() event.Event {
	e := event.Event{Time: stamp(r.time())}
	r.Addr(&e.Addr)
	e.PID, e.Attempts = int(r.Signed(0)), int(r.Signed(0))
	e.Kind, e.Service = event.Kind(r.number()), event.Service(r.number())
	for _, text := range textsOf(&e) {
		*text = r.text()
	}
	return e
}

// group reads a group with all that belongs to it.
func (r *stateReader) group(e *Engine, gi uint32) {
	g := e.groups.At(gi)
	switch g.bits = r.Byte(0); g.bits {
	case 0:
		return
	case isText:
		g.hi = r.fixed()
		length := int(min(r.number(), math.MaxInt32))
		g.lo = uint64(e.groups.texts.putBeginning(r.Take(min(length, maxKept)), length))
	default:
		g.hi, g.lo = r.fixed(), r.fixed()
	}
	e.groups.enter(gi)
	g.used = uint32(e.pours) - uint32(r.number())
	r.evidence(e, g)
	for range r.Count(0) {
		r.bucket(e, gi)
		if r.Err != nil {
			return
		}
	}
}

// evidence reads the references of a group.
func (r *stateReader) evidence(e *Engine, g *group) {
	remembered := ringCount(r.Byte(0) % (2 * evidencePerGroup))
	for range remembered.seen() {
		g.remembered = g.remembered.more()
		e.setEvidence(g, reference(r.fixed()))
	}
	g.remembered = remembered
}

// bucket reads a bucket. If its scenario is gone, the bucket is dropped.
func (r *stateReader) bucket(e *Engine, gi uint32) {
	b := bucket{busy: r.time(), last: r.time(), first: r.time(), owner: owner(r.number())}
	b.total, b.poured, b.second = uint32(r.number()), uint16(r.number()), uint16(r.number())
	b.kinds[0], b.kinds[1] = event.Kind(r.number()), event.Kind(r.number())
	was := b.owner.scenario()
	if was >= len(r.owner) {
		r.Fail()
		return
	}
	limit := e.limits.Queue
	if now := r.owner[was]; now >= 0 {
		limit = e.queueLimitOf(e.set.Scenarios()[now])
	}
	r.detail(e, &b, limit)
	if r.owner[was] < 0 || r.Err != nil {
		l, w := e.detailOf(&b)
		e.freeEvents(l, w)
		e.words.Give(b.detail, len(w))
		return
	}
	s, g := e.set.Scenarios()[r.owner[was]], e.groups.At(gi)
	b.owner = owner(s.Index).of(b.owner.service())
	*e.bucketOf(g, s) = b
	if s.IsTimed() && b.total > 0 {
		e.await(deadline{b.busy + s.Life, gi, s.Index})
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
	if uint64(fixed.size()) > r.Left()/8+kindsWord || l.stride > strideAll {
		r.Fail()
		return
	}
	w := e.enlarge(b, layout{}, fixed)
	for i := range w[kindsWord:] {
		w[kindsWord+i] = r.fixed()
	}
	for range l.queued {
		e.enqueue(b, r.queued(e), l.stride, limit)
		if r.Err != nil {
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
