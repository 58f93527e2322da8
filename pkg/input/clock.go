package input

import (
	"context"
	"time"
)

// Clock is the seam for tests.
type Clock interface {
	Now() time.Time
	// After returns a channel that ticks once after d, and a function that stops it.
	After(d time.Duration) (tick <-chan time.Time, stop func())
}

// WallClock has the timers of the system, and its time unless Time is set.
type WallClock struct{ Time func() time.Time }

// Now returns the time.
func (c WallClock) Now() time.Time {
	if c.Time != nil {
		return c.Time()
	}
	return time.Now()
}

// After is time.NewTimer.
func (WallClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// Pause waits for d, or until wake, or until ctx ends. In the last case it returns the
// cause.
func Pause(ctx context.Context, c Clock, d time.Duration, wake <-chan struct{}) error {
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

// Backoff is the time before the next try. It doubles from half a second to half a
// minute, and starts again after a success.
type Backoff struct{ next time.Duration }

// The first and the last time to wait.
const (
	FirstRetry = 500 * time.Millisecond
	LastRetry  = 30 * time.Second
)

// Fail returns how long to wait after one more failure.
func (b *Backoff) Fail() time.Duration {
	d := max(b.next, FirstRetry)
	b.next = min(2*d, LastRetry)
	return d
}

// Succeed resets the time.
func (b *Backoff) Succeed() { b.next = 0 }
