package guard

import (
	"testing"
	"time"

	"csmail/pkg/event"
)

// A log that ends while somebody may yet type the right password bans him only if
// the time for that is over when somebody asks.
func TestSettleOfJustNow(t *testing.T) {
	for name, tt := range map[string]struct {
		asked time.Duration // after the last failure
		want  string
	}{
		"at once":                 {0, "hold typing: 3 failed logins on one account: waiting until 2026-06-03 04:05:20 UTC for the right password"},
		"before the wait is over": {5*time.Minute - time.Second, "hold typing: 3 failed logins on one account: waiting until 2026-06-03 04:05:20 UTC for the right password"},
		"when it is over":         {5 * time.Minute, "ban none: 3 attempts count, 3 are enough"},
		"a year later":            {365 * 24 * time.Hour, "ban none: 3 attempts count, 3 are enough"},
		"by a clock that is slow": {-time.Hour, "hold typing: 3 failed logins on one account: waiting until 2026-06-03 04:05:20 UTC for the right password"},
	} {
		g, now := told(Options{}, func(s *scene) {
			for i := range 3 {
				s.fail(time.Duration(i)*10*time.Second, "192.0.2.1", "bob", event.Dovecot)
			}
		})
		if v := g.Decide(found("192.0.2.1", 3, now), now); !v.Pending {
			t.Fatalf("%s: %s, nothing to wait for", name, v.Action)
		}
		rulings := g.Settle(now.Add(tt.asked))
		if len(rulings) != 1 || g.Pending() != 0 {
			t.Errorf("%s: %d rulings, %d wait", name, len(rulings), g.Pending())
			continue
		}
		v := rulings[0].Verdict
		if got := v.Action.String() + " " + v.Rule.String() + ": " + v.Reason; got != tt.want || v.Pending {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
