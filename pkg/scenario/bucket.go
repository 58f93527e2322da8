package scenario

import "csmail/pkg/event"

// bucket counts the events of one scenario and one group. Times are Unix
// nanoseconds. Of a leaky scenario the level follows from busy and poured: the
// bucket is empty again at busy + poured·leakspeed (GCRA).
type bucket struct {
	busy  int64 // since when the bucket has not been empty
	last  int64 // the latest time at which an event was poured or it overflowed
	first int64 // of its first event
	total uint32
	next  uint32 // bucket of the same group
	extra uint32 // what few buckets need

	kindCounts [2]uint16
	kinds      [2]event.Kind
	scenario   uint16
	poured     uint16 // since busy; of a bayesian scenario the conditions that stay true
	services   uint8  // set of services
}

// extra is the part of a bucket that not every scenario needs, or that it needs
// only after its first overflow.
type extra struct {
	blackhole int64  // overflows are silent until then
	set       uint32 // chain of cells: the values that were seen, of distinct
	queue     uint32 // ring of cells: the events that it holds; the newest, whose next is the oldest
	kinds     uint32 // chain of cells: kinds beyond the first two
	setLen    uint16
	queueLen  uint16
}

// cell is one link of a chain: an event of a queue, three values of a set, or a
// count of one kind.
type cell struct {
	a, b uint64
	time int64
	info cellInfo
	next uint32
}

// cellInfo packs kind, service and shape of a queued event, and whether it has an
// address; or how many values a cell of a set holds.
type cellInfo uint32

func infoOf(in *input) cellInfo {
	info := cellInfo(in.ev.Kind) | cellInfo(in.ev.Service)<<8 | cellInfo(in.shape)<<16
	if in.ev.Addr.IsValid() {
		info |= 1 << 24
	}
	return info
}

func (i cellInfo) kind() event.Kind       { return event.Kind(i) }
func (i cellInfo) service() event.Service { return event.Service(i >> 8) }
func (i cellInfo) shape() shape           { return shape(i >> 16) }
func (i cellInfo) hasAddr() bool          { return i>>24&1 == 1 }

// empty is when the bucket will have leaked all it holds.
func (b *bucket) empty(leak int64) int64 { return b.busy + int64(b.poured)*leak }

// pour adds an event at t and reports whether the bucket holds more than it can.
//
// An event that comes late counts if the bucket has not been empty since its own
// time; else it would have leaked by now. So a late line never makes the bucket
// fuller than the sorted log would, and none moves it backwards.
func (b *bucket) pour(t, leak int64, capacity int) bool {
	empty := b.empty(leak)
	switch {
	case b.poured == 0, t >= empty && t >= b.last:
		b.busy, b.poured = t, 1
	case t >= b.last, t >= b.busy:
		b.poured++
	}
	if b.poured > 1<<15 { // a trickle that never stops
		b.busy, b.poured = b.busy+int64(b.poured-1<<14)*leak, 1<<14
	}
	return b.empty(leak)-max(t, b.last) > int64(capacity)*leak
}

// level is how many events have not leaked at t, counting one that has begun to.
func (b *bucket) level(t, leak int64) int {
	left := b.empty(leak) - t
	if b.poured == 0 || left <= 0 {
		return 0
	}
	return int((left + leak - 1) / leak)
}

// restart forgets what the bucket held, not when it was last used.
func (b *bucket) restart() {
	*b = bucket{last: b.last, next: b.next, extra: b.extra, scenario: b.scenario}
}
