// Package clock compares readings of a wall clock, to notice that the clock was set.
//
// The problem: a wall clock may be set back or forward at any time, and another host's
// clock may be wrong. The mechanism: each reading holds the time that the clock showed
// and the moment of the reading on the monotonic clock (CLOCK_MONOTONIC, clock_gettime(2)),
// which nobody can set. For example, if the clock shows one hour less than the last
// reading plus the time since, it was set back by an hour.
//
// The package reads no clock itself: the times are arguments. It does no I/O.
package clock

import "time"

// Reading is what a clock showed at a moment. The zero Reading is none.
type Reading struct {
	Shown time.Time // by the clock
	At    time.Time // the moment, a time.Now with its monotonic part
}

// IsZero reports whether there was no reading yet.
func (r Reading) IsZero() bool { return r.At.IsZero() }

// Now returns the time that the clock shows at a later moment, if it was not set since.
// It also holds for the clock of another host, and if this host's own clock was set.
func (r Reading) Now(at time.Time) time.Time { return r.Shown.Add(at.Sub(r.At)) }

// Jump returns by how much the clock was set between the reading and a later moment at
// which it showed another time: positive if forward, negative if back. Drift and the
// delay of the reading are part of it, so small values mean nothing.
func (r Reading) Jump(shown, at time.Time) time.Duration {
	return shown.Round(0).Sub(r.Shown.Round(0)) - at.Sub(r.At)
}
