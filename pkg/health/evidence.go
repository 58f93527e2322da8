package health

import (
	"cmp"
	"slices"
)

// span is a stretch of time in seconds since 1970, both ends included.
type span struct {
	start, end uint32
	by         uint64 // in evidence: the only source behind it, 0 for several
}

// evidence remembers when something was known to work, from observations that are only
// possible if it does. For example, a client with a verified name proves that the
// resolver works. Two observations belong to one span if the gap between them is not much
// longer than usual, so an outage shows as a gap between spans.
type evidence struct {
	least, most uint32 // constants: bounds, in seconds, of the longest gap within a span
	usual       uint32 // moving mean of the gaps, in sixteenths of a second
	spans       []span
	broken      bool // a failure was observed since, so the next observation begins a span
}

// Certainty is the answer of evidence about a moment.
type Certainty uint8

// The answers about a moment.
const (
	Unknown Certainty = iota
	NotYet            // unknown so far; the next observation may decide it
	Works
)

// usualGaps is the factor by which a gap must exceed the mean gap to count as an outage.
// With clients at random times about 1 gap in 3000 (e⁻⁸) is longer by chance.
const usualGaps = 8

// newEvidence begins with the longest mean gap, so that the first gaps are bridged.
func newEvidence(most uint32) evidence { return evidence{usual: most * 16 / usualGaps} }

// gap returns the longest gap in seconds that is bridged at present.
func (e *evidence) gap() uint32 { return min(max(e.usual*usualGaps/16, e.least), e.most) }

// lapses returns the time from which the next observation no longer decides what happened
// after the last one.
func (e *evidence) lapses() uint32 {
	if len(e.spans) == 0 {
		return 0
	}
	return e.spans[len(e.spans)-1].end + e.gap() + 1
}

// seen adds an observation at a time, which the source key caused.
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

// open begins a span and drops the oldest one at the limit.
func (e *evidence) open(s span) {
	if len(e.spans) >= maxSpans {
		e.spans = slices.Delete(e.spans, 0, 1)
	}
	e.spans = append(e.spans, s)
	e.broken = false
}

// at reports whether sources other than key observed it working both before and after a
// moment, with no longer gap than usual. An observation in the same second is not enough:
// the outage may have begun in it.
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
