package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"csmail/pkg/clock"
	"csmail/pkg/event"
	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

// Unbanned is a ban by csmail that a person ended early.
type Unbanned struct {
	Alert  event.Alert // that led to the ban, without evidence
	Number string      // the LAPI's of the alert
	At     time.Time   // when it was ended, by the LAPI's clock
}

// When has a person ended a ban, and when did it go for another reason?
//
// The LAPI keeps a deleted decision and sets its end to the time of the deletion
// (SoftDeleteDecisions in pkg/database/decisions.go, v1.7.8). So a ban was ended by a
// person if all of this is true: the LAPI answers, has the very alert (number and
// csmail_id), has the very decision (by its number), and the decision's end is earlier
// than when it was first read. Both ends are by the LAPI's clock, so clocks that differ
// or jump do not matter. Only cscli decisions delete, cscli allowlists add and
// CrowdSec's console do this, each on a person's command.
//
// All of these are no such sign: no answer or an error; no alert of that number, or
// another one (flushed by age or number, deleted, an emptied or replaced database); an
// alert without the decision; a decision that reached its end; the deletion of one of
// several bans on the same source, while another still runs.
const (
	// slack is more than the error of reading an end twice: both the LAPI's clock
	// and the durations come in whole seconds.
	slack = 10 * time.Second

	lookBatch = 50
	maxFresh  = 500 // more wait for their turn
)

// banState is the result of one look at an alert's bans.
type banState uint8

const (
	stillRuns  banState = iota
	firstLook           // its bans are known now
	over                // nothing to watch
	vanished            // the LAPI does not have the alert
	renewalDue          // a long ban: the LAPI will forget it, or has
	endedEarly          // by a person
)

// stateOf compares the LAPI's answer with its first answer about the same alert. It uses
// the LAPI's clock alone, since this host's clock may be set at any time.
func stateOf(t state.HistoryEntry, look lapi.Look, renewAt time.Time) banState {
	long := t.Looked && t.Duration > 0 && !renewAt.IsZero() && t.End().After(look.At.Add(slack)) && !look.At.Before(renewAt)
	switch {
	case !look.Known && long:
		return renewalDue
	case !look.Known:
		return vanished
	case !t.Looked && len(look.Bans) == 0:
		return over
	case !t.Looked:
		return firstLook
	case shortened(t, look.Bans):
		return endedEarly
	case long:
		return renewalDue
	case t.End().Before(look.At.Add(-slack)):
		return over
	}
	return stillRuns
}

// shortened reports whether every ban of the alert now ends earlier than at the first
// look.
func shortened(t state.HistoryEntry, seen []lapi.Ban) bool {
	ends := map[int64]time.Time{}
	for _, b := range seen {
		ends[b.ID] = b.Until
	}
	for _, b := range t.Bans {
		end, found := ends[b.ID]
		if !found || end.IsZero() || !end.Before(b.Until.Add(-slack)) {
			return false
		}
	}
	return len(t.Bans) > 0
}

// watcher looks after the bans: it notices those that a person ended, and renews those that
// are longer than the LAPI remembers.
type watcher struct {
	*connection
	store Bans

	fresh     []state.HistoryEntry // delivered, and their bans not looked at yet
	watched   *state.HistoryEntry  // the place in the running bans
	ownClock  clock.Reading        // of this host's clock
	lapiClock clock.Reading        // of the LAPI's
}

// addFresh schedules a first look at the bans of a delivered alert.
func (w *watcher) addFresh(r result) {
	if len(w.fresh) < maxFresh && !r.entry.Simulate && !r.entry.Alert.Informational {
		w.fresh = append(w.fresh, state.HistoryEntry{
			ID: r.entry.ID, Number: r.Number, Sent: r.At, Alert: r.entry.Alert, Duration: r.entry.Duration, Renewal: r.entry.Renewal,
		})
	}
}

// lookAtFresh reads the bans of newly delivered alerts, so that their first ends are
// known. On an error the look is repeated later.
func (w *watcher) lookAtFresh(ctx context.Context) {
	fresh := w.fresh
	w.fresh = nil
	for _, t := range fresh {
		if _, err := w.lookAt(ctx, t); err != nil {
			w.options.Log.Debug("looking at a new ban failed", "error", err)
			return
		}
	}
}

// lookAtRunning asks the LAPI about the next bans that should still run, and reports whether one
// is to be renewed. An error ends it without a conclusion. The next look starts behind
// the alert that caused the error, and comes back to it in the next cycle.
func (w *watcher) lookAtRunning(ctx context.Context) (renewed bool, err error) {
	if shown := w.options.Now(); wasSetBack(&w.ownClock, shown) {
		if err := w.revive(shown); err != nil {
			return false, err
		}
	}
	running, err := w.store.Running(w.watched, lookBatch)
	if err != nil {
		return false, err
	}
	if len(running) == 0 {
		w.watched = nil
		return false, nil
	}
	if err := w.connect(ctx); err != nil {
		return false, err
	}
	for _, t := range running {
		again, err := w.lookAt(ctx, t)
		renewed = renewed || again
		if isRefusal(err) {
			w.disconnect()
		}
		w.watched = &t
		if err != nil {
			return renewed, err
		}
	}
	if len(running) < lookBatch {
		w.watched = nil
	}
	return renewed, nil
}

func (w *watcher) lookAt(ctx context.Context, t state.HistoryEntry) (renewed bool, err error) {
	look, err := w.lapi.Bans(ctx, t.Number, t.ID)
	if err != nil {
		return false, err
	}
	if wasSetBack(&w.lapiClock, look.At) {
		if err := w.revive(look.At); err != nil {
			return false, err
		}
	}
	if !t.Looked {
		look.Bans = w.legible(t, look.Bans)
		if w.options.Banned != nil && look.Known {
			w.options.Banned(look)
		}
	}
	switch stateOf(t, look, w.renewAt(t, look)) {
	case firstLook:
		w.warnOfFlush(t, look)
		return false, w.store.Looked(t, look.Created, kept(look.Bans))
	case over:
		if t.Looked {
			return false, w.store.Over(t)
		}
		if err := w.store.Looked(t, look.Created, nil); err != nil {
			return false, err
		}
		return false, w.store.Ended(t)
	case vanished:
		w.count(func(stats *Stats) { stats.Vanished++ })
		w.options.Log.Info("the LAPI no longer has an alert; its bans have ended with it", "alert", t.Number, "source", describe(t.Alert))
		return false, w.store.Ended(t)
	case renewalDue:
		w.count(func(stats *Stats) { stats.Renewed++ })
		return true, w.store.Renew(t, t.End(), w.options.Now())
	case endedEarly:
		return false, w.endedEarly(ctx, t, look)
	}
	return false, nil
}

// revive resumes watching bans that looked expired only because a clock ran ahead. The
// LAPI decides whether they still run.
func (w *watcher) revive(now time.Time) error {
	n, err := w.store.Revive(now)
	if err != nil {
		w.ownClock, w.lapiClock = clock.Reading{}, clock.Reading{} // the next look tries again
	}
	if n > 0 {
		w.options.Log.Info("bans that seemed to be over are watched again: a clock was set back", "bans", n)
	}
	return err
}

// legible leaves out the decisions for which the LAPI reports no end. They are not
// watched, because an early end could not be noticed.
func (w *watcher) legible(t state.HistoryEntry, seen []lapi.Ban) []lapi.Ban {
	left := slices.DeleteFunc(slices.Clone(seen), func(b lapi.Ban) bool { return b.Until.IsZero() })
	if n := len(seen) - len(left); n > 0 {
		w.options.Log.Warn("the LAPI does not say when a decision ends; whether a person ends it goes unnoticed", "alert", t.Number,
			"source", describe(t.Alert), "decisions", n, "hint", "sudo cscli alerts inspect "+t.Number+"; after cscli decisions delete say csmail unban, too")
	}
	return left
}

// storedAt is the time when the LAPI stored an alert, by its clock, from this look or an
// earlier one. If the LAPI never reported it, it is the time of sending by this host's
// clock.
func storedAt(t state.HistoryEntry, look lapi.Look) time.Time {
	switch {
	case !look.Created.IsZero():
		return look.Created
	case !t.Created.IsZero():
		return t.Created
	}
	return t.Sent
}

// renewAt is a day, or a seventh, before the LAPI forgets the alert. The zero time
// if the ban is not to be renewed.
func (w *watcher) renewAt(t state.HistoryEntry, look lapi.Look) time.Time {
	stored := storedAt(t, look)
	if !w.options.Renew || t.End().Before(stored.Add(w.options.FlushAge)) {
		return time.Time{}
	}
	return stored.Add(w.options.FlushAge / 7 * 6)
}

func (w *watcher) warnOfFlush(t state.HistoryEntry, look lapi.Look) {
	flushed := storedAt(t, look).Add(w.options.FlushAge)
	for _, b := range look.Bans {
		if b.Until.After(flushed.Add(slack)) && (t.Duration == 0 || !w.options.Renew) {
			w.options.Log.Warn("a ban is longer than CrowdSec keeps its alert, and will end with it", "source", describe(t.Alert),
				"until", b.Until, "ends", flushed, "hint", "raise db_config.flush.max_age in CrowdSec's config.yaml")
			return
		}
	}
}

// endedEarly reports that a person ended a ban, unless another ban on the same source
// still runs. In that case the alert is looked at again after the other ban has ended.
func (w *watcher) endedEarly(ctx context.Context, t state.HistoryEntry, look lapi.Look) error {
	other, err := w.anotherRuns(ctx, t, look.At)
	if err != nil || other {
		return err
	}
	at := look.Created
	for _, b := range look.Bans {
		if b.Until.After(at) {
			at = b.Until
		}
	}
	if w.options.Unbanned != nil {
		if err := w.options.Unbanned(ctx, Unbanned{Alert: t.Alert, Number: t.Number, At: at}); err != nil {
			return fmt.Errorf("unban %s: %w", describe(t.Alert), err)
		}
	}
	w.count(func(stats *Stats) { stats.Unbanned++ })
	w.options.Log.Info("a person ended a ban early", "alert", t.Number, "source", describe(t.Alert), "at", at)
	return w.store.Unbanned(t, w.options.Now())
}

// maxOthers bounds how many earlier alerts on the same source are looked at.
const maxOthers = 50

func (w *watcher) anotherRuns(ctx context.Context, t state.HistoryEntry, now time.Time) (bool, error) {
	history, err := w.store.History(t.Alert.Value(), maxOthers)
	if err != nil {
		return false, err
	}
	for _, other := range history {
		if other.ID == t.ID || !mayRun(other, now) {
			continue
		}
		look, err := w.lapi.Bans(ctx, other.Number, other.ID)
		if err != nil {
			return false, err
		}
		if look.Known && !shortened(other, look.Bans) {
			return true, nil
		}
	}
	return false, nil
}

// mayRun reports whether a ban of the alert may still run, by the LAPI's clock.
func mayRun(t state.HistoryEntry, now time.Time) bool {
	if t.Status != state.Delivered || t.Simulate || !t.Unbanned.IsZero() {
		return false
	}
	return !t.Looked || t.End().After(now)
}

func kept(seen []lapi.Ban) []state.Ban {
	bans := make([]state.Ban, 0, len(seen))
	for _, b := range seen {
		bans = append(bans, state.Ban{ID: b.ID, Type: b.Type, Until: b.Until})
	}
	return bans
}
