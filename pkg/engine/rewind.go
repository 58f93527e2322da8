package engine

import (
	"time"
)

// Now returns the latest time that the engine has seen, to the second; the zero
// time if none, or without scenarios.
func (e *Engine) Now() time.Time { return e.judge.Now() }

// Now returns the latest time that the judge has seen, to the second; the zero time if
// none, or without scenarios.
func (j *Judge) Now() time.Time {
	if j.guard == nil {
		return time.Time{}
	}
	return j.guard.Now()
}

// Rewind takes back a time that never was, because the clock had been ahead and
// was set right: what the engine holds from later than now would stand still until
// then. Buckets from later are emptied, what speaks for a source stays.
func (e *Engine) Rewind(now time.Time) {
	e.join.sessions = e.join.sessions.Fresh()
	e.judge.rewind(now)
}

func (j *Judge) rewind(now time.Time) {
	if j.buckets == nil {
		return
	}
	j.buckets.Rewind(now)
	j.guard.Rewind(now)
	if j.since.After(now) {
		j.since = now
	}
}
