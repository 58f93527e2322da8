package clock

import (
	"testing"
	"time"
)

func TestJump(t *testing.T) {
	at := time.Now()
	shown := time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)
	for name, tt := range map[string]struct {
		shown time.Duration // later by the clock
		at    time.Duration // later
		want  time.Duration
	}{
		"not set":             {time.Minute, time.Minute, 0},
		"set forward":         {time.Hour + time.Minute, time.Minute, time.Hour},
		"set back":            {-time.Hour, time.Minute, -time.Hour - time.Minute},
		"stands still":        {0, time.Second, -time.Second},
		"set in no time":      {time.Hour, 0, time.Hour},
		"another time zone":   {0, 0, 0},
		"drift of a second":   {time.Minute + time.Second, time.Minute, time.Second},
		"a host that slept":   {8 * time.Hour, time.Second, 8*time.Hour - time.Second},
		"a day without a set": {24 * time.Hour, 24 * time.Hour, 0},
	} {
		r := Reading{Shown: shown, At: at}
		later := shown.Add(tt.shown).In(time.FixedZone("", 3600))
		if got := r.Jump(later, at.Add(tt.at)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// A wall clock that was set must not change the answer: time.Now has a monotonic part,
// and the difference of two goes by it.
func TestJumpOfOneClockIsZero(t *testing.T) {
	first := time.Now()
	r := Reading{Shown: first, At: first}
	now := time.Now()
	if got := r.Jump(now, now).Abs(); got > time.Millisecond {
		t.Errorf("got a jump of %s, want none", got)
	}
}

func TestNow(t *testing.T) {
	at := time.Now()
	r := Reading{Shown: time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC), At: at}
	want := time.Date(2026, 6, 3, 4, 12, 9, 0, time.UTC)
	if got := r.Now(at.Add(time.Minute)); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.IsZero() || !(Reading{}).IsZero() {
		t.Errorf("got IsZero %t and %t, want false and true", r.IsZero(), Reading{}.IsZero())
	}
}
