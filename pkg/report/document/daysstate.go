package document

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// daysVersion changes with the form of what Snapshot writes.
const daysVersion = 1

// errDays is a snapshot of another release, or none.
var errDays = errors.New("the open days are damaged or of another version")

// daysState is what Days hold. It is gob, which keeps texts byte for byte.
type daysState struct {
	Version    int
	Vocabulary uint64
	Zone       string
	Closed     string
	First, Now time.Time
	Windows    map[string]windowState
	Tracker    daily.State
	Habits     map[string][]habit
}

type windowState struct {
	Figures       *daily.Figures
	Sources       report.CollectorState
	Backtest      report.BacktestState
	Watch         watchState
	Hosts         map[string]bool
	First, Last   time.Time
	Lines, Missed int64
}

// vocabulary tells apart releases in which kinds, actions and rules have other
// numbers.
func vocabulary() uint64 {
	h := fnv.New64a()
	for _, k := range event.Kinds() {
		_, _ = h.Write([]byte(k.String() + "\n"))
	}
	for a := guard.None; a <= guard.Alert; a++ {
		_, _ = h.Write([]byte(a.String() + "\n"))
	}
	for _, r := range guard.Rules() {
		_, _ = h.Write([]byte(r.String() + "\n"))
	}
	return h.Sum64()
}

// Snapshot returns what the Days hold, for RestoreDays.
func (d *Days) Snapshot() ([]byte, error) {
	state := daysState{
		Version: daysVersion, Vocabulary: vocabulary(), Zone: d.options.Zone.String(), Closed: d.closed, First: d.first, Now: d.now,
		Windows: map[string]windowState{}, Tracker: d.tracker.State(), Habits: d.habits,
	}
	for date, w := range d.open {
		state.Windows[date] = windowState{w.Figures, w.sources.State(), w.backtest.State(), w.watch.state(), w.hosts, w.first, w.last, w.Lines, w.Missed}
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		return nil, fmt.Errorf("the open days: %w", err)
	}
	return b.Bytes(), nil
}

// RestoreDays returns Days that go on where others left off.
func RestoreDays(o DaysOptions, snapshot []byte) (*Days, error) {
	d := NewDays(o)
	var state daysState
	if err := gob.NewDecoder(bytes.NewReader(snapshot)).Decode(&state); err != nil {
		return nil, fmt.Errorf("%w: %w", errDays, err)
	}
	if state.Version != daysVersion || state.Vocabulary != vocabulary() || state.Zone != d.options.Zone.String() {
		return nil, errDays
	}
	d.closed, d.first, d.now, d.habits = state.Closed, state.First, state.Now, filled(state.Habits)
	for date, one := range state.Windows {
		d.open[date] = d.restoreWindow(date, one)
	}
	if err := d.tracker.Restore(state.Tracker); err != nil {
		return nil, fmt.Errorf("%w: %w", errDays, err)
	}
	return d, nil
}

func (d *Days) restoreWindow(date string, one windowState) *Window {
	w := NewWindow(d.scope(date), d.options.Bans)
	if one.Figures != nil {
		w.Figures.Merge(one.Figures)
	}
	w.sources = report.RestoreCollector(w.Scope, one.Sources)
	w.backtest = report.RestoreBacktest(w.Scope, d.options.Bans, one.Backtest)
	w.watch = restoreWatch(w.Scope.Holds, one.Watch)
	w.hosts, w.first, w.last, w.Lines, w.Missed = filled(one.Hosts), one.First, one.Last, one.Lines, one.Missed
	return w
}
