package document

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"time"

	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// daysVersion changes with the form of a snapshot.
const daysVersion = 2

// errDays is a snapshot of another release, or none.
var errDays = errors.New("the open hours are damaged or of another version")

// daysState is the content of Days, without the hours that are over: the caller stores
// these with it.
type daysState struct {
	Version       int
	Zone          string
	First, Now    time.Time
	Open          map[string][]byte // encoded
	Tracker       daily.State
	Bans          report.AftermathState
	Habits        map[string]*Habit
	HabitsSince   string
	HabitsChecked string
}

// Snapshot returns the content of the Days, for RestoreDays. Hours that are over must be
// taken before.
func (d *Days) Snapshot() ([]byte, error) {
	state := daysState{
		Version: daysVersion, Zone: d.options.Zone.String(), First: d.first, Now: d.now, Open: map[string][]byte{}, Tracker: d.tracker.State(),
		Bans: d.bans.after.State(), Habits: d.habits.Accounts, HabitsSince: d.habits.Since, HabitsChecked: d.habits.pruned,
	}
	for key, w := range d.open {
		text, err := w.Encode()
		if err != nil {
			return nil, err
		}
		state.Open[key] = text
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		return nil, fmt.Errorf("the open hours: %w", err)
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
	if state.Version != daysVersion || state.Zone != d.options.Zone.String() {
		return nil, errDays
	}
	d.first, d.now = state.First, state.Now
	d.habits = &habits{Accounts: filled(state.Habits), Since: state.HabitsSince, pruned: state.HabitsChecked}
	d.bans.after = report.RestoreAftermath(o.Bans, state.Bans)
	for key, text := range state.Open {
		hour, err := time.Parse(keyForm, key)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDays, err)
		}
		if d.open[key], err = DecodeWindow(report.Scope{Since: hour, Until: hour.Add(time.Hour)}, text); err != nil {
			return nil, err
		}
	}
	if err := d.tracker.Restore(state.Tracker); err != nil {
		return nil, fmt.Errorf("%w: %w", errDays, err)
	}
	return d, nil
}
