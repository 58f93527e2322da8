package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/hint"
	"csmail/pkg/report"
	"csmail/pkg/state"
)

// answers answers the questions of commands and of the web for a daemon. It asks the loop
// for data of the loop, and reads the state file itself.
type answers struct{ *Daemon }

var _ control.Daemon = answers{}

// pageSize is the number of entries of a list that are in memory at once. An entry holds
// the lines of its attempts, and a list may hold 20,000.
const pageSize = 100

// eachOf calls f with each entry of a list, oldest first.
func eachOf(read func(after uint64, limit int) ([]state.Entry, error), f func(*state.Entry)) error {
	after := uint64(0)
	for {
		page, err := read(after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			f(&page[i])
		}
		after = page[len(page)-1].Seq
	}
}

// Status implements [control.Daemon].
func (d answers) Status(ctx context.Context) (control.Status, error) {
	var s control.Status
	if err := d.ask(ctx, func() { s = d.status() }); err != nil {
		return s, err
	}
	bans, err := d.bans(time.Now())
	if s.Bans = bans; err != nil {
		s.Troubles = append(s.Troubles, "who is banned cannot be read from the state file: "+err.Error())
	}
	return s, nil
}

// status answers Status inside the loop.
func (d answers) status() control.Status {
	sent, stored := d.sent(), d.store.Stats()
	s := control.Status{
		Version: d.options.Version, Started: d.started, Config: d.options.Path,
		Tracked: d.engine.Buckets().Stats().Sources, Undecided: d.engine.Guard().Pending(),
		Outbox: control.OutboxStatus{Pending: stored.Pending, Parked: stored.Parked, Held: stored.Held, Oldest: stored.Oldest, Dropped: stored.Overflowed},
		LAPI:   control.LAPI{Reached: sent.LastDelivered, Error: sent.LastError, Delivered: sent.Delivered},
		State:  control.StateStatus{Path: d.config.State, Bytes: stored.FileBytes, Commit: int64(stored.Commits), Unstored: len(d.pending.Inputs)},
		Alerts: []control.Alert{}, Breakers: []string{}, Sources: []control.Source{},
	}
	if d.reloadErr != nil {
		s.Reload, s.ReloadHint = d.reloadErr.Error(), hint.Of(d.reloadErr)
	}
	if err := d.storeErr(); err != nil {
		s.State.Error, s.State.Hint = err.Error(), hint.Of(err)
	}
	s.Sources = d.before.statuses(d.feeds)
	s.Total = d.counted(stored.Overflowed)
	s.Enforcement = d.enforcer.status(d.config.Enforce.DryRun)
	for _, t := range d.before.totals(d.feeds) {
		s.Lines += int64(t.lines.Read)
		s.Missed += int64(t.lines.Unparsed)
	}
	for _, b := range d.engine.Guard().Breakers() {
		if b.Holds {
			s.Breakers = append(s.Breakers, breakerText(b))
		}
	}
	s.BreakIns = append([]control.Alert{}, slices.DeleteFunc(slices.Clone(d.shown.breakIns), func(a control.Alert) bool {
		return time.Since(a.At) > breakInsBack
	})...)
	for _, a := range slices.Backward(d.shown.recent) {
		s.Alerts = append(s.Alerts, a)
	}
	if addr, percent, ok := d.engine.Guard().Gateway(); ok {
		s.Gateway = &control.Gateway{Addr: addr.String(), Percent: percent}
	}
	s.Cluster = d.cluster.status()
	d.checkHealth(&s)
	return s
}

// breakerText describes a breaker that holds, for example "resolver since
// 2026-06-03T04:11:09Z: last client with a verified name at …".
func breakerText(b guard.Breaker) string {
	if b.Since.IsZero() {
		return b.Name + ": " + b.Why
	}
	return fmt.Sprintf("%s since %s: %s", b.Name, b.Since.Format(time.RFC3339), b.Why)
}

// Why implements [control.Daemon].
func (d answers) Why(ctx context.Context, addr netip.Addr) (report.Why, error) {
	var w report.Why
	err := d.ask(ctx, func() {
		w = report.StateOf(d.engine, addr)
		w.Enforced = d.enforcer.why(addr)
		for _, e := range d.engine.Buckets().EvidenceOf(addr) {
			w.Evidence = append(w.Evidence, report.EvidenceOf(&e))
		}
	})
	if err != nil {
		return w, err
	}
	if err := d.addAlerts(&w, addr); err != nil {
		return w, err
	}
	slices.SortStableFunc(w.Alerts, func(a, b report.Alert) int { return a.Last.Compare(b.Last) })
	return w, nil
}

// addAlerts adds the alerts on the address and its network: those that were delivered, and
// those that wait.
func (d answers) addAlerts(w *report.Why, addr netip.Addr) error {
	for list, read := range d.lists() {
		err := eachOf(read, func(e *state.Entry) {
			if !isAbout(e.Alert, addr) {
				return
			}
			told := shownAlertOf(e.Alert, e.Reason)
			told.State = string(list)
			if list == control.Held {
				told.Verdict = guard.Hold.String()
				told.Rule, told.Reason = ruleOf(told.Reason)
			}
			w.Alerts = append(w.Alerts, told)
		})
		if err != nil {
			return err
		}
	}
	for _, value := range valuesOf(addr) {
		history, err := d.store.History(value, maxRecent)
		if err != nil {
			return err
		}
		for _, h := range history {
			told := shownAlertOf(h.Alert, h.Reason)
			told.State, told.Number = h.Status.String(), h.Number
			if h.Status == state.Dropped {
				told.Verdict = guard.None.String() // it was held or waited, and never became public
			}
			w.Alerts = append(w.Alerts, told)
		}
	}
	return nil
}

// shownAlertOf returns an alert as csmail why shows it. It shares no memory with the entry of
// the store.
// ruleOf takes the rule off the reason of a held entry.
func ruleOf(reason string) (rule, words string) {
	rule, words, found := strings.Cut(reason, ": ")
	if !found {
		return "", reason
	}
	return rule, words
}

func shownAlertOf(a event.Alert, reason string) report.Alert {
	verdict := guard.Ban
	if a.Informational {
		verdict = guard.Alert
	}
	return report.Alert{
		Scenario: strings.Clone(a.Scenario), Scope: strings.Clone(string(a.Scope)), Value: strings.Clone(a.Value()), Count: a.Count, First: a.First, Last: a.Last,
		Verdict: verdict.String(), Reason: strings.Clone(reason), Checks: cloned(a.Checks), Kinds: copiedKinds(a.Kinds),
	}
}

func copiedKinds(kinds []event.Count) (copies []event.Count) {
	for _, k := range kinds {
		copies = append(copies, event.Count{Name: strings.Clone(k.Name), N: k.N})
	}
	return copies
}

func cloned(texts []string) (copies []string) {
	for _, text := range texts {
		copies = append(copies, strings.Clone(text))
	}
	return copies
}

// lists returns how each list is read.
func (d answers) lists() map[control.List]func(uint64, int) ([]state.Entry, error) {
	return map[control.List]func(uint64, int) ([]state.Entry, error){
		control.Outbox: d.store.Pending, control.Parked: d.store.Parked, control.Held: d.store.Held,
	}
}

// valuesOf returns the values that an alert on an address may have: the address and its
// range.
func valuesOf(addr netip.Addr) []string {
	values := []string{addr.String()}
	if network := event.RangeOf(addr); network.IsValid() {
		values = append(values, network.String())
	}
	return values
}

// isAbout reports whether an alert is on the address or on its range.
func isAbout(a event.Alert, addr netip.Addr) bool {
	return a.Scope != event.ScopeAccount && slices.Contains(valuesOf(addr), a.Value())
}

// The widest networks that can be forgiven at once, which are those of whole providers.
// With wider ones a slip of the hand, for example 0.0.0.0/0, would switch csmail off for
// a day.
const (
	widest4 = 16
	widest6 = 32
)

// checkWidth refuses a network that is too wide to be forgiven at once.
func checkWidth(network netip.Prefix) error {
	widest := widest6
	if network.Addr().Is4() {
		widest = widest4
	}
	if network.Bits() >= widest {
		return nil
	}
	return hint.Wrap(fmt.Errorf("the network %s is too large to be forgiven at once: /%d is the widest", network, widest),
		"forgive its parts one by one; guard.allow in csmail.yaml names networks that are never banned")
}

// Unban implements [control.Daemon].
func (d answers) Unban(ctx context.Context, network netip.Prefix) (control.Unbanned, error) {
	u := control.Unbanned{Amnesty: time.Now().Add(amnesty)}
	if err := checkWidth(network); err != nil {
		return u, err
	}
	if d.cluster.isJudge() {
		return u, d.cluster.order(ctx, order{Unban: network, Until: u.Amnesty})
	}
	var stored error
	err := d.ask(ctx, func() { stored = d.forgive(network, u.Amnesty) })
	if err = cmp.Or(err, stored); err != nil {
		return u, err
	}
	if u.Dropped, err = d.dropWaiting(network, time.Now()); err != nil {
		return u, err
	}
	d.enforcer.pollSoon()
	d.log.Info("forgiven by a person", "network", network.String(), "until", u.Amnesty.Format(time.RFC3339))
	return u, nil
}

// dropWaiting drops the alerts on a network that were not sent yet.
func (d answers) dropWaiting(network netip.Prefix, now time.Time) (dropped int, err error) {
	var ids []string
	for _, read := range d.lists() {
		err := eachOf(read, func(e *state.Entry) {
			if engine.Network(e.Alert).Overlaps(network) {
				ids = append(ids, strings.Clone(e.ID))
			}
		})
		if err != nil {
			return 0, err
		}
	}
	if len(ids) > 0 {
		if dropped, err = d.store.Drop(ids, now); err != nil && !errors.Is(err, state.ErrUnknown) {
			return dropped, err
		}
	}
	return dropped, nil
}

// HandOver implements [control.Daemon].
func (d answers) HandOver(ctx context.Context) error {
	var refused error
	err := d.ask(ctx, func() { refused = d.cluster.askToHandOver() })
	return cmp.Or(err, refused)
}

// List implements [control.Daemon].
func (d answers) List(_ context.Context, list control.List) ([]control.Alert, error) {
	alerts := []control.Alert{}
	err := eachOf(d.lists()[list], func(e *state.Entry) { alerts = append(alerts, copied(alertOf(*e, string(list)))) })
	return alerts, err
}

// copied releases the stored entry, since the texts of an alert are a part of it.
func copied(a control.Alert) control.Alert {
	for _, text := range []*string{&a.ID, &a.Number, &a.Scenario, &a.Scope, &a.Value, &a.Reason} {
		*text = strings.Clone(*text)
	}
	return a
}

// Move implements [control.Daemon].
func (d answers) Move(ctx context.Context, list control.List, id string, move control.Move) (int, error) {
	var entries []state.Entry
	network, notOne := control.ParseNetwork(id) // an ID has neither point nor colon
	err := eachOf(d.lists()[list], func(e *state.Entry) {
		if id == "all" || strings.HasPrefix(e.ID, id) || notOne == nil && engine.Network(e.Alert) == network {
			entries = append(entries, state.Entry{ID: strings.Clone(e.ID), Alert: withoutEvidence(e.Alert)})
		}
	})
	if err != nil {
		return 0, err
	}
	var never error
	chosen := len(entries)
	if move == control.Release && list == control.Held {
		if entries, never, err = d.mayBan(ctx, entries); err != nil {
			return 0, err
		}
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	n := 0
	if len(ids) > 0 {
		if d.cluster.isJudge() {
			return len(ids), d.cluster.order(ctx, order{List: list, Move: move, IDs: ids, At: time.Now()})
		}
		if n, err = d.move(list, ids, move, time.Now()); err != nil && !errors.Is(err, state.ErrUnknown) { // the others have left the list in the meantime
			return n, err
		}
	}
	if err := d.ask(ctx, func() { d.sender.Wake() }); err != nil {
		return n, err
	}
	switch {
	case never != nil:
		return n, hint.Wrap(fmt.Errorf("%d released, %d stay held: %w", n, chosen-len(entries), never),
			"take it out of guard.allow, if it stands there, and reload (docs/safety.md says what else is never banned); csmail held drop forgets the alert")
	case n == 0 && id != "all":
		return 0, hint.Wrap(fmt.Errorf("no alert in the list %s is on %q or has an ID that begins so", list, id), "csmail %s list shows them", listCommand(list))
	}
	return n, nil
}

// withoutEvidence returns the part of an alert that names its source or account. The
// texts are copies, because those of a stored entry keep the whole entry in memory.
func withoutEvidence(a event.Alert) event.Alert {
	return event.Alert{Scope: event.Scope(strings.Clone(string(a.Scope))), Source: a.Source, Bits: a.Bits, Account: strings.Clone(a.Account)}
}

// mayBan removes the entries that the guard never bans, not even on a person's request.
// never describes the last one removed.
func (d answers) mayBan(ctx context.Context, entries []state.Entry) (left []state.Entry, never, err error) {
	err = d.ask(ctx, func() {
		left = slices.DeleteFunc(entries, func(e state.Entry) bool {
			reason, held := d.isNever(e.Alert)
			if held {
				never = fmt.Errorf("%s is never banned: %s", e.Alert.Value(), reason)
			}
			return held
		})
	})
	return left, never, err
}

// isNever reports whether an alert is on something that the guard never bans, and why.
func (d answers) isNever(a event.Alert) (reason string, held bool) {
	return d.engine.Guard().Touches(engine.Network(a)) // an account has no network
}

// move changes the list of some entries, as far as the list permits the move.
func (d answers) move(list control.List, ids []string, move control.Move, now time.Time) (int, error) {
	switch {
	case move == control.Drop:
		return d.store.Drop(ids, now)
	case move == control.Release && list == control.Held:
		return d.store.Release(ids, now)
	case move == control.Retry && list == control.Parked:
		return d.store.Retry(ids, now)
	}
	return 0, hint.Wrap(fmt.Errorf("an alert in the list %s cannot be moved by %s", list, move), "held alerts are released, parked ones retried, and all may be dropped")
}

// listCommand returns the name of the command that shows a list.
func listCommand(list control.List) string {
	if list == control.Held {
		return "held"
	}
	return "outbox"
}
