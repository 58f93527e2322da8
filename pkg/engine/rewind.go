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

// Rewind drops state dated after now, once a clock that ran ahead is corrected. That
// state would otherwise not expire until the clock catches up. Buckets of later times are
// emptied, proofs of good sources stay.
func (e *Engine) Rewind(now time.Time) {
	e.join.sessions = e.join.sessions.Fresh()
	e.judge.rewind(now)
}

// rewind does the work of Rewind for the Judge.
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
