package bucket

import "math/bits"

// The detail of a bucket is a run of words that not every scenario needs, or only
// after its first overflow: its layout, until when it is silent, how often it
// counted kinds beyond the first two, the values that distinct has seen, and the
// queue of events, which is a ring when it is full.
const (
	layoutWord = iota
	silentWord
	kindsWord
)

// layout says where things are in a detail.
type layout struct {
	values uint16 // that distinct has seen
	queued uint16 // events in the queue
	oldest uint16 // the place of the oldest of them
	kinds  uint8
	stride uint8 // words of a queued event
}

func layoutOf(word uint64) layout {
	return layout{uint16(word), uint16(word >> 16), uint16(word >> 32), uint8(word >> 48), uint8(word >> 56)}
}

func (l layout) word() uint64 {
	return uint64(l.values) | uint64(l.queued)<<16 | uint64(l.oldest)<<32 | uint64(l.kinds)<<48 | uint64(l.stride)<<56
}

// fewValues are searched one after the other; more make a hash table.
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
func (e *Engine) detailOf(b *bucket) (layout, []uint64) {
	if b.detail == 0 {
		return layout{}, nil
	}
	l := layoutOf(e.words.At(b.detail, 1)[layoutWord])
	return l, e.words.At(b.detail, l.size())
}

// needDetail is detailOf that makes one if there is none.
func (e *Engine) needDetail(b *bucket) (layout, []uint64) {
	if b.detail == 0 {
		b.detail = e.words.Take(kindsWord)
		clear(e.words.At(b.detail, kindsWord))
	}
	return e.detailOf(b)
}

// enlarge makes room in a detail for another layout: what it holds moves to its new
// places. Words that are new hold anything.
func (e *Engine) enlarge(b *bucket, from, to layout) []uint64 {
	b.detail = e.words.Resize(b.detail, from.size(), to.size())
	w := e.words.At(b.detail, to.size())
	copy(w[to.queue():], w[from.queue():from.size()])
	copy(w[to.set():], w[from.set():from.queue()])
	w[layoutWord] = to.word()
	return w
}

// silentUntil returns until when overflows of the bucket are silent; 0: they are
// told.
func (e *Engine) silentUntil(b *bucket) int64 { return max(0, e.silentWordOf(b)) }

// heldUntil returns until when an overflow of the bucket comes within the blackhole of
// one that was held; 0: none was.
func (e *Engine) heldUntil(b *bucket) int64 { return max(0, -e.silentWordOf(b)) }

// silentWordOf returns the end of the blackhole, negative if what began it was held.
func (e *Engine) silentWordOf(b *bucket) int64 {
	if b.detail == 0 {
		return 0
	}
	return int64(e.words.At(b.detail, kindsWord)[silentWord])
}

func (e *Engine) silence(b *bucket, until int64) {
	_, w := e.needDetail(b)
	w[silentWord] = uint64(until)
}

// freeDetail frees all but the silence.
func (e *Engine) freeDetail(b *bucket) {
	l, w := e.detailOf(b)
	if w == nil {
		return
	}
	e.freeEvents(l, w)
	if w[silentWord] == 0 {
		b.detail = e.words.Resize(b.detail, len(w), 0)
		return
	}
	w[layoutWord] = 0
	b.detail = e.words.Resize(b.detail, len(w), kindsWord)
}
