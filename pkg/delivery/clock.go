package delivery

import (
	"time"

	"csmail/pkg/clock"
)

// wasSetBack reports whether a clock shows less than its last reading plus the time that
// has passed since, and replaces the reading. The first call reports true, since there is
// nothing to compare with.
func wasSetBack(last *clock.Reading, shown time.Time) bool {
	now := time.Now()
	back := last.IsZero() || last.Jump(shown, now) < -slack
	*last = clock.Reading{Shown: shown.Round(0), At: now}
	return back
}
