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

// backoff returns the wait after so many failures: it doubles with each, up to a minute or
// the interval of polls.
func (o *Options) backoff(failures int) time.Duration {
	wait := o.Retry << min(failures, 6)
	return max(min(wait, maxBackoff), min(o.Config.UpdateFrequency, maxBackoff))
}
