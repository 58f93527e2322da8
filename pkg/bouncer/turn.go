package bouncer

import (
	"context"
	"time"
)

// PollSoon has Run poll the LAPI at once, and not only at its next turn: a person has just
// ended a decision there.
func (b *Bouncer) PollSoon() {
	select {
	case b.soon <- struct{}{}:
	default: // it will
	}
}

// rest waits until the next poll is due.
func (b *Bouncer) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-b.soon:
	case <-timer.C:
	}
}

// backoff returns a wait that grows with the failures, up to a minute or the interval of
// polls.
func backoff(frequency time.Duration, failures int) time.Duration {
	wait := time.Second << min(failures, 6)
	return max(min(wait, maxBackoff), min(frequency, maxBackoff))
}
