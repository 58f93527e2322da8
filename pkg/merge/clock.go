package merge

import (
	"slices"
	"time"
)

// clock is the stream's clock. It follows the broker's stamps, but a gap without any
// batch counts as one second at most. So an outage of the broker, with all hosts silent,
// makes none of them late.
type clock struct {
	now   time.Duration // since the first batch
	first time.Time     // stamp
	last  time.Time     // stamp
}

// time returns the clock's time. It stays behind the broker's by its outages.
func (c *clock) time() time.Time { return c.first.Add(c.now) }

// maxGap is the longest time that a gap counts as. Hosts without lines send each second.
const maxGap = time.Second

func (c *clock) tick(stamp time.Time) {
	if gap := stamp.Sub(c.last); gap > 0 {
		if c.last.IsZero() {
			c.first = stamp
		} else {
			c.now += min(gap, maxGap)
		}
		c.last = stamp
	}
}

// skew measures the difference between the clocks of a host and the broker, by the times
// of sending and receiving a batch. The time on the way makes a clock seem behind,
// never ahead, so the fastest of the latest batches counts.
type skew struct {
	offsets []time.Duration // the latest, oldest first
	shift   time.Duration   // by which the host's times are moved, in whole seconds: what its lines tell below that stays
}

const (
	// skewSeen is the number of batches that are compared.
	skewSeen = 8
	// maxSkew is the difference that is not corrected.
	maxSkew = 2 * time.Second
)

func (s *skew) observe(offset time.Duration) {
	if len(s.offsets) == skewSeen {
		s.offsets = slices.Delete(s.offsets, 0, 1)
	}
	s.offsets = append(s.offsets, offset)
	measured := s.measured()
	if measured > 0 && len(s.offsets) < skewSeen {
		return // it may be only the time on the way
	}
	if (measured - s.shift).Abs() <= maxSkew {
		return
	}
	if s.shift = measured.Round(time.Second); measured.Abs() <= maxSkew {
		s.shift = 0
	}
}

// measured returns by how much the clock is behind; a negative time is ahead.
func (s *skew) measured() time.Duration {
	if len(s.offsets) == 0 {
		return 0
	}
	return slices.Min(s.offsets)
}
