// Package delivery brings the alerts of the outbox to CrowdSec's Local API: each once,
// in order, however long the LAPI is down. It also watches the bans that result.
//
// It holds at most one batch in memory; unsettled alerts stay in the outbox. An alert
// leaves it when the LAPI has it, or when the LAPI must not get it (it is allowlisted).
// If the LAPI demonstrably takes others but not this one, the alert is parked, and
// csmail status shows it.
//
// Watching bans (watch.go) distinguishes a ban that a person ended early from flushes,
// expiries and empty databases, and renews bans that are longer than the LAPI remembers.
// The package makes no decision about a source, deletes no decision, and keeps no file.
package delivery

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

// Store is the part of the state file that a Sender needs.
type Store interface {
	Outbox
	Bans
}

// Outbox holds the alerts that are to be delivered.
type Outbox interface {
	Pending(after uint64, limit int) ([]state.Entry, error)
	Settle([]state.Settlement) error
	Refused(seq uint64, reason string, at time.Time) error
	Park(seq uint64, reason string) error
	Prune(now time.Time) error
}

// Bans are the delivered alerts with the decisions that the LAPI made of them.
type Bans interface {
	History(value string, limit int) ([]state.HistoryEntry, error)
	Running(after *state.HistoryEntry, limit int) ([]state.HistoryEntry, error)
	Looked(t state.HistoryEntry, created time.Time, bans []state.Ban) error
	Unbanned(t state.HistoryEntry, at time.Time) error
	Ended(state.HistoryEntry) error
	Over(state.HistoryEntry) error
	Revive(now time.Time) (int, error)
	Renew(t state.HistoryEntry, until, now time.Time) error
}

// LAPI is a Local API at which csmail is registered as a machine.
type LAPI interface {
	Push(context.Context, []event.Alert, lapi.PushOptions) ([]lapi.Outcome, error)
	Bans(ctx context.Context, number, id string) (lapi.Look, error)
	Close()
}

// The times of the sender.
const (
	minBackoff = time.Second
	maxBackoff = time.Minute

	// DefaultFlushAge is the age when the LAPI forgets alerts and, with them, bans
	// that still run (flush.max_age; pkg/database/flush.go, v1.7.8).
	DefaultFlushAge = 7 * 24 * time.Hour

	defaultWatchEvery = 30 * time.Second
	pruneEvery        = time.Hour
)

// batchSize is how many alerts go in one request: the LAPI stores them in
// transactions of 50 (pkg/database/alerts.go, v1.7.8).
const batchSize = 50

// Options of a Sender. Connect is required.
type Options struct {
	// Connect reads the credentials again and returns a client. It is called at the
	// start, after [Sender.Reconnect], and after each time that the LAPI refused this
	// machine, since the password may have been corrected. The sender closes the client.
	Connect func(context.Context) (LAPI, error)

	// Unbanned is called when a person ended a ban early. It is called again if it
	// returns an error, or if the process dies before the success is stored. So a
	// repeated call must do no harm.
	Unbanned func(context.Context, Unbanned) error

	// Banned is called with the decisions that the LAPI made of an alert, milliseconds
	// after it took the alert. It may be nil. After a restart it may be called again for
	// the same alert.
	Banned func(lapi.Look)

	ShareAccounts bool          // see [lapi.PushOptions]
	RangeDuration time.Duration // the same
	Renew         bool          // renew bans that are longer than FlushAge
	FlushAge      time.Duration // the LAPI's flush.max_age; default DefaultFlushAge
	WatchEvery    time.Duration // between looks at bans; default 30 s; at most 50 are looked at each time

	Now func() time.Time // what the clock shows; default: time.Now
	Log *slog.Logger     // default: slog.Default()
}

// Sender delivers. It alternates between two machines, which share the connection to the
// LAPI: the pusher empties the outbox, and the watcher looks after the bans. Its methods
// but Run are safe for concurrent use.
type Sender struct {
	*connection
	pusher  pusher
	watcher watcher

	wake chan struct{} // something is in the outbox
	kick chan struct{} // skip the rest of the backoff
}

// Stats are figures since the start, for metrics.
type Stats struct {
	Delivered uint64 // alerts that the LAPI has
	HeldBack  uint64 // alerts that the LAPI must not or need not get
	Parked    uint64 // alerts that it permanently refuses
	Failures  uint64 // rounds that ended with an error
	Batches   uint64 // pushes with an answer
	Spent     time.Duration

	Unbanned uint64 // bans that a person ended
	Renewed  uint64
	Vanished uint64 // alerts that the LAPI no longer has though their bans should run

	LastDelivered time.Time
	FailingSince  time.Time // zero: the last round went well
	LastError     string    // of the failure that goes on, "" if none does
}

// After returns s with the counts of an earlier sender added.
func (s Stats) After(before Stats) Stats {
	s.Delivered += before.Delivered
	s.HeldBack += before.HeldBack
	s.Parked += before.Parked
	s.Failures += before.Failures
	s.Batches += before.Batches
	s.Spent += before.Spent
	s.Unbanned += before.Unbanned
	s.Renewed += before.Renewed
	s.Vanished += before.Vanished
	if s.LastDelivered.IsZero() {
		s.LastDelivered = before.LastDelivered
	}
	return s
}

// New returns a sender that does nothing before Run.
func New(store Store, o Options) *Sender {
	if o.FlushAge <= 0 {
		o.FlushAge = DefaultFlushAge
	}
	if o.WatchEvery <= 0 {
		o.WatchEvery = defaultWatchEvery
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// The history is first cut after a while: a host that has just started may have a
	// clock that is years ahead.
	c := &connection{options: o}
	s := &Sender{connection: c, wake: make(chan struct{}, 1), kick: make(chan struct{}, 1)}
	s.watcher = watcher{connection: c, store: store}
	s.pusher = pusher{connection: c, store: store, pruned: time.Now(), delivered: s.watcher.addFresh}
	return s
}

// Wake announces a new entry in the outbox. During a backoff it has no effect.
func (s *Sender) Wake() { signal(s.wake) }

// Reconnect makes the next round use a new client, and starts it at once.
func (s *Sender) Reconnect() {
	s.reconnect.Store(true)
	signal(s.kick)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}

// Run delivers until the context ends. A push that is interrupted by that is resolved at
// the next start: the LAPI is asked before anything is sent again.
func (s *Sender) Run(ctx context.Context) {
	defer s.disconnect()
	look := time.NewTicker(s.options.WatchEvery)
	defer look.Stop()
	failures := 0
	for ctx.Err() == nil {
		err := s.pusher.round(ctx)
		if ctx.Err() != nil {
			return
		}
		if s.logTrouble(err); err == nil {
			failures = 0
			s.watcher.lookAtFresh(ctx)
			s.idle(ctx, look.C)
			continue
		}
		s.pause(ctx, backoff(failures))
		failures++
	}
}

// backoff doubles up to a minute. A quarter is left to chance, so that many
// hosts do not come back to their LAPI at the same moment.
func backoff(failures int) time.Duration {
	wait := maxBackoff
	if failures < 6 {
		wait = min(minBackoff<<failures, maxBackoff)
	}
	return wait - rand.N(wait/4)
}

func (s *Sender) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.kick:
	}
}

// idle waits for something to send and looks at the bans meanwhile.
func (s *Sender) idle(ctx context.Context, look <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			return
		case <-s.kick:
			return
		case <-look:
			renewed, err := s.watcher.lookAtRunning(ctx)
			if err != nil {
				s.options.Log.Debug("looking at the bans failed", "error", err)
			}
			if renewed || s.pusher.follows {
				return
			}
		}
	}
}
