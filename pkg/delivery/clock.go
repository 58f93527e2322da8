package delivery

import "time"

// reading is what a clock showed when it was looked at last.
type reading struct {
	shown time.Time
	at    time.Time // with the monotonic reading
}

// wasSetBack tells whether the clock shows less than what it showed and what has
// passed since. Of a clock that was not looked at yet, nobody knows: it was.
func (r *reading) wasSetBack(shown time.Time) bool {
	now := time.Now()
	back := r.at.IsZero() || shown.Round(0).Before(r.shown.Add(now.Sub(r.at)-slack))
	r.shown, r.at = shown.Round(0), now
	return back
}
