package daemon

import (
	"encoding/json"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/state"
)

// countersNote is the name under which the state file keeps the counters of all runs. It
// is written with each checkpoint and at the end of a run.
const countersNote = "counters"

// breakInsBack is how long a break-in stays in sight: over a weekend, and over restarts.
const breakInsBack = 7 * 24 * time.Hour

// recallCounters reads the counts of earlier runs, and the break-ins that they found. The
// start goes on without them.
func (d *Daemon) recallCounters() {
	data, err := d.store.Kept(countersNote)
	if err == nil && data != nil {
		err = json.Unmarshal(data, &d.earlier)
	}
	if err != nil {
		d.log.Warn("what runs before counted cannot be read", "error", err)
	}
	if d.earlier.Since.IsZero() {
		d.earlier.Since = d.started
	}
	if err := d.store.EachSince(d.started.Add(-breakInsBack), func(t *state.HistoryEntry) {
		if t.Alert.Scenario == engine.BreakIn {
			d.shown.addBreakIn(copied(alertOf(state.Entry{ID: t.ID, Alert: t.Alert, Queued: t.Sent}, t.Status.String())))
		}
	}); err != nil {
		d.log.Warn("the latest break-ins cannot be read", "error", err)
	}
}

// addBreakIn adds a break-in. At the limit the oldest is dropped.
func (f *shownFindings) addBreakIn(breakIn control.Alert) {
	f.breakIns = append(f.breakIns[max(0, len(f.breakIns)-maxBreakIns+1):], breakIn)
}

// keepCounters stores the counters outside of a checkpoint.
func (w *stateWriter) keepCounters(all control.Total) {
	data, err := json.Marshal(all)
	if err == nil {
		err = w.store.Keep(countersNote, data)
	}
	if err != nil {
		w.log.Warn("what was counted cannot be stored", "error", err)
	}
}

// bans counts the addresses and networks that are banned, from the history in the state
// file. A ban that the LAPI was not asked about yet counts as one.
func (d answers) bans(now time.Time) (control.Bans, error) {
	running, today, simulated := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var after *state.HistoryEntry
	for {
		page, err := d.store.Running(after, pageSize)
		if err != nil {
			return control.Bans{}, err
		}
		for i := range page {
			if t := &page[i]; isBan(t) && (!t.Looked || t.End().After(now)) {
				running[t.Alert.Value()] = true
			}
		}
		if len(page) < pageSize {
			break
		}
		after = &page[len(page)-1]
	}
	year, month, day := now.Date()
	err := d.store.EachDelivered(time.Date(year, month, day, 0, 0, 0, 0, now.Location()), func(t *state.HistoryEntry) {
		switch {
		case t.Alert.Informational:
		case t.Simulate:
			simulated[t.Alert.Value()] = true
		case isBan(t):
			today[t.Alert.Value()] = true
		}
	})
	return control.Bans{Now: len(running), Today: len(today), Simulated: len(simulated)}, err
}

// isBan reports whether the LAPI made a decision of a delivered alert, or may have.
func isBan(t *state.HistoryEntry) bool { return !t.Looked || len(t.Bans) > 0 }
