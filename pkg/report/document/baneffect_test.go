package document

import (
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/report"
)

// A ban is followed until the log has gone on for eight days. A few lines of another date
// are no sign of that.
func TestBanEffectAndOddDates(t *testing.T) {
	start := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	banned := netip.MustParseAddr("203.0.113.7")
	const days = 24 * time.Hour
	type lines struct {
		after time.Duration
		count int
	}
	for name, tt := range map[string]struct {
		between []lines
		forgets bool
	}{
		"no line":                   {nil, false},
		"one of the next month":     {[]lines{{30 * days, 1}}, false},
		"one of another year":       {[]lines{{365 * days, 1}}, false},
		"one of the last year":      {[]lines{{-365 * days, 1}}, false},
		"a host whose clock is odd": {[]lines{{30 * days, 20}, {time.Minute, 1}, {30 * days, 40}, {time.Minute, 1}, {30 * days, 40}}, false},
		"days of a usual log":       {[]lines{{1 * days, 100}, {3 * days, 100}, {7 * days, 100}}, false},
		"nine days":                 {[]lines{{5 * days, 100}, {9 * days, 100}}, true},
	} {
		w := NewWindow(report.Scope{})
		bans := NewBanEffect(4*time.Hour, func(time.Time) *Window { return w })
		attempt := func(addr netip.Addr, after time.Duration) {
			r := event.Record{Outcome: event.Noted, Event: event.Event{Kind: event.AuthFailed, Service: event.Postfix, Attempts: 1, Addr: addr, Time: start.Add(after), User: "bob"}}
			bans.Add(&engine.Result{Record: &r})
		}
		attempt(banned, 0)
		bans.AddFindings([]engine.Finding{{Alert: event.Alert{Scope: event.ScopeIP, Source: banned}, Verdict: guard.Verdict{Action: guard.Ban}, At: start}})
		want := 1
		for _, l := range tt.between {
			for range l.count {
				attempt(netip.MustParseAddr("198.51.100.1"), l.after)
			}
		}
		if tt.forgets {
			want = 0
		}
		if attempt(banned, time.Hour); w.prevented != want {
			t.Errorf("after %s, the ban prevented %d attempts; want %d", name, w.prevented, want)
		}
		if has := bans.after.Len() > 0; has == tt.forgets {
			t.Errorf("after %s, the ban is followed: %v", name, has)
		}
	}
}
