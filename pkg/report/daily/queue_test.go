package daily

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// oneMail adds the lines of a mail that is taken at a time, up to the delivery.
func oneMail(tracker *Tracker, host, id string, at time.Time, delay time.Duration) {
	add := func(at time.Time, flow event.Flow) {
		flow.QueueID = id
		tracker.Add(&event.Logged{Time: at, Host: host, PID: 7}, &flow)
	}
	add(at, event.Flow{Kind: event.FlowReceived, Daemon: "smtpd"})
	add(at, event.Flow{Kind: event.FlowQueued, Daemon: "qmgr", Sender: "a@b.example", Size: 100})
	at = at.Add(delay)
	add(at, event.Flow{Kind: event.FlowDelivery, Daemon: "lmtp", Recipient: "c@d.example", Status: "sent"})
	add(at, event.Flow{Kind: event.FlowRemoved, Daemon: "qmgr"})
}

// A clock that was ahead or behind must not make the tracker keep every mail from then on,
// nor forget those that are under way.
func TestAWrongClockDoesNotFillTheMemory(t *testing.T) {
	start := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	const year = 365 * 24 * time.Hour
	for name, tt := range map[string]struct {
		off   time.Duration
		lines int
	}{
		"one line a year ahead": {year, 1}, "an hour's lines a year ahead": {year, 40_000}, "two days ahead": {48 * time.Hour, 2000}, "a week ahead": {7 * 24 * time.Hour, 300},
		"one line a year behind": {-year, 1}, "an old file": {-year, 40_000}, "the log was silent for a year": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := NewFigures()
			tracker := NewTracker(Options{At: func(time.Time) *Figures { return f }})
			at, n := start, 0
			mails := func(count int, off time.Duration) {
				for range count {
					at, n = at.Add(time.Second), n+1
					oneMail(tracker, "mx1", fmt.Sprintf("%07XA", n), at.Add(off), time.Second)
				}
			}
			mails(100, 0)
			for range tt.lines {
				at = at.Add(100 * time.Millisecond)
				tracker.Add(&event.Logged{Time: at.Add(tt.off), Host: "mx1"}, &event.Flow{Kind: event.FlowMaster, Daemon: "master", Text: "reload"})
			}
			if tt.lines == 0 {
				at = at.Add(year)
			}
			mails(10_000, 0)
			if most := 6000; tracker.queue.births.len() > most || tracker.queue.settled.len() > most {
				t.Errorf("%d mails are followed and %d more kept, want at most %d of 10,100 that were removed", tracker.queue.births.len(), tracker.queue.settled.len(), most)
			}
			if tracker.Finish(); f.Received() != n || f.Delivered() != n {
				t.Errorf("%d received and %d delivered, want %d", f.Received(), f.Delivered(), n)
			}
		})
	}
}

// A mail that is under way while a line with a wrong date comes is a mail all the same.
func TestAMailOutlivesALineWithAWrongDate(t *testing.T) {
	for _, date := range []string{"2031-01-02T03:04:05Z", "2026-12-24T03:04:05Z", "2019-01-02T03:04:05Z", "1970-01-01T00:00:01Z"} {
		lines := linesOf(`
			09:00:00 smtpd[1]: AAAAAA1: client=a.example[198.51.100.7]
			09:00:01 qmgr[8]: AAAAAA1: from=<a@b.example>, size=700, nrcpt=1 (queue active)
			09:00:02 lmtp[6]: AAAAAA1: to=<c@d.example>, relay=d.example[private/lmtp], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Saved)
			09:00:02 qmgr[8]: AAAAAA1: removed`)
		want := totals(figuresOf(t, lines))
		odd := date + " mx1 postfix/anvil[9]: statistics: max cache size 1 at Jan  2 03:00:00"
		more := date + " mx1 postfix/qmgr[9]: BBBBBB2: removed"
		for at := range lines {
			log := append(append(append([]string{}, lines[:at]...), odd, more), lines[at:]...)
			if got := totals(figuresOf(t, log)); got != want {
				t.Errorf("a line of %s before line %d:\ngot  %s\nwant %s", date, at+1, got, want)
			}
		}
	}
}
