package document

import (
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/report"
)

// BanEffect follows the attempts that bans prevented and the honest clients that they
// hit, and writes them into the window of the event that shows it. A ban may last over
// the border of a window, so bans are followed outside of the windows. Use it from one
// goroutine at a time.
type BanEffect struct {
	after *report.Aftermath
	at    func(time.Time) *Window // nil: in no window
	turn  time.Time               // when old bans are forgotten next
	late  int                     // lines after it, in a row
	since time.Time               // the earliest of them
}

const (
	// banMemory is how long after its begin a ban is followed.
	banMemory = 8 * 24 * time.Hour
	// maxBans is the number of banned values that are followed.
	maxBans = 100_000
	// sureLines is how many lines in a row must be later than a time to show that the log
	// has passed it: a single line may have a wrong date.
	sureLines = 50
)

// NewBanEffect returns a BanEffect of bans that last for the duration.
func NewBanEffect(duration time.Duration, at func(time.Time) *Window) *BanEffect {
	return &BanEffect{after: report.NewAftermath(duration), at: at}
}

// Add takes a result of the engine. Verdicts that came while the log was silent come
// before its event.
func (b *BanEffect) Add(r *engine.Result) {
	b.pass(r.Time)
	if !isCounted(r) {
		return
	}
	findings := r.Findings
	for len(findings) > 0 && findings[0].At.Before(r.Time) {
		b.AddFindings(findings[:1])
		findings = findings[1:]
	}
	b.takeBack(r.Excused())
	b.takeBack(r.Superseded())
	if (r.Outcome == event.Noted || r.Testimony == event.MailAccepted) && r.Addr.IsValid() {
		b.observe(r)
	}
	b.AddFindings(findings)
}

// pass forgets old bans from time to time, as the log goes on.
func (b *BanEffect) pass(at time.Time) {
	if !at.After(b.turn) {
		b.late = 0
		return
	}
	if b.late == 0 || at.Before(b.since) {
		b.since = at
	}
	if b.late++; b.late >= sureLines {
		b.turn, b.late = b.since.Add(time.Hour), 0
		b.after.Forget(b.since.Add(-banMemory))
	}
}

func (b *BanEffect) observe(r *engine.Result) {
	w := b.at(r.Time)
	if class := r.Kind.Class(); class == event.Hostile || class == event.Suspect {
		if w != nil && r.Counts() && b.after.Prevented(&r.Event) {
			w.prevented += r.Attempts
		}
		return
	}
	if c, ok := b.after.Good(r); ok && w != nil {
		w.addCollateral(c)
	}
}

// takeBack uncounts attempts that do not count any more.
func (b *BanEffect) takeBack(records []event.Record) {
	for i := range records {
		e := &records[i].Event
		if w := b.at(e.Time); w != nil && b.after.Prevented(e) {
			w.prevented -= e.Attempts
		}
	}
}

// AddFindings takes findings that no line caused.
func (b *BanEffect) AddFindings(findings []engine.Finding) {
	for i := range findings {
		if findings[i].Verdict.Action == guard.Ban && b.after.Len() < maxBans {
			b.after.Ban(&findings[i])
		}
	}
}
