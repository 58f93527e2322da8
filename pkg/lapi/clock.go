package lapi

import (
	"net/http"
	"sync"
	"time"

	"csmail/pkg/clock"
)

// sameClock is how far two clocks may be apart and count as one: the Date of an
// answer has whole seconds (RFC 9110 5.6.7), and an answer is under way.
const sameClock = 5 * time.Second

// serverClock is the LAPI's clock, as far as its answers show it. The LAPI ends a ban by its
// own clock, so a ban that counted from this host's clock would be too long or too short
// by the difference.
type serverClock struct {
	mu   sync.Mutex
	last clock.Reading // zero: not known yet
}

func (c *serverClock) set(shown, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = clock.Reading{Shown: shown, At: at}
}

// now is the present by the LAPI's clock. It is this host's time if the two clocks
// agree.
func (c *serverClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ours := time.Now()
	if c.last.IsZero() {
		return ours
	}
	theirs := c.last.Now(ours)
	if theirs.Sub(ours.Round(0)).Abs() <= sameClock {
		return ours
	}
	return theirs
}

// datedAnswers reads the clock off each answer.
type datedAnswers struct {
	next  http.RoundTripper
	clock *serverClock
}

var _ http.RoundTripper = datedAnswers{}

func (d datedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if shown, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		d.clock.set(shown, time.Now())
	}
	return resp, nil
}

// Ahead returns how far the LAPI's clock is ahead of this host's, to about a second; 0 if
// they agree or no answer came yet.
func (c *Client) Ahead() time.Duration { return time.Until(c.clock.now()).Round(time.Second) }
