package bucket

import (
	"math"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
)

// bucket counts the events of one scenario and one group. Times are Unix nanoseconds. The
// level of a leaky bucket follows from busy and poured: the bucket is empty again at busy
// + poured·leakspeed (GCRA, the generic cell rate algorithm of ATM). For example, with a
// leakspeed of 10 s, three events at 12:00:00 keep it busy until 12:00:30.
type bucket struct {
	busy   int64 // since when the bucket has not been empty
	last   int64 // the latest time that an event was poured or it overflowed
	first  int64 // of its first event
	total  uint32
	detail uint32 // run of words that only few buckets need

	poured uint16        // since busy; of a bayesian scenario the conditions that stay true
	second uint16        // of total, those of the second kind
	kinds  [2]event.Kind // the first two that came
	owner  owner
}

// owner packs the number of a bucket's scenario and the first service whose event
// it counted. Few buckets count events of several services; their set is a word of
// the detail.
type owner uint16

const (
	scenarioBits = 11
	serviceBits  = 16 - scenarioBits
)

// The compiler refuses a constant below zero: more scenarios or services than there
// are bits for.
const (
	_ = uint(1<<scenarioBits - scenario.MaxScenarios)
	_ = uint(1<<serviceBits - event.ServiceCount)
)

func (o owner) scenario() int          { return int(o & (1<<scenarioBits - 1)) }
func (o owner) service() event.Service { return event.Service(o >> scenarioBits) }

// of returns the owner with another first service.
func (o owner) of(s event.Service) owner { return owner(o.scenario()) | owner(s)<<scenarioBits }

// countKind notes the kind of an event that total counts already. It returns false
// if the bucket itself has no room for it.
func (b *bucket) countKind(kind event.Kind) bool {
	switch {
	case b.total == 1:
		b.kinds[0] = kind
	case b.kinds[0] == kind:
	case b.second == 0, b.kinds[1] == kind && b.second < math.MaxUint16:
		b.kinds[1] = kind
		b.second++
	default:
		return false
	}
	return true
}

// empty returns the time when the bucket will have leaked all its events.
func (b *bucket) empty(leak int64) int64 { return b.busy + int64(b.poured)*leak }

// pour adds an event at t and reports whether the bucket overflows.
//
// An event that comes late counts if the bucket has not been empty since its own time,
// because otherwise it would have leaked by now. One that comes shortly before the bucket's
// first event makes it begin earlier. For example, four hosts report the guesses of
// 12:00:41, 12:00:40, 12:00:41 and 12:00:40 in this order. So a late line never makes the
// bucket fuller than the sorted log would.
func (b *bucket) pour(t, leak int64, capacity int) bool {
	empty := b.empty(leak)
	switch {
	case b.poured == 0, t >= empty && t >= b.last:
		b.busy, b.poured = t, 1
	case t >= b.last, t >= b.busy:
		b.poured++
	case t+leak >= b.busy:
		b.busy, b.poured = t, b.poured+1
	}
	if b.poured > 1<<15 { // a trickle that never stops
		b.busy, b.poured = b.busy+int64(b.poured-1<<14)*leak, 1<<14
	}
	return b.empty(leak)-max(t, b.last) > int64(capacity)*leak
}

// level returns the number of events that have not leaked at t, including one that has
// begun to.
func (b *bucket) level(t, leak int64) int {
	left := b.empty(leak) - t
	if b.poured == 0 || left <= 0 {
		return 0
	}
	return int((left + leak - 1) / leak)
}

// restart empties the bucket, except for the time of its last use.
func (b *bucket) restart() {
	*b = bucket{last: b.last, detail: b.detail, owner: b.owner.of(event.NoService)}
}
