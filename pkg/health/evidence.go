package health

import (
	"cmp"
	"slices"
)

// span is a stretch of time, both ends included.
type span struct {
	start, end uint32
	by         uint64 // of evidence: the only source behind it, 0 for several
}

// evidence remembers when something of ours was known to work, by what only
// happens if it does. A gap between two such sights is bridged if it is not
// much longer than usual, so an outage shows as a gap.
type evidence struct {
	least, most uint32 // constants: bounds of the longest gap that is bridged
	usual       uint32 // gap, sixteenths of a second, a moving mean
	spans       []span
	broken      bool // it was seen not to work since: the next sight bridges no gap
}

// Certainty is what evidence says of a moment.
type Certainty uint8

// What evidence can say.
const (
	Unknown Certainty = iota
	NotYet            // the next sight may tell
	Works
)

// usualGaps is how many times the usual gap is still no sign of an outage: with
// clients that come at random one gap in 3000 is longer.
const usualGaps = 8

func newEvidence(most uint32) evidence { return evidence{usual: most * 16 / usualGaps} }

func (e *evidence) gap() uint32 { return min(max(e.usual*usualGaps/16, e.least), e.most) }

// lapses returns when the next sight tells no more of what happened since the last.
func (e *evidence) lapses() uint32 {
	if len(e.spans) == 0 {
		return 0
	}
	return e.spans[len(e.spans)-1].end + e.gap() + 1
}

// seen notes a sight, owed to the source key.
func (e *evidence) seen(key uint64, at uint32) {
	n := len(e.spans)
	if n == 0 {
		e.spans = append(e.spans, span{at, at, key})
		return
	}
	last := &e.spans[n-1]
	if at <= last.end {
		if last.by != key {
			last.by = 0
		}
		return
	}
	gap := at - last.end
	if gap > e.gap() || e.broken {
		e.open(span{at, at, key})
		return
	}
	e.usual += uint32(int32(gap*16-e.usual) / 16)
	last.end = at
	if last.by != key {
		last.by = 0
	}
}

func (e *evidence) open(s span) {
	if len(e.spans) >= maxSpans {
		e.spans = slices.Delete(e.spans, 0, 1)
	}
	e.spans = append(e.spans, s)
	e.broken = false
}

// at tells whether others than key saw it work both before and after a moment,
// and shortly. The same second proves nothing: it may be the one in which an
// outage began.
func (e *evidence) at(key uint64, at, now uint32) Certainty {
	n := len(e.spans)
	after, _ := slices.BinarySearchFunc(e.spans, at, func(s span, at uint32) int { return cmp.Compare(s.start, at) })
	if after > 0 && at < e.spans[after-1].end { // the one span that began before
		if e.spans[after-1].by == key {
			return Unknown
		}
		return Works
	}
	if n == 0 || at <= e.spans[n-1].start {
		return Unknown
	}
	if last := e.spans[n-1]; last.by == key || uint64(now) > uint64(last.end)+uint64(e.gap()) {
		return Unknown
	}
	return NotYet
}
