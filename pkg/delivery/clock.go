package delivery

import "time"

// reading is the last reading of a clock.
type reading struct {
	shown time.Time
	at    time.Time // with the monotonic reading
}

// wasSetBack reports whether the clock shows less than its last reading plus the time
// that has passed since. The first call reports true, since there is nothing to compare
// with.
func (r *reading) wasSetBack(shown time.Time) bool {
	now := time.Now()
	back := r.at.IsZero() || shown.Round(0).Before(r.shown.Add(now.Sub(r.at)-slack))
	r.shown, r.at = shown.Round(0), now
	return back
}
