package document

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// DaysOptions are the settings of Days.
type DaysOptions struct {
	Zone     *time.Location // of the hours and days
	ZoneName string         // as in /usr/share/zoneinfo
	Bans     time.Duration  // how long a ban lasts
}

// Days gather what reports are made from while the lines come in: one Window an hour,
// which merge to the report of any hours. An hour is in memory until an hour after its
// end, because lines come late. Then it is encoded, and the caller takes it to store it
// under the hour's key. What comes later still, or corrects what was counted (a mail on
// hold gets its size when it is released), is a window of its own with the same key: the
// caller merges it into what it has stored. What is followed over the hours (mails,
// bans, accounts' habits, an outage of the resolver) is the same for all of them. Use it
// from one goroutine at a time.
type Days struct {
	options DaysOptions
	tracker *daily.Tracker
	logins  *daily.Logins
	open    map[string]*Window // by key
	latest  *Window            // of the last line
	over    map[string][]byte  // encoded hours that were not taken yet, by key
	first   time.Time          // of the first line ever: hours after it are whole
	now     time.Time          // of the newest line
	turn    time.Time          // when the next hour may be over
	bans    *BanEffect
	habits  *habits
	outage  outage // of the resolver, for all windows
	err     error  // of the first hour that could not be encoded
}

const (
	// lateLines is how long after its end an hour is in memory.
	lateLines = time.Hour
	// maxOpen bounds the hours in memory. There are more than three only while logs are
	// read back that are not in order.
	maxOpen = 12
)

// NewDays returns Days without any day.
func NewDays(o DaysOptions) *Days {
	if o.Zone == nil {
		o.Zone = time.Local
	}
	d := &Days{options: o, open: map[string]*Window{}, over: map[string][]byte{}, habits: newHabits()}
	d.tracker = daily.NewTracker(daily.Options{Zone: o.Zone, At: d.figures})
	d.logins = daily.NewLogins(daily.Options{Zone: o.Zone, At: d.figures})
	d.bans = NewBanEffect(o.Bans, d.window)
	return d
}

// Add takes a line about the way of a mail.
func (d *Days) Add(record *event.Record) {
	d.see(record.Time)
	logged := record.Logged()
	if w := d.window(record.Time); w != nil {
		w.Note(&logged)
	}
	d.tracker.Add(&logged, record.Flow)
}

// Count counts lines read up to one of the given time.
func (d *Days) Count(at time.Time, lines, missed uint64) {
	if w := d.window(at); w != nil {
		w.Lines += int64(lines)
		w.Missed += int64(missed)
	}
}

// AddResult takes a result of the engine.
func (d *Days) AddResult(result *engine.Result) {
	d.see(result.Time)
	d.bans.Add(result)
	if result.Outcome == event.Noted && !result.Folded {
		d.logins.Add(result.Record)
	}
	own := d.window(result.Time)
	if own != nil && len(result.Findings) == 0 && len(result.Excused()) == 0 && len(result.Superseded()) == 0 {
		own.Add(result)
		return
	}
	d.AddFindings(result.Findings)
	rest := *result
	rest.Findings = nil
	for _, w := range d.open {
		w.Add(&rest) // each undoes its own counts
	}
}

// AddFindings takes findings that no line caused.
func (d *Days) AddFindings(findings []engine.Finding) {
	for i := range findings {
		if w := d.window(findings[i].At); w != nil {
			w.AddFindings(findings[i : i+1])
		}
	}
}

// AddSilent takes findings that no line made, but the time.
func (d *Days) AddSilent(findings []engine.Finding) {
	d.bans.AddFindings(findings)
	d.AddFindings(findings)
}

// see notes the time of a line.
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
	if !d.now.Before(d.turn) {
		d.turn = d.hourOf(d.now).Add(time.Hour)
		d.closeBefore(d.now)
	}
}

// keyForm is that of an hour's key: its beginning, in UTC.
const keyForm = "2006-01-02T15:04Z"

// Key returns the key of the hour that begins at a time.
func Key(hour time.Time) string { return hour.UTC().Format(keyForm) }

// ParseKey returns the beginning of the hour of a key.
func ParseKey(key string) (time.Time, error) { return time.Parse(keyForm, key) }

// HourOf returns the beginning of the hour of a time in a zone.
func HourOf(at time.Time, zone *time.Location) time.Time {
	_, minute, second := at.In(zone).Clock()
	return at.Add(-time.Duration(minute)*time.Minute - time.Duration(second)*time.Second - time.Duration(at.Nanosecond()))
}

// Midnight returns the begin of the day that is so many days after that of a time, in the
// zone of the time. Where summer time begins at midnight, the day begins at one o'clock:
// for the hour that does not exist [time.Date] may return the one before it.
func Midnight(at time.Time, days int) time.Time {
	year, month, day := at.Date()
	start := time.Date(year, month, day+days, 0, 0, 0, 0, at.Location())
	if noon := time.Date(year, month, day+days, 12, 0, 0, 0, at.Location()); start.Day() != noon.Day() {
		start = time.Date(year, month, day+days, 1, 0, 0, 0, at.Location())
	}
	return start
}

// ParseDay returns the begin of the day of a date like 2026-11-28.
func ParseDay(date string, zone *time.Location) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}, err
	}
	return Midnight(time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, zone), 0), nil
}

func (d *Days) hourOf(at time.Time) time.Time { return HourOf(at, d.options.Zone) }

// window returns the hour of a time, nil if there is no time. It does not matter how far
// the hour is from the others: a clock may have been ahead before, and an hour that is too
// old is dropped in the store.
func (d *Days) window(at time.Time) *Window {
	if d.latest != nil && d.latest.Holds(at) {
		return d.latest
	}
	if at.IsZero() {
		return nil
	}
	hour := d.hourOf(at)
	key := Key(hour)
	w := d.open[key]
	if w == nil {
		if len(d.open) >= maxOpen {
			d.close(slices.Min(slices.Collect(maps.Keys(d.open))))
		}
		w = NewWindow(report.Scope{Since: hour, Until: hour.Add(time.Hour)})
		d.adopt(key, w)
	}
	d.latest = w
	return w
}

// adopt makes a window that of an hour.
func (d *Days) adopt(key string, w *Window) {
	w.watch.outage = &d.outage
	d.open[key] = w
}

func (d *Days) figures(at time.Time) *daily.Figures {
	if w := d.window(at); w != nil {
		return w.Figures
	}
	return nil
}

// CloseBefore encodes the hours that were over an hour before a time of the clock, and
// forgets what is too old then. Lines of a later time had a wrong date, so they are not
// believed any more: not that the log has come so far, nor that it began then.
func (d *Days) CloseBefore(now time.Time) {
	if d.first.After(now) {
		d.first = now
	}
	if d.now.After(now) {
		d.now, d.turn = now, time.Time{}
	}
	d.closeBefore(now)
	d.bans.after.Forget(now.Add(-banMemory))
}

// closeBefore encodes the hours that were over an hour before a time.
func (d *Days) closeBefore(now time.Time) {
	for _, key := range slices.Sorted(maps.Keys(d.open)) {
		if !now.Before(d.open[key].Scope.Until.Add(lateLines)) {
			d.close(key)
		}
	}
}

func (d *Days) close(key string) {
	w := d.open[key]
	d.habits.learn(w.Scope.Since.In(d.options.Zone).Format(time.DateOnly), w)
	d.err = cmp.Or(d.err, d.addOver(key, w.Encode()))
	delete(d.open, key)
	d.latest = nil
}

func (d *Days) addOver(key string, text []byte) error {
	if before := d.over[key]; before != nil {
		var err error
		if text, err = mergeEncoded(before, text); err != nil {
			return err
		}
	}
	d.over[key] = text
	return nil
}

// mergeEncoded merges encoded windows.
func mergeEncoded(parts ...[]byte) ([]byte, error) {
	w, err := MergeWindows(report.Scope{}, parts...)
	if err != nil {
		return nil, err
	}
	return w.Encode(), nil
}

// Take returns the encoded hours that are over, by key. The caller stores them, merged
// into its data of the same hour.
func (d *Days) Take() (map[string][]byte, error) {
	taken, err := d.over, d.err
	d.over, d.err = map[string][]byte{}, nil
	return taken, err
}

// Over returns how many bytes Take would return.
func (d *Days) Over() (n int) {
	for _, text := range d.over {
		n += len(text)
	}
	return n
}

// Latest returns the time of the newest line.
func (d *Days) Latest() time.Time { return d.now }

// First returns the time of the first line ever. Hours that begin later are whole.
func (d *Days) First() time.Time { return d.first }

// Open returns the hours of a window that are in memory, encoded, by key.
func (d *Days) Open(since, until time.Time) (map[string][]byte, error) {
	parts := map[string][]byte{}
	from, to := Key(since), Key(until)
	for key, text := range d.over {
		if key >= from && key < to {
			parts[key] = text
		}
	}
	for key, w := range d.open {
		if key < from || key >= to {
			continue
		}
		text := w.Encode()
		if before := parts[key]; before != nil {
			var err error
			if text, err = mergeEncoded(before, text); err != nil {
				return nil, err
			}
		}
		parts[key] = text
	}
	return parts, nil
}

// Unfinished returns how many mails that were begun in a window would not be completed
// if the log ended now.
func (d *Days) Unfinished(since, until time.Time) int {
	return d.tracker.Unfinished(func(at time.Time) bool { return !at.Before(since) && at.Before(until) })
}

// HabitsOf returns the habits of the accounts that logged in within a window.
func (d *Days) HabitsOf(w *Window) Habits { return d.habits.of(w.Accounts()) }

// Ordered returns parts in the order of their keys.
func Ordered(parts map[string][]byte) [][]byte {
	out := make([][]byte, 0, len(parts))
	for _, key := range slices.SortedFunc(maps.Keys(parts), strings.Compare) {
		out = append(out, parts[key])
	}
	return out
}
