package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"

	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/host"
	"csmail/pkg/report"
	"csmail/pkg/report/document"
	"csmail/pkg/state"
	"csmail/pkg/wire"
)

// reports collect the data of daily reports while lines come in. The checkpoint holds the
// hours in memory, and the journal of inputs holds the lines after it, so a kill at any
// moment costs no figure. Hours that are over are stored with a checkpoint.
type reports struct {
	days    *document.Days
	options document.DaysOptions
	store   *state.Store
	log     *slog.Logger
	lines   uint64 // read since the last input
	missed  uint64
	kept    map[string][]byte       // hours and days that are over and not on the disk yet, by key
	writing map[string][]byte       // those of kept that the checkpoint under way writes
	sums    map[string]document.Day // of days that are over, as far as they were asked for
}

// Older releases kept the open days beside the checkpoint under these names, of which they
// are a part now: the first ones compressed, under the second name.
const (
	besideDays    = "report-days"
	olderOpenDays = "report"
)

const (
	// comparedDays is the number of earlier days with which a day is compared.
	comparedDays = 7
)

// startReports begins or ends the collection, according to the configuration.
func (d *Daemon) startReports() {
	switch enabled := d.config.Report.Enabled; {
	case !enabled:
		d.reports = nil
	case d.reports == nil:
		o := document.DaysOptions{Zone: time.Local, ZoneName: host.ZoneName(), Bans: time.Duration(d.config.LAPI.Duration)}
		d.reports = &reports{days: document.NewDays(o), options: o, store: d.store, log: d.log, kept: map[string][]byte{}, sums: map[string]document.Day{}}
	}
	for _, f := range d.feeds {
		f.Flows = d.reports != nil
	}
}

// restoreReports loads the open days of the checkpoint. After an error they are empty,
// because no verdict depends on them.
func (d *Daemon) restoreReports(open wire.Open) {
	if d.reports == nil {
		return
	}
	if note, err := d.store.Kept(adoptedNote); err == nil && note != nil {
		d.log.Info("the report of the day begins anew: what this judge knows is another one's")
		return
	}
	next, err := d.engine.OpenMore(open)
	var days *document.Days
	switch {
	case err != nil:
	case next == nil:
		days, err = d.oldReports()
	default:
		days, err = document.RestoreDays(d.reports.options, next)
	}
	if err != nil {
		d.log.Warn("the report of the day begins anew", "error", err)
		return
	}
	if days != nil {
		d.reports.days = days
	}
}

// oldReports loads the open days that an older release kept beside the checkpoint, nil if
// there are none.
func (d *Daemon) oldReports() (*document.Days, error) {
	snapshot, err := d.store.Kept(besideDays)
	if err == nil && snapshot == nil {
		snapshot, err = d.olderDays()
	}
	if err != nil || snapshot == nil {
		return nil, err
	}
	return document.RestoreOldDays(d.reports.options, snapshot)
}

// snapshot hands out the state of the engine, and behind it the open days, in pieces.
func (d *Daemon) snapshot(take func([]byte)) error {
	if d.reports == nil {
		return d.engine.Snapshot(take)
	}
	return d.engine.SnapshotWith(take, d.reports.days.Snapshot)
}

// olderDays returns the open days as an older csmail kept them, nil if it did not.
func (w *stateWriter) olderDays() ([]byte, error) {
	packed, err := w.store.Kept(olderOpenDays)
	if err != nil || packed == nil {
		return nil, err
	}
	return s2.Decode(nil, packed)
}

// read counts a line. It reports whether the line becomes an input, and then returns the
// number of lines since the last input.
func (r *reports) read(record *event.Record) (isInput bool, lines, missed uint64) {
	if r == nil {
		return record.Outcome >= event.Witness, 0, 0
	}
	r.lines++
	if record.Outcome == event.Missed || record.Outcome == event.Ambiguous {
		r.missed++
	}
	if record.Outcome < event.Witness && record.Flow == nil {
		return false, 0, 0
	}
	lines, missed = r.lines, r.missed
	r.lines, r.missed = 0, 0
	return true, lines, missed
}

// flow takes an input before the engine takes it.
func (r *reports) flow(record *event.Record, lines, missed uint64) {
	if r == nil {
		return
	}
	r.days.Count(record.Time, lines, missed)
	if record.Flow != nil {
		r.days.Add(record)
	}
}

func (r *reports) result(result engine.Result) {
	if r != nil {
		r.days.AddResult(&result)
	}
}

func (r *reports) findings(findings []engine.Finding) {
	if r != nil && len(findings) > 0 {
		r.days.AddSilent(findings)
	}
}

// settle adds the lines since the last input to that input, which is about to be stored.
func (r *reports) settle(inputs []state.Input) {
	if r == nil || r.lines == 0 || len(inputs) == 0 || inputs[len(inputs)-1].Record == nil {
		return
	}
	last := &inputs[len(inputs)-1]
	last.Lines += r.lines
	last.Missed += r.missed
	r.days.Count(last.Record.Time, r.lines, r.missed)
	r.lines, r.missed = 0, 0
}

// step gives a record of a log or of the journal to the reports and the engine.
func (d *Daemon) step(record *event.Record, lines, missed uint64) (result engine.Result, stepped bool) {
	d.reports.flow(record, lines, missed)
	if record.Outcome < event.Witness {
		return result, false
	}
	d.clock.seen(record.Time)
	if d.cluster.isEdge() {
		result = d.cluster.edge.step(record)
	} else {
		result = d.engine.Step(record)
	}
	d.reports.result(result)
	return result, true
}

// beside returns the data to store with a checkpoint: the hours and days that are over.
func (d *Daemon) beside() (state.Beside, error) {
	counters, err := json.Marshal(d.counted(d.store.Stats().Overflowed))
	if err != nil {
		return state.Beside{}, err
	}
	r := d.reports
	if r == nil {
		return state.Beside{Kept: map[string][]byte{besideDays: nil, olderOpenDays: nil, adoptedNote: nil, countersNote: counters}}, nil
	}
	now := d.options.Now()
	if d.isCaughtUp(d.feeds) {
		r.days.CloseBefore(now)
	} else if read := r.days.Latest(); read.Before(now) {
		now = read // while the log is read back, the days close with its lines
	}
	taken, err := r.days.Take()
	if err != nil {
		return state.Beside{}, err
	}
	for key, part := range taken {
		r.kept[key] = r.mergedHour(key, part)
	}
	r.sumUp(slices.Collect(maps.Keys(taken)), now)
	r.writing = maps.Clone(r.kept)
	return state.Beside{
		Kept: map[string][]byte{besideDays: nil, olderOpenDays: nil, adoptedNote: nil, countersNote: counters}, Days: r.writing, Now: d.options.Now(),
	}, nil
}

// mergedHour merges a part of an hour into the stored part of it.
func (r *reports) mergedHour(key string, part []byte) []byte {
	before := r.kept[key]
	if before == nil {
		var err error
		if before, err = r.store.Day(key); err != nil {
			r.log.Warn("an hour of the report cannot be read", "hour", key, "error", err)
		}
	}
	if before == nil {
		return part
	}
	w, err := document.MergeWindows(report.Scope{}, before, part)
	if err != nil {
		r.log.Warn("an hour of the report is counted anew", "hour", key, "error", err)
		return part
	}
	return w.Encode()
}

// sumUp stores the sums of the days that are over and to which the hours belong.
func (r *reports) sumUp(hours []string, now time.Time) {
	done := map[string]bool{}
	for _, key := range hours {
		hour, err := document.ParseKey(key)
		if err != nil {
			continue
		}
		start := midnight(hour.In(r.options.Zone))
		end := document.Midnight(start, 1)
		date := start.Format(time.DateOnly)
		if done[date] || now.Before(end.Add(time.Hour)) || !r.days.First().Before(start) {
			continue
		}
		done[date] = true
		if err := r.sumUpDay(date, start, end); err != nil {
			r.log.Warn("the sum of a day is missing in later reports", "day", date, "error", err)
		}
	}
}

func (r *reports) sumUpDay(date string, start, end time.Time) error {
	parts, err := r.parts(start, end)
	if err != nil {
		return err
	}
	w, err := document.MergeWindows(report.Scope{Since: start, Until: end}, parts...)
	if err != nil {
		return err
	}
	text, err := document.StoreDay(document.DayOf(date, w.Figures))
	if err != nil {
		return err
	}
	r.kept[date] = text
	delete(r.sums, date)
	return nil
}

func midnight(at time.Time) time.Time { return document.Midnight(at, 0) }

// parts returns the hours of a window, each encoded, in their order.
func (r *reports) parts(since, until time.Time) ([][]byte, error) {
	from, to := document.Key(since), document.Key(until)
	hours, err := r.store.Hours(from, to)
	if err != nil {
		return nil, err
	}
	for key, text := range r.kept {
		if key >= from && key < to && len(key) == len(from) {
			hours[key] = text
		}
	}
	open, err := r.days.Open(since, until)
	if err != nil {
		return nil, err
	}
	return append(document.Ordered(hours), document.Ordered(open)...), nil
}

// closed returns the bytes of the hours that are over and wait for a checkpoint.
func (r *reports) closed() int {
	if r == nil {
		return 0
	}
	n := r.days.Over()
	for _, text := range r.kept {
		n += len(text)
	}
	return n
}

// stored takes the result of a checkpoint.
func (r *reports) stored(err error) {
	if r == nil || err != nil {
		return
	}
	for key := range r.writing {
		delete(r.kept, key)
	}
	r.writing = nil
}

// surroundingsOf returns the parts of a report that its lines do not hold: the earlier
// days, and the alerts that wait now.
func (d answers) surroundingsOf(since, until time.Time) document.Surroundings {
	s := document.Surroundings{Since: since, Until: until, Findings: d.waitingFindings(), Unfinished: d.reports.days.Unfinished(since, until)}
	day := midnight(since.In(d.reports.options.Zone))
	for back := comparedDays; back > 0; back-- {
		if day, ok := d.reports.dayBefore(document.Midnight(day, -back).Format(time.DateOnly)); ok {
			s.Before = append(s.Before, day)
		}
	}
	return s
}

// maxSums is the number of days with sums in memory.
const maxSums = 64

func (r *reports) dayBefore(date string) (document.Day, bool) {
	if day, known := r.sums[date]; known {
		return day, true
	}
	text, err := r.kept[date], error(nil)
	if text == nil {
		text, err = r.store.Day(date)
	}
	if err != nil || text == nil {
		return document.Day{}, false
	}
	day, err := document.LoadDay(text, r.options.Zone)
	if err != nil {
		return document.Day{}, false
	}
	if len(r.sums) >= maxSums {
		clear(r.sums)
	}
	r.sums[date] = day
	return day, true
}

var errNoReport = errors.New("the daemon has no report of this time")

// asked is the loop's data about a window that a command asks for.
type asked struct {
	parts    [][]byte
	around   document.Surroundings
	whole    bool
	finished []byte // the report of an older release
}

// Report implements [control.Daemon]. The loop returns its data, and the slow part runs
// outside of it.
func (d answers) Report(ctx context.Context, since, until time.Time, zone string) (control.Report, error) {
	var a asked
	var failed error
	if err := d.ask(ctx, func() { a, failed = d.reportParts(since, until, zone) }); err != nil || failed != nil {
		return control.Report{}, cmp.Or(err, failed)
	}
	answer := control.Report{Whole: a.whole, Until: a.around.Until, Document: a.finished}
	if a.finished != nil {
		return answer, nil
	}
	w, err := document.MergeWindows(report.Scope{Since: a.around.Since, Until: a.around.Until}, a.parts...)
	if err != nil {
		return control.Report{}, err
	}
	answer.Window = w.Encode()
	err = d.ask(ctx, func() {
		if d.reports != nil {
			a.around.Habits = d.reports.days.HabitsOf(w)
		}
	})
	if err != nil {
		return control.Report{}, err
	}
	answer.Around, err = a.around.Store()
	return answer, err
}

func (d answers) reportParts(since, until time.Time, zone string) (a asked, err error) {
	r := d.reports
	if r == nil || zone != "" && zone != r.options.ZoneName {
		return a, errNoReport
	}
	now := d.options.Now()
	if until.IsZero() {
		until = now
	}
	if !isHour(since, r.options.Zone) || !isHour(until, r.options.Zone) && until.Before(now) || !since.Before(until) {
		return a, errNoReport
	}
	if a.parts, err = r.parts(since, until); err != nil {
		return a, err
	}
	a.whole = r.isWhole(since) && d.isCaughtUp(d.feeds)
	a.around = d.surroundingsOf(since, until)
	if len(a.parts) > 0 {
		return a, nil
	}
	if text, err := r.finished(since, until); err != nil || text != nil {
		a.finished, a.whole = text, true
		return a, err
	}
	if !a.whole {
		return a, errNoReport
	}
	return a, nil
}

func isHour(at time.Time, zone *time.Location) bool { return document.HourOf(at, zone).Equal(at) }

// isWhole reports whether everything since a time was seen and is still kept.
func (r *reports) isWhole(since time.Time) bool {
	first := r.days.First()
	if first.IsZero() || !first.Before(since) {
		return false
	}
	oldest, err := r.store.FirstHour()
	return err == nil && (oldest == "" || oldest <= document.Key(since) || oldest == document.Key(document.HourOf(first, r.options.Zone)))
}

// finished returns the finished report of a day that an older release stored, nil if
// there is none.
func (r *reports) finished(since, until time.Time) ([]byte, error) {
	start := midnight(since.In(r.options.Zone))
	if !start.Equal(since) || !document.Midnight(start, 1).Equal(until) {
		return nil, nil
	}
	text, err := r.store.Day(start.Format(time.DateOnly))
	if err != nil || !document.IsFinished(text) {
		return nil, err
	}
	return text, nil
}
