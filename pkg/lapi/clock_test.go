package lapi

import (
	"testing"
	"testing/synctest"
	"time"
)

// Bans count by the clock of the LAPI, which ends them: by it, a renewal lasts until
// its end, and one whose end has come is not told.
func TestPushByTheirClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"years ahead": 1000 * 24 * time.Hour, "years behind": -1000 * 24 * time.Hour, "a second ahead": time.Second} {
		t.Run(name, func(t *testing.T) {
			shown := time.Now().Add(ahead)
			f := &fakeLAPI{clock: shown}
			c := f.serve(t)
			push := func(o PushOptions) Outcome {
				t.Helper()
				outcomes, err := c.Push(t.Context(), alertsOn(1), o)
				if err != nil || len(outcomes) != 1 {
					t.Fatalf("got %v, %v, want 1 outcomes", outcomes, err)
				}
				return outcomes[0]
			}
			push(PushOptions{Duration: time.Hour})
			push(PushOptions{Duration: 30 * time.Hour, Renewal: 1, Until: shown.Add(2 * time.Hour)})
			for i, want := range []time.Duration{time.Hour, 2 * time.Hour} {
				stop, err := time.Parse(time.RFC3339Nano, *f.alerts[i].StopAt)
				if err != nil {
					t.Fatal(err)
				}
				length, err := time.ParseDuration(*f.alerts[i].Decisions[0].Duration)
				if err != nil {
					t.Fatal(err)
				}
				if off := stop.Add(length).Sub(shown.Add(want)); off.Abs() > sameClock {
					t.Errorf("alert %d: its ban ends %s too late, want Abs at most %v", i+1, off, sameClock)
				}
			}
			const over = "the ban was over before it could be renewed"
			for _, until := range []time.Duration{-time.Hour, -sameClock - time.Second} {
				if got := push(PushOptions{Duration: time.Hour, Renewal: 2, Until: shown.Add(until)}); got.Status != HeldBack || got.Reason != over {
					t.Errorf("over for %s: %s %q, want Status %s, Reason %q", -until, got.Status, got.Reason, HeldBack, over)
				}
			}
		})
	}
}

// Without a length an alert carries no ban, and the profiles would begin another one:
// a renewal whose time has come to the second is not told.
func TestRenewalAtItsEnd(t *testing.T) {
	const over = "192.0.2.1 held-back the ban was over before it could be renewed"
	for left, want := range map[time.Duration]string{
		-time.Second: over, 0: over, 499 * time.Millisecond: over,
		500 * time.Millisecond: "192.0.2.1 pushed 1", time.Second: "192.0.2.1 pushed 1",
	} {
		t.Run(left.String(), func(t *testing.T) {
			f := &fakeLAPI{}
			o := PushOptions{Duration: 30 * 24 * time.Hour, Renewal: 1, Now: now, Until: now.Add(left)}
			wantText(t, "outcomes", mustPush(t, f.serve(t), o, alertOn("192.0.2.1")), want)
			for _, a := range f.alerts {
				if len(a.Decisions) != 1 || *a.Decisions[0].Duration != "1s" {
					t.Errorf("decisions %+v, want 1 Decisions, Duration 1s", a.Decisions)
				}
			}
		})
	}
}

// The clock goes on with the time that passes, is ours where the two agree, and ours
// while nothing is known.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for ahead, want := range map[time.Duration]time.Duration{
			sameClock: 0, -sameClock: 0, sameClock + 1: sameClock + 1, -sameClock - 1: -sameClock - 1, time.Hour: time.Hour,
		} {
			c := &serverClock{}
			if got := c.now(); !got.Equal(time.Now()) {
				t.Errorf("unknown: %s, want %s", got, time.Now())
			}
			c.set(time.Now().Add(ahead), time.Now())
			time.Sleep(time.Minute) // of the bubble
			if got := time.Until(c.now()); got != want {
				t.Errorf("%s ahead: %s, want %s", ahead, got, want)
			}
		}
	})
}
