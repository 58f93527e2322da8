package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"csmail/pkg/input"
	"csmail/pkg/report/document"
	"csmail/pkg/state"
)

// show is what a test compares of findings.
func show(found []document.Finding) string {
	var parts []string
	for _, f := range found {
		if f.Advice == "" || f.Detail == "" || f.Subjects == nil {
			parts = append(parts, "nothing to do, or no subjects:")
		}
		parts = append(parts, fmt.Sprintf("%s %s %d: %s", f.Severity, f.ID, f.Count, f.Title))
	}
	return strings.Join(parts, "; ")
}

func TestWaitingFindings(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	held := func(ages ...time.Duration) (entries []state.Entry) {
		for _, age := range ages {
			entries = append(entries, state.Entry{Queued: ago(age)})
		}
		return entries
	}
	away := func(d time.Duration) lapiFailure { return lapiFailure{since: ago(d), why: "connection refused"} }
	for name, tt := range map[string]struct {
		found []document.Finding
		want  string
	}{
		"nothing held":              {heldWaiting(nil, now), ""},
		"held since this morning":   {heldWaiting(held(23*time.Hour), now), ""},
		"held for a day":            {heldWaiting(held(24*time.Hour, time.Hour), now), "warn held-waiting 1: 1 alert is held for more than a day"},
		"several held":              {heldWaiting(held(25*time.Hour, time.Hour, 80*time.Hour), now), "warn held-waiting 2: 2 alerts are held for more than a day"},
		"LAPI fine":                 {lapiUnreachable(lapiFailure{}, 5, now, time.UTC), ""},
		"LAPI restarts":             {lapiUnreachable(away(time.Minute), 5, now, time.UTC), ""},
		"LAPI away":                 {lapiUnreachable(away(3*time.Hour), 5, now, time.UTC), "warn lapi-unreachable 5: The LAPI has not been reached since 2026-11-28 09:00; 5 alerts wait"},
		"outbox empty":              {outboxGrows(0, time.Time{}, now), ""},
		"outbox at work":            {outboxGrows(900, ago(time.Minute), now), ""},
		"outbox long":               {outboxGrows(1000, ago(time.Minute), now), "warn outbox-grows 1000: 1000 alerts wait to be sent, though the LAPI answers"},
		"outbox old":                {outboxGrows(1, ago(time.Hour), now), "warn outbox-grows 1: 1 alert waits to be sent, though the LAPI answers"},
		"source caught up":          {sourceLags("mail.log", input.Status{LastLine: ago(9 * time.Hour)}, now), ""},
		"source of unknown lag":     {sourceLags("journal", input.Status{Lag: -1, LastLine: ago(9 * time.Hour)}, now), ""},
		"source a little behind":    {sourceLags("mail.log", input.Status{Lag: 5000, LastLine: ago(time.Second)}, now), ""},
		"source far behind":         {sourceLags("mail.log", input.Status{Lag: 20 << 20, LastLine: now}, now), "warn source-lags 20480: mail.log is read behind: 20480 KB wait"},
		"source that stands still":  {sourceLags("mail.log", input.Status{Lag: 5000, LastLine: ago(5 * time.Minute)}, now), "warn source-lags 4: mail.log is read behind: 4 KB wait"},
		"source without a line yet": {sourceLags("mail.log", input.Status{Lag: 5000}, now), ""},
	} {
		if got := show(tt.found); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
