package follow

import (
	"context"
	"time"
)

// clock is the seam for tests.
type clock interface {
	Now() time.Time
	// After returns a channel that ticks once after d, and what stops it.
	After(d time.Duration) (tick <-chan time.Time, stop func())
}

// wallClock has the timers of the system, and its time unless now is set.
type wallClock struct{ now func() time.Time }

func (c wallClock) Now() time.Time {
	if c.now != nil {
		return c.now()
	}
	return time.Now()
}

func (wallClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// pause waits for d, or until wake, or until ctx ends, whose cause it returns.
func pause(ctx context.Context, c clock, d time.Duration, wake <-chan struct{}) error {
	tick, stop := c.After(d)
	defer stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-wake:
	case <-tick:
	}
	return context.Cause(ctx)
}

// backoff is the time before the next try: it doubles from half a second to
// half a minute, and starts anew after success.
type backoff struct{ next time.Duration }

const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
)

func (b *backoff) fail() time.Duration {
	d := max(b.next, firstRetry)
	b.next = min(2*d, lastRetry)
	return d
}

func (b *backoff) succeed() { b.next = 0 }
