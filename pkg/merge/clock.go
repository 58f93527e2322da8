package merge

import (
	"slices"
	"time"
)

// clock is the stream's clock: it goes by the broker's stamps, but a gap in which nobody
// sent anything counts for a second at most. So an outage of the broker, in which all
// hosts are silent, makes none of them late.
type clock struct {
	now   time.Duration // since the first batch
	first time.Time     // stamp
	last  time.Time     // stamp
}

// time returns the clock's time, which an outage leaves behind the broker's.
func (c *clock) time() time.Time { return c.first.Add(c.now) }

// maxGap is what a gap counts at most. Hosts send each second when they have nothing to
// say.
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

// skew measures how far the clock of a host is from the broker's, by when it sent a
// batch and when the broker got it. What a batch takes on its way makes a clock look
// behind, never ahead: so of the latest ones the fastest counts.
type skew struct {
	offsets []time.Duration // the latest, oldest first
	shift   time.Duration   // by which the host's times are moved
}

const (
	// skewSeen is how many batches are looked at.
	skewSeen = 8
	// maxSkew is what is left alone.
	maxSkew = 2 * time.Second
)

func (s *skew) observe(offset time.Duration) {
	if len(s.offsets) == skewSeen {
		s.offsets = slices.Delete(s.offsets, 0, 1)
	}
	s.offsets = append(s.offsets, offset)
	measured := s.measured()
	if measured > 0 && len(s.offsets) < skewSeen {
		return // it may be the way only
	}
	if (measured - s.shift).Abs() <= maxSkew {
		return
	}
	if s.shift = measured; measured.Abs() <= maxSkew {
		s.shift = 0
	}
}

// measured returns how far the clock is behind; it is negative if that is ahead.
func (s *skew) measured() time.Duration {
	if len(s.offsets) == 0 {
		return 0
	}
	return slices.Min(s.offsets)
}
