package engine

import (
	"time"
)

// Now returns the latest time that the engine has seen, to the second; the zero
// time if none, or without scenarios.
func (e *Engine) Now() time.Time {
	if e.guard == nil {
		return time.Time{}
	}
	return e.guard.Now()
}

// Rewind takes back a time that never was, because the clock had been ahead and
// was set right: what the engine holds from later than now would stand still until
// then. Buckets from later are emptied, what speaks for a source stays.
func (e *Engine) Rewind(now time.Time) {
	e.sessions = e.sessions.Fresh()
	if e.buckets == nil {
		return
	}
	e.buckets.Rewind(now)
	e.guard.Rewind(now)
	if e.since.After(now) {
		e.since = now
	}
}
