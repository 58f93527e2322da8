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

// round goes through the outbox once, or until the LAPI or the disk fails.
// Without an error nothing is left in it.
func (s *Sender) round(ctx context.Context) error {
	if err := s.prune(); err != nil {
		return err
	}
	sent := false
	s.follows = false
	for {
		if err := s.settle(); err != nil {
			return err
		}
		pending, err := s.store.Pending(s.after, batchSize)
		if err != nil {
			return err
		}
		if len(pending) == 0 {
			if s.after == 0 {
				return nil
			}
			left := s.left
			s.after, s.left = 0, nil
			if sent && left != nil {
				return left
			}
			continue // with what a round before left behind
		}
		sent = true
		if err := s.connect(ctx); err != nil {
			return err
		}
		err = s.sendBatch(ctx, takeBatch(pending))
		if errors.Is(err, lapi.ErrFollows) {
			s.follows = true
			return nil // whoever delivers now brings what is left
		}
		if err != nil {
			return err
		}
	}
}

func (s *Sender) prune() error {
	if now := time.Now(); now.Sub(s.pruned) >= pruneEvery {
		if err := s.store.Prune(s.options.Now()); err != nil {
			return err
		}
		s.pruned = now
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
func (s *Sender) sendBatch(ctx context.Context, b batch) error {
	b.options.ShareAccounts, b.options.RangeDuration = s.options.ShareAccounts, s.options.RangeDuration
	entries, err := s.sendable(b)
	if err != nil {
		return err
	}
	last := b.entries[len(b.entries)-1].Seq
	if len(entries) == 0 {
		return s.settle()
	}
	alerts := make([]event.Alert, 0, len(entries))
	for _, e := range entries {
		alerts = append(alerts, e.Alert)
	}
	began := time.Now()
	outcomes, err := s.lapi.Push(ctx, alerts, b.options)
	s.count(func(stats *Stats) { stats.Batches++; stats.Spent += time.Since(began) })
	if storeErr := s.take(entries, outcomes); storeErr != nil {
		return storeErr
	}
	if isRefusal(err) {
		s.disconnect()
	}
	if errors.Is(err, lapi.ErrTakesNone) {
		// If these are to blame and not the LAPI, those behind them must not wait.
		s.after, s.left = last, err
	}
	return err
}

// sendable settles the entries that need not be sent, and returns the others.
func (s *Sender) sendable(b batch) ([]state.Entry, error) {
	var entries []state.Entry
	for _, e := range b.entries {
		if err := lapi.Check(e.Alert); err != nil {
			if err := s.park(e, err.Error()); err != nil {
				return nil, err
			}
			continue
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// take settles the entries by the outcomes of their push.
func (s *Sender) take(entries []state.Entry, outcomes []lapi.Outcome) error {
	byID := map[string]state.Entry{}
	for _, e := range entries {
		byID[e.Alert.ID()] = e
	}
	now := s.options.Now()
	works := s.Stats().LastDelivered
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
		s.unsettled = append(s.unsettled, result{settlementOf(o, e.Seq, now), e})
	}
	if err := s.settle(); err != nil {
		return err
	}
	for _, o := range rejected {
		if err := s.reject(byID[o.Alert.ID()], o.Reason, works, now); err != nil {
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

// freshen schedules a first look at the bans of a delivered alert.
func (s *Sender) freshen(r result) {
	if len(s.fresh) < maxFresh && !r.entry.Simulate && !r.entry.Alert.Informational {
		s.fresh = append(s.fresh, state.Told{
			ID: r.entry.ID, Number: r.Number, Sent: r.At, Alert: r.entry.Alert, Duration: r.entry.Duration, Renewal: r.entry.Renewal,
		})
	}
}

// settle stores the outcomes that are known. It must be retried until it succeeds: as
// long as it fails, nothing more is sent.
func (s *Sender) settle() error {
	if len(s.unsettled) == 0 {
		return nil
	}
	settlements := make([]state.Settlement, 0, len(s.unsettled))
	for _, r := range s.unsettled {
		settlements = append(settlements, r.Settlement)
	}
	if err := s.store.Settle(settlements); err != nil {
		return err
	}
	s.count(func(stats *Stats) {
		for _, r := range s.unsettled {
			if r.Status == state.Delivered {
				stats.Delivered++
				stats.LastDelivered = r.At
				s.freshen(r)
			} else {
				stats.HeldBack++
			}
		}
	})
	s.unsettled = nil
	return nil
}

// patience is how often the LAPI may refuse an alert before it is parked; a busy
// database refuses now and then.
const patience = 3

// reject parks an alert that the LAPI does not take, if there is proof that it takes
// others: works is the time when it last took one. A LAPI with a full disk gives the
// same answer to every alert. Without proof the alert stays, and the round goes on with
// the next.
func (s *Sender) reject(e state.Entry, reason string, works, now time.Time) error {
	since := e.Refused
	if since.IsZero() {
		since = now
	}
	if !works.Before(since) && e.Tries+1 >= patience {
		return s.park(e, reason)
	}
	s.after = max(s.after, e.Seq)
	s.left = fmt.Errorf("the alert on %s: %s", describe(e.Alert), reason)
	return s.store.Refused(e.Seq, reason, now)
}

func (s *Sender) park(e state.Entry, reason string) error {
	if err := s.store.Park(e.Seq, reason); err != nil {
		return err
	}
	s.count(func(stats *Stats) { stats.Parked++ })
	s.options.Log.Error("the LAPI does not take an alert; it is parked", "id", e.ID, "scenario", e.Alert.Scenario,
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
