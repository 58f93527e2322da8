package bucket

import (
	"math/bits"

	"csmail/pkg/arena"
	"csmail/pkg/scenario/expression"
)

// The detail of a bucket is a run of words that not every scenario needs, or only after
// its first overflow: its layout, the end of its blackhole, counts of kinds beyond the
// first two, the values that distinct has seen, and the queue of events, which is a ring
// when it is full.
const (
	layoutWord = iota
	silentWord
	kindsWord
)

// details holds the details of all buckets.
type details struct {
	words  arena.Blocks[uint64]
	events arena.Slab[queuedEvent] // of scenarios that read the text of queued events
	metas  map[expression.Facts]map[string]string
	limits Limits
}

// layout describes a detail.
type layout struct {
	values uint16 // that distinct has seen
	queued uint16 // events in the queue
	oldest uint16 // place of the oldest of them
	kinds  uint8
	stride uint8 // words of a queued event
}

func layoutOf(word uint64) layout {
	return layout{uint16(word), uint16(word >> 16), uint16(word >> 32), uint8(word >> 48), uint8(word >> 56)}
}

func (l layout) word() uint64 {
	return uint64(l.values) | uint64(l.queued)<<16 | uint64(l.oldest)<<32 | uint64(l.kinds)<<48 | uint64(l.stride)<<56
}

// fewValues is the number of values that are searched one after the other; more make a
// hash table.
const fewValues = 16

// setSize is how many words the values take.
func (l layout) setSize() int {
	if l.values <= fewValues {
		return int(l.values)
	}
	n := int(l.values)
	return 1 << bits.Len(uint(n+n/2-1))
}

func (l layout) set() int   { return kindsWord + int(l.kinds) }
func (l layout) queue() int { return l.set() + l.setSize() }
func (l layout) size() int  { return l.queue() + int(l.queued)*int(l.stride) }

// detailOf returns the detail of a bucket, nil if it has none. It is valid until
// the next change of any detail.
func (d *details) detailOf(b *bucket) (layout, []uint64) {
	if b.detail == 0 {
		return layout{}, nil
	}
	l := layoutOf(d.words.At(b.detail, 1)[layoutWord])
	return l, d.words.At(b.detail, l.size())
}

// needDetail returns the detail of a bucket, a new one if there is none.
func (d *details) needDetail(b *bucket) (layout, []uint64) {
	if b.detail == 0 {
		b.detail = d.words.Take(kindsWord)
		clear(d.words.At(b.detail, kindsWord))
	}
	return d.detailOf(b)
}

// enlarge changes the layout of a detail: its content moves to its new places. New words
// hold anything.
func (d *details) enlarge(b *bucket, from, to layout) []uint64 {
	b.detail = d.words.Resize(b.detail, from.size(), to.size())
	w := d.words.At(b.detail, to.size())
	copy(w[to.queue():], w[from.queue():from.size()])
	copy(w[to.set():], w[from.set():from.queue()])
	w[layoutWord] = to.word()
	return w
}

// silentUntil returns the end of the bucket's blackhole; 0 if overflows are reported.
func (d *details) silentUntil(b *bucket) int64 { return max(0, d.silentWordOf(b)) }

// heldUntil returns the end of a blackhole that was lifted because its finding was held;
// 0 if there is none.
func (d *details) heldUntil(b *bucket) int64 { return max(0, -d.silentWordOf(b)) }

// silentWordOf returns the end of the blackhole, negative if its finding was held.
func (d *details) silentWordOf(b *bucket) int64 {
	if b.detail == 0 {
		return 0
	}
	return int64(d.words.At(b.detail, kindsWord)[silentWord])
}

func (d *details) silence(b *bucket, until int64) {
	_, w := d.needDetail(b)
	w[silentWord] = uint64(until)
}

// freeDetail frees all but the blackhole.
func (d *details) freeDetail(b *bucket) {
	l, w := d.detailOf(b)
	if w == nil {
		return
	}
	d.freeEvents(l, w)
	if w[silentWord] == 0 {
		b.detail = d.words.Resize(b.detail, len(w), 0)
		return
	}
	w[layoutWord] = 0
	b.detail = d.words.Resize(b.detail, len(w), kindsWord)
}
