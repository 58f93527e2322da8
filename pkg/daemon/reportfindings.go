package daemon

import (
	"fmt"
	"time"

	"csmail/pkg/input"
	"csmail/pkg/report/document"
	"csmail/pkg/state"
)

const (
	// heldLong is how long an alert is held before a person should look.
	heldLong = 24 * time.Hour
	// manyPending and pendingLong say when the outbox grows: alerts wait faster than the
	// LAPI takes them.
	manyPending = 1000
	pendingLong = time.Hour
	// muchLag and lagLong say when a log is not read as fast as it is written.
	muchLag = 10 << 20
	lagLong = 5 * time.Minute
)

// waitingFindings returns the findings that no log shows: what waits for a person, for the
// LAPI, or to be read.
func (d answers) waitingFindings() []document.Finding {
	var found []document.Finding
	now := d.options.Now()
	if held, err := d.store.Held(0, state.DefaultMaxHeld); err == nil {
		found = append(found, heldWaiting(held, now)...)
	}
	for _, f := range d.feeds {
		found = append(found, sourceLags(f.Input.Name(), f.Input.Status(), now)...)
	}
	if d.sender == nil { // before the start is over no request was made
		return found
	}
	stats, failing := d.store.Stats(), failureOf(d.sent(), d.presence)
	if away := lapiUnreachable(failing, stats.Pending, now, d.reports.options.Zone); away != nil {
		return append(found, away...)
	}
	return append(found, outboxGrows(stats.Pending, stats.Oldest, now)...)
}

func heldWaiting(held []state.Entry, now time.Time) []document.Finding {
	n, oldest := 0, now
	for _, e := range held {
		if now.Sub(e.Queued) < heldLong {
			continue
		}
		n++
		if e.Queued.Before(oldest) {
			oldest = e.Queued
		}
	}
	if n == 0 {
		return nil
	}
	return []document.Finding{{
		ID: "held-waiting", Severity: document.Warn, Count: n, Since: oldest, Until: now, Subjects: []string{},
		Title:  plural(n, "alert is", "alerts are") + " held for more than a day",
		Detail: "Nobody has released or dropped them, so whoever they are about is not banned.", Advice: "csmail held list",
	}}
}

func lapiUnreachable(failing lapiFailure, pending int, now time.Time, zone *time.Location) []document.Finding {
	if failing.since.IsZero() || now.Sub(failing.since) < lapiGrace {
		return nil
	}
	return []document.Finding{{
		ID: "lapi-unreachable", Severity: document.Warn, Count: pending, Since: failing.since, Until: now, Subjects: []string{},
		Title:  fmt.Sprintf("The LAPI has not been reached since %s; %s", failing.since.In(zone).Format("2006-01-02 15:04"), plural(pending, "alert waits", "alerts wait")),
		Detail: failing.why + ". No ban gets through meanwhile.", Advice: "systemctl status crowdsec; csmail status",
	}}
}

func outboxGrows(pending int, oldest, now time.Time) []document.Finding {
	if pending == 0 || pending < manyPending && now.Sub(oldest) < pendingLong {
		return nil
	}
	return []document.Finding{{
		ID: "outbox-grows", Severity: document.Warn, Count: pending, Since: oldest, Until: now, Subjects: []string{},
		Title:  plural(pending, "alert waits", "alerts wait") + " to be sent, though the LAPI answers",
		Detail: "Bans come late. The LAPI takes alerts more slowly than they are made.", Advice: "csmail outbox list",
	}}
}

func sourceLags(name string, s input.Status, now time.Time) []document.Finding {
	isStuck := s.Lag > 0 && !s.LastLine.IsZero() && now.Sub(s.LastLine) >= lagLong
	if s.Lag < muchLag && !isStuck {
		return nil
	}
	return []document.Finding{{
		ID: "source-lags", Severity: document.Warn, Count: int(s.Lag >> 10), Since: s.LastLine, Until: now, Subjects: []string{name},
		Title:  fmt.Sprintf("%s is read behind: %d KB wait", name, s.Lag>>10),
		Detail: "Bans come late, and the figures of the last hours are not complete.", Advice: "csmail status",
	}}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
