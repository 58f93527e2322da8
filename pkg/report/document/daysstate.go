package document

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"time"

	"csmail/pkg/report"
	"csmail/pkg/report/daily"
	"csmail/pkg/wire"
)

// daysVersion changes when an older csmail would misread a snapshot; gobDaysVersion is
// that of snapshots in the form of encoding/gob.
const (
	daysVersion    = 3
	gobDaysVersion = 2
)

// errDays is a snapshot of another release, or none.
var errDays = errors.New("the open hours are damaged or of another version")

// Snapshot hands out the content of the Days in pieces, for RestoreDays. Hours that are
// over must be taken before. take must not keep a piece.
func (d *Days) Snapshot(take func(piece []byte)) {
	w := wire.NewFrames(take)
	w.Add(entryDays, func(c *wire.Codec) {
		version, zone := uint8(daysVersion), d.options.Zone.String()
		d.encodeHead(c, &version, &zone)
	})
	if !d.outage.last.IsZero() {
		w.Add(entryOutage, d.outage.encode)
	}
	d.bans.after.Write(w)
	w.Add(entryHabits, d.habits.encode)
	for name, one := range d.habits.Accounts {
		w.Add(entryHabit, func(c *wire.Codec) { c.Text(&name); one.encode(c) })
	}
	d.tracker.Write(w)
	for key, window := range d.open {
		w.Add(entryHour, func(c *wire.Codec) { c.Text(&key) })
		window.write(w)
	}
	writeEnd(w)
}

func (d *Days) encodeHead(c *wire.Codec, version *uint8, zone *string) {
	wire.Numbers(c, version)
	c.Text(zone)
	c.Time(&d.first)
	c.Time(&d.now)
}

func (h *habits) encode(c *wire.Codec) {
	c.Text(&h.Since)
	c.Text(&h.pruned)
}

func (one *Habit) encode(c *wire.Codec) {
	wire.List(c, &one.Networks, func(n *HabitNetwork) { c.Addr(&n.Addr); c.Text(&n.First); c.Text(&n.Last) })
	wire.List(c, &one.Days, func(d *HabitDay) { c.Text(&d.Date); signed(c, &d.Networks, &d.Sent) })
}

// RestoreDays returns Days that go on where others left off.
func RestoreDays(o DaysOptions, snapshot wire.Next) (*Days, error) {
	r := daysReader{days: NewDays(o)}
	r.tracker = r.days.tracker.Reader()
	err := readToEnd(snapshot, r.entry)
	if err == nil {
		err = r.tracker.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDays, err)
	}
	if !r.isOurs {
		return nil, errDays
	}
	return r.days, nil
}

// daysReader reads the entries of a snapshot.
type daysReader struct {
	days    *Days
	tracker *daily.TrackerReader
	window  entryReader // of the latest hour
	isOurs  bool        // of this version and zone
}

func (r *daysReader) entry(kind uint8, c *wire.Codec) {
	d := r.days
	if kind == entryDays {
		var version uint8
		var zone string
		d.encodeHead(c, &version, &zone)
		r.isOurs = version == daysVersion && zone == d.options.Zone.String()
	}
	switch {
	case !r.isOurs:
		c.Fail()
	case kind == entryDays:
	case kind == entryOutage:
		d.outage.encode(c)
	case kind == entryHabits:
		d.habits.encode(c)
	case kind == entryHabit:
		var name string
		one := &Habit{}
		c.Text(&name)
		one.encode(c)
		d.habits.Accounts[name] = one
	case kind == entryHour:
		var key string
		c.Text(&key)
		r.hour(c, key)
	case r.tracker.Entry(kind, c), d.bans.after.Entry(kind, c):
	case r.window != nil:
		r.window(kind, c)
	}
}

// hour begins the hour of a key.
func (r *daysReader) hour(c *wire.Codec, key string) {
	hour, err := ParseKey(key)
	if err != nil {
		c.Fail()
		return
	}
	window := NewWindow(report.Scope{Since: hour, Until: hour.Add(time.Hour)})
	r.days.adopt(key, window)
	r.window = window.reader()
}

// daysState is what is read of a snapshot of an older release.
type daysState struct {
	Version       int
	Zone          string
	First, Now    time.Time
	Open          map[string][]byte // encoded
	Bans          report.AftermathState
	Habits        map[string]*Habit
	HabitsSince   string
	HabitsChecked string
}

// RestoreOldDays reads a snapshot of an older release, but for the mails that were under
// way: what their later lines say is counted as of mails whose begin is not in the log.
func RestoreOldDays(o DaysOptions, snapshot []byte) (*Days, error) {
	d := NewDays(o)
	var state daysState
	if err := gob.NewDecoder(bytes.NewReader(snapshot)).Decode(&state); err != nil {
		return nil, fmt.Errorf("%w: %w", errDays, err)
	}
	if state.Version != gobDaysVersion || state.Zone != d.options.Zone.String() {
		return nil, errDays
	}
	d.first, d.now = state.First, state.Now
	d.habits = &habits{Accounts: filled(state.Habits), Since: state.HabitsSince, pruned: state.HabitsChecked}
	d.bans.after = report.RestoreAftermath(o.Bans, state.Bans)
	for key, text := range state.Open {
		hour, err := ParseKey(key)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDays, err)
		}
		window, err := DecodeWindow(report.Scope{Since: hour, Until: hour.Add(time.Hour)}, text)
		if err != nil {
			return nil, err
		}
		d.adopt(key, window)
	}
	return d, nil
}
