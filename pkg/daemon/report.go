package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/klauspost/compress/s2"

	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/host"
	"csmail/pkg/report/document"
	"csmail/pkg/state"
)

// reports collect the daily report while lines come in. The checkpoint holds the open
// days, and the journal of inputs holds the lines after it, so a kill at any moment costs
// no figure.
type reports struct {
	days     *document.Days
	options  document.DaysOptions
	lines    uint64 // read since the last input
	missed   uint64
	unstored map[string][]byte       // reports of closed days that are not on the disk yet, by date
	storing  map[string][]byte       // those of unstored that the checkpoint under way writes
	before   map[string]document.Day // closed days that comparisons have used
}

// openDays is the name under which the open days are kept beside the checkpoint.
const openDays = "report"

const (
	// comparedDays is the number of earlier days with which a day is compared.
	comparedDays = 7
	// heldLong is the time after which a held alert is reported as waiting.
	heldLong = 24 * time.Hour
)

// startReports begins or ends the collection, according to the configuration.
func (d *Daemon) startReports() {
	switch enabled := d.config.Report.Enabled; {
	case !enabled:
		d.reports = nil
	case d.reports == nil:
		o := document.DaysOptions{Zone: time.Local, ZoneName: host.ZoneName(), Bans: time.Duration(d.config.LAPI.Duration)}
		d.reports = &reports{days: document.NewDays(o), options: o, unstored: map[string][]byte{}, before: map[string]document.Day{}}
	}
	for _, f := range d.feeds {
		f.Flows = d.reports != nil
	}
}

// restoreReports loads the open days of the checkpoint. After an error they are empty,
// because no verdict depends on them.
func (d *Daemon) restoreReports() {
	if d.reports == nil {
		return
	}
	packed, err := d.store.Kept(openDays)
	if err == nil && packed == nil {
		return
	}
	var snapshot []byte
	if err == nil {
		snapshot, err = s2.Decode(nil, packed)
	}
	var days *document.Days
	if err == nil {
		days, err = document.RestoreDays(d.reports.options, snapshot)
	}
	if err != nil {
		d.log.Warn("the report of the day begins anew", "error", err)
		return
	}
	d.reports.days = days
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
		r.days.AddResult(result)
	}
}

func (r *reports) findings(findings []engine.Finding) {
	if r != nil && len(findings) > 0 {
		r.days.AddFindings(findings)
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
	result = d.engine.Step(record)
	d.reports.result(result)
	return result, true
}

// beside returns the data to store with a checkpoint: reports of days that are over, and
// the open days.
func (d *Daemon) beside() (state.Beside, error) {
	counters, err := json.Marshal(d.counted())
	if err != nil {
		return state.Beside{}, err
	}
	r := d.reports
	if r == nil {
		return state.Beside{Kept: map[string][]byte{openDays: nil, countersNote: counters}}, nil
	}
	now := r.days.Latest()
	if d.isCaughtUp(d.feeds) {
		now = d.options.Now()
	}
	for _, date := range r.days.Due(now) {
		if r.days.IsWhole(date) {
			text, err := r.days.Report(date, d.surroundings(date)).Store()
			if err != nil {
				return state.Beside{}, err
			}
			r.unstored[date] = text
		}
		r.days.Close(date)
	}
	snapshot, err := r.days.Snapshot()
	if err != nil {
		return state.Beside{}, err
	}
	r.storing = maps.Clone(r.unstored)
	return state.Beside{Kept: map[string][]byte{openDays: s2.Encode(nil, snapshot), countersNote: counters}, Days: r.storing}, nil
}

// stored takes the result of a checkpoint.
func (r *reports) stored(err error) {
	if r == nil || err != nil {
		return
	}
	for date := range r.storing {
		delete(r.unstored, date)
	}
	r.storing = nil
}

// storedReport returns the report of a closed day, nil if there is none.
func (r *reports) storedReport(store *state.Store, date string) ([]byte, error) {
	if text := r.unstored[date]; text != nil {
		return text, nil
	}
	return store.Day(date)
}

// surroundings returns the earlier days that a day is compared with, and the findings
// about alerts that wait now.
func (d *Daemon) surroundings(date string) document.Surroundings {
	s := document.Surroundings{Generated: d.options.Now().In(d.reports.options.Zone).Truncate(time.Second), Findings: d.waitingFindings()}
	at, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return s
	}
	for back := comparedDays; back > 0; back-- {
		earlier := at.AddDate(0, 0, -back).Format(time.DateOnly)
		if day, ok := d.reports.dayBefore(d.store, earlier); ok {
			s.Before = append(s.Before, day)
		}
	}
	return s
}

// maxBefore is the number of earlier days whose figures are kept in memory.
const maxBefore = 64

// dayBefore returns the figures of an earlier day.
func (r *reports) dayBefore(store *state.Store, date string) (document.Day, bool) {
	if day, known := r.before[date]; known {
		return day, true
	}
	text, err := r.storedReport(store, date)
	if err != nil || text == nil {
		return document.Day{}, false
	}
	doc, err := document.Load(text, r.options.Zone, time.Time{})
	if err != nil {
		return document.Day{}, false
	}
	if len(r.before) >= maxBefore {
		clear(r.before)
	}
	r.before[date] = doc.Figures()
	return r.before[date], true
}

// waitingFindings returns the findings that no log shows: alerts that wait for a person
// or for the LAPI.
func (d *Daemon) waitingFindings() []document.Finding {
	var found []document.Finding
	now := d.options.Now()
	if held, err := d.store.Held(0, state.DefaultMaxHeld); err == nil {
		n, oldest := 0, now
		for _, e := range held {
			if now.Sub(e.Queued) >= heldLong {
				n++
				if e.Queued.Before(oldest) {
					oldest = e.Queued
				}
			}
		}
		if n > 0 {
			found = append(found, document.Finding{
				ID: "held-waiting", Severity: document.Warn, Count: n, Since: oldest, Title: fmt.Sprintf("%d alerts are held for more than a day", n),
				Detail: "Nobody has released or dropped them.", Advice: "csmail held list", Subjects: []string{},
			})
		}
	}
	if d.sender == nil { // before the start is over no request was made
		return found
	}
	if failing := failureOf(d.sent(), d.presence); !failing.since.IsZero() && now.Sub(failing.since) >= lapiGrace {
		found = append(found, document.Finding{
			ID: "lapi-unreachable", Severity: document.Warn, Count: d.store.Stats().Pending, Since: failing.since, Subjects: []string{},
			Title:  fmt.Sprintf("The LAPI has not been reached since %s", failing.since.In(d.reports.options.Zone).Format("2006-01-02 15:04")),
			Detail: failing.why + ". No ban gets through meanwhile.", Advice: "csmail status",
		})
	}
	return found
}

var errNoReport = errors.New("the daemon has no report of this day")

// Report implements [control.Daemon].
func (d answers) Report(ctx context.Context, date, zone string) (control.Report, error) {
	var answer control.Report
	var failed error
	err := d.ask(ctx, func() { answer, failed = d.report(date, zone) })
	return answer, cmp.Or(err, failed)
}

func (d answers) report(date, zone string) (control.Report, error) {
	r := d.reports
	if r == nil || zone != "" && zone != r.options.ZoneName {
		return control.Report{}, errNoReport
	}
	text, err := r.storedReport(d.store, date)
	if err == nil && text == nil && r.days.IsOpen(date) {
		text, err = r.days.Report(date, d.surroundings(date)).Store()
		return control.Report{Whole: r.days.IsWhole(date) && d.isCaughtUp(d.feeds), Document: text}, err
	}
	if err != nil {
		return control.Report{}, err
	}
	if text == nil {
		return control.Report{}, errNoReport
	}
	return control.Report{Whole: true, Document: text}, nil
}
