package document

import (
	"maps"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// DaysOptions are what Days need.
type DaysOptions struct {
	Zone     *time.Location // of the days
	ZoneName string         // as in /usr/share/zoneinfo
	Bans     time.Duration  // how long a ban lasts
}

// Days gather the reports of calendar days while the lines come in. A day is open
// until an hour after its end, because lines come late; then its report is made and
// it is closed. What is followed over midnight (mails, accounts' habits) is the
// same for all days. Use it from one goroutine at a time.
type Days struct {
	options DaysOptions
	tracker *daily.Tracker
	open    map[string]*Window // by date
	latest  *Window            // of the line before
	closed  string             // the newest date that is closed
	first   time.Time          // of the first line ever: the days after it are whole
	now     time.Time          // of the newest line
	habits  habits
}

const (
	// lateLines is how long after its end a day is open.
	lateLines = time.Hour
	// maxOpen bounds the days that are open. There are more than two only while a
	// first start reads back.
	maxOpen = 20
)

// NewDays returns Days without any.
func NewDays(o DaysOptions) *Days {
	if o.Zone == nil {
		o.Zone = time.Local
	}
	d := &Days{options: o, open: map[string]*Window{}, habits: habits{}}
	d.tracker = daily.NewTracker(daily.Options{Zone: o.Zone, At: d.figures})
	return d
}

// Add takes what one line reports about the way of a mail, if it does.
func (d *Days) Add(record *event.Record) {
	d.see(record.Time)
	if w := d.window(record.Time); w != nil {
		w.Note(record)
	}
	d.tracker.Add(record, record.Flow)
}

// Count counts lines that were read, up to one of the given time.
func (d *Days) Count(at time.Time, lines, missed uint64) {
	if w := d.window(at); w != nil {
		w.Lines += int64(lines)
		w.Missed += int64(missed)
	}
}

// AddResult takes a result of the engine.
func (d *Days) AddResult(result engine.Result) {
	d.see(result.Time)
	d.window(result.Time)
	findings := result.Findings
	for _, w := range d.open {
		result.Findings = findingsIn(w, findings)
		w.Add(result)
	}
	if result.Outcome == event.Noted && !result.Folded {
		d.tracker.AddEvent(&result.Event)
	}
}

// AddFindings takes findings that no line made.
func (d *Days) AddFindings(findings []engine.Finding) {
	for _, w := range d.open {
		w.AddFindings(findingsIn(w, findings))
	}
}

// findingsIn returns those of a window. Nearly always it is all of them.
func findingsIn(w *Window, findings []engine.Finding) []engine.Finding {
	if !slices.ContainsFunc(findings, func(f engine.Finding) bool { return !w.Holds(f.At) }) {
		return findings
	}
	var in []engine.Finding
	for _, f := range findings {
		if w.Holds(f.At) {
			in = append(in, f)
		}
	}
	return in
}

func (d *Days) see(at time.Time) {
	if at.IsZero() {
		return
	}
	if d.first.IsZero() {
		d.first = at
	}
	if at.After(d.now) {
		d.now = at
	}
}

// window returns the day of a time, nil if it is closed or there are too many.
func (d *Days) window(at time.Time) *Window {
	if d.latest != nil && d.latest.Holds(at) {
		return d.latest
	}
	if at.IsZero() {
		return nil
	}
	date := at.In(d.options.Zone).Format(time.DateOnly)
	if date <= d.closed {
		return nil
	}
	w := d.open[date]
	if w == nil {
		if len(d.open) >= maxOpen {
			return nil
		}
		w = NewWindow(d.scope(date), d.options.Bans)
		d.open[date] = w
	}
	d.latest = w
	return w
}

func (d *Days) figures(at time.Time) *daily.Figures {
	if w := d.window(at); w != nil {
		return w.Figures
	}
	return nil
}

// scope is a calendar day.
func (d *Days) scope(date string) report.Scope {
	start, err := time.ParseInLocation(time.DateOnly, date, d.options.Zone)
	if err != nil {
		return report.Scope{}
	}
	return report.Scope{Since: start, Until: start.AddDate(0, 0, 1)}
}

// Due returns the dates of the days that are over at a time, the oldest first. The
// time is that of the log while it is read back, else the clock's.
func (d *Days) Due(now time.Time) []string {
	var due []string
	for _, date := range slices.Sorted(maps.Keys(d.open)) {
		if !now.Before(d.open[date].Scope.Until.Add(lateLines)) {
			due = append(due, date)
		}
	}
	return due
}

// Latest returns the time of the newest line.
func (d *Days) Latest() time.Time { return d.now }

// IsWhole reports whether everything of a date was seen, up to now.
func (d *Days) IsWhole(date string) bool {
	return !d.first.IsZero() && d.first.In(d.options.Zone).Format(time.DateOnly) < date
}

// IsOpen reports whether a date has a day that is open.
func (d *Days) IsOpen(date string) bool { return d.open[date] != nil }

// Surroundings are what a report says beyond its own day.
type Surroundings struct {
	Generated time.Time
	Before    []Day     // the days before it
	Findings  []Finding // that others made, as of what waits for the LAPI
}

// Report makes the report of an open day as it stands, nil if it is not open.
func (d *Days) Report(date string, around Surroundings) *Document {
	w := d.open[date]
	if w == nil {
		return nil
	}
	in := w.Input()
	in.Generated, in.Zone, in.ZoneName = around.Generated, d.options.Zone, d.options.ZoneName
	in.Before, in.Others = around.Before, around.Findings
	in.From, in.To = w.Scope.Since, w.Scope.Until
	if d.habits != nil {
		in.Usual = func(account string) int { return d.habits.most(account, date) }
	}
	unfinished := d.tracker.Unfinished(w.Figures)
	w.Figures.NotCompleted += unfinished
	defer func() { w.Figures.NotCompleted -= unfinished }()
	return New(in)
}

// Close forgets a day whose report was stored.
func (d *Days) Close(date string) {
	w := d.open[date]
	if w == nil {
		return
	}
	d.habits.learn(date, w.watch.networksOf())
	delete(d.open, date)
	d.latest = nil
	d.closed = max(d.closed, date)
}

// habits are from how many networks accounts logged in on one day, by account.
type habits map[string][]habit

// habit is one day of an account. Days with one network are not kept.
type habit struct {
	Date string
	N    int
}

const (
	maxHabits = 100_000 // accounts
	habitDays = 30
)

// most returns the most networks of one of the 30 days before a date.
func (h habits) most(account, date string) int {
	most := 0
	oldest := daysBefore(date, habitDays)
	for _, one := range h[account] {
		if one.Date >= oldest && one.Date < date {
			most = max(most, one.N)
		}
	}
	return most
}

func (h habits) learn(date string, networks map[string]int) {
	oldest := daysBefore(date, habitDays)
	for account, days := range h {
		if days = slices.DeleteFunc(days, func(one habit) bool { return one.Date < oldest }); len(days) == 0 {
			delete(h, account)
			continue
		}
		h[account] = days
	}
	for account, n := range networks {
		if n < 2 || h[account] == nil && len(h) >= maxHabits {
			continue
		}
		account = strings.Clone(account)
		h[account] = append(h[account], habit{date, n})
	}
}

func daysBefore(date string, days int) string {
	at, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return at.AddDate(0, 0, -days).Format(time.DateOnly)
}
