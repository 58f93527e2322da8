package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

// pusher empties the outbox into the LAPI: each alert once, in order.
type pusher struct {
	*connection
	store     Outbox
	delivered func(result) // called with each alert that the LAPI took

	after     uint64    // the place in the outbox that this round is at
	follows   bool      // another judge delivers what this round left behind
	left      error     // why this round left an entry behind
	unsettled []result  // known outcomes that could not be stored yet
	pruned    time.Time // with the monotonic reading, so it does not depend on the clock's setting
}

// round goes through the outbox once, or until the LAPI or the disk fails.
// Without an error nothing is left in it.
func (p *pusher) round(ctx context.Context) error {
	if err := p.prune(); err != nil {
		return err
	}
	sent := false
	p.follows = false
	for {
		if err := p.settle(); err != nil {
			return err
		}
		pending, err := p.store.Pending(p.after, batchSize)
		if err != nil {
			return err
		}
		if len(pending) == 0 {
			if p.after == 0 {
				return nil
			}
			left := p.left
			p.after, p.left = 0, nil
			if sent && left != nil {
				return left
			}
			continue // with what a round before left behind
		}
		sent = true
		if err := p.connect(ctx); err != nil {
			return err
		}
		err = p.sendBatch(ctx, takeBatch(pending))
		if errors.Is(err, lapi.ErrFollows) {
			p.follows = true
			return nil // whoever delivers now brings what is left
		}
		if err != nil {
			return err
		}
	}
}

func (p *pusher) prune() error {
	if now := time.Now(); now.Sub(p.pruned) >= pruneEvery {
		if err := p.store.Prune(p.options.Now()); err != nil {
			return err
		}
		p.pruned = now
	}
	return nil
}

// batch is a run of entries that are pushed with the same options.
type batch struct {
	entries []state.Entry
	options lapi.PushOptions
}

// takeBatch takes entries from the front as long as they have the same options, so that
// the order of alerts stays.
func takeBatch(pending []state.Entry) batch {
	b := batch{options: optionsOf(pending[0])}
	for _, e := range pending {
		if optionsOf(e) != b.options {
			break
		}
		b.entries = append(b.entries, e)
	}
	return b
}

// optionsOf sets no time: bans count by the LAPI's clock.
func optionsOf(e state.Entry) lapi.PushOptions {
	return lapi.PushOptions{Duration: e.Duration, Simulate: e.Simulate, Renewal: e.Renewal, Until: e.Until}
}

// sendBatch pushes a batch and stores the outcomes.
func (p *pusher) sendBatch(ctx context.Context, b batch) error {
	b.options.ShareAccounts, b.options.RangeDuration = p.options.ShareAccounts, p.options.RangeDuration
	entries, err := p.sendable(b)
	if err != nil {
		return err
	}
	last := b.entries[len(b.entries)-1].Seq
	if len(entries) == 0 {
		return p.settle()
	}
	alerts := make([]event.Alert, 0, len(entries))
	for _, e := range entries {
		alerts = append(alerts, e.Alert)
	}
	began := time.Now()
	outcomes, err := p.lapi.Push(ctx, alerts, b.options)
	p.count(func(stats *Stats) { stats.Batches++; stats.Spent += time.Since(began) })
	if storeErr := p.takeOutcomes(entries, outcomes); storeErr != nil {
		return storeErr
	}
	if isRefusal(err) {
		p.disconnect()
	}
	if errors.Is(err, lapi.ErrTakesNone) {
		// If these are to blame and not the LAPI, those behind them must not wait.
		p.after, p.left = last, err
	}
	return err
}

// sendable settles the entries that need not be sent, and returns the others.
func (p *pusher) sendable(b batch) ([]state.Entry, error) {
	var entries []state.Entry
	for _, e := range b.entries {
		if err := lapi.Check(e.Alert); err != nil {
			if err := p.park(e, err.Error()); err != nil {
				return nil, err
			}
			continue
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// takeOutcomes settles the entries by the outcomes of their push.
func (p *pusher) takeOutcomes(entries []state.Entry, outcomes []lapi.Outcome) error {
	byID := map[string]state.Entry{}
	for _, e := range entries {
		byID[e.Alert.ID()] = e
	}
	now := p.options.Now()
	works := p.Stats().LastDelivered
	for _, o := range outcomes {
		if o.Status == lapi.Pushed {
			works = now
		}
	}
	var rejected []lapi.Outcome
	for _, o := range outcomes {
		if o.Status == lapi.Rejected {
			rejected = append(rejected, o)
			continue
		}
		e := byID[o.Alert.ID()]
		p.unsettled = append(p.unsettled, result{settlementOf(o, e.Seq, now), e})
	}
	if err := p.settle(); err != nil {
		return err
	}
	for _, o := range rejected {
		if err := p.reject(byID[o.Alert.ID()], o.Reason, works, now); err != nil {
			return err
		}
	}
	return nil
}

// settlementOf reads an outcome. An alert that the LAPI already had counts as delivered:
// it came with a push that lost its answer, or its outcome was never stored.
func settlementOf(o lapi.Outcome, seq uint64, now time.Time) state.Settlement {
	settled := state.Settlement{Seq: seq, Status: state.HeldBack, Number: o.ID, Reason: o.Reason, At: now}
	if o.ID != "" {
		settled.Status, settled.Reason = state.Delivered, ""
	}
	return settled
}

// result is the outcome of one entry.
type result struct {
	state.Settlement
	entry state.Entry
}

// settle stores the outcomes that are known. It must be retried until it succeeds: as
// long as it fails, nothing more is sent.
func (p *pusher) settle() error {
	if len(p.unsettled) == 0 {
		return nil
	}
	settlements := make([]state.Settlement, 0, len(p.unsettled))
	for _, r := range p.unsettled {
		settlements = append(settlements, r.Settlement)
	}
	if err := p.store.Settle(settlements); err != nil {
		return err
	}
	p.count(func(stats *Stats) {
		for _, r := range p.unsettled {
			if r.Status == state.Delivered {
				stats.Delivered++
				stats.LastDelivered = r.At
				p.delivered(r)
			} else {
				stats.HeldBack++
			}
		}
	})
	p.unsettled = nil
	return nil
}

// patience is how often the LAPI may refuse an alert before it is parked; a busy
// database refuses now and then.
const patience = 3

// reject parks an alert that the LAPI does not take, if there is proof that it takes
// others: works is the time when it last took one. A LAPI with a full disk gives the
// same answer to every alert. Without proof the alert stays, and the round goes on with
// the next.
func (p *pusher) reject(e state.Entry, reason string, works, now time.Time) error {
	since := e.Refused
	if since.IsZero() {
		since = now
	}
	if !works.Before(since) && e.Tries+1 >= patience {
		return p.park(e, reason)
	}
	p.after = max(p.after, e.Seq)
	p.left = fmt.Errorf("the alert on %s: %s", describe(e.Alert), reason)
	return p.store.Refused(e.Seq, reason, now)
}

func (p *pusher) park(e state.Entry, reason string) error {
	if err := p.store.Park(e.Seq, reason); err != nil {
		return err
	}
	p.count(func(stats *Stats) { stats.Parked++ })
	p.options.Log.Error("the LAPI does not take an alert; it is parked", "id", e.ID, "scenario", e.Alert.Scenario,
		"source", describe(e.Alert), "reason", reason, "hint", "csmail outbox list; csmail outbox retry "+e.ID)
	return nil
}

// describe names a source, without a user name.
func describe(a event.Alert) string {
	if a.Scope == event.ScopeAccount {
		return "an account"
	}
	return a.Value()
}
