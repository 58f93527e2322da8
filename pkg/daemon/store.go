package daemon

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"csmail/pkg/config"
	"csmail/pkg/hint"
	"csmail/pkg/state"
)

// stateWriter writes the state file for the loop: batches of inputs every few seconds,
// and every five minutes the whole state of the engine. It has its own type since it
// outlives reloads and failures: a batch that cannot be stored stays pending, and while
// one is, the sources wait.
type stateWriter struct {
	store    *state.Store
	log      *slog.Logger
	notify   func(message string) // sd_notify(3)
	failures prometheus.Counter   // of commits
	prepare  func(*state.Batch)   // called before a batch is stored, to add to it
	sealed   func()               // called after a batch was stored
	complete func([]state.Input)  // called with the inputs of a batch before it is stored
	wake     func()               // called after alerts were stored

	// capture begins a checkpoint with the engine's state, and returns what is stored
	// beside it; stored is called with the result.
	capture func() (*state.Draft, state.Beside, error)
	stored  func(error)
	closed  func() int // bytes in memory that a checkpoint would put into the file

	pending   state.Batch
	text      int         // bytes of the lines in the pending batch
	urgent    bool        // the pending batch holds an alert, so it is stored at once
	due       *time.Timer // fires when the pending batch must be stored; runs while waits is true
	waits     bool
	pace      pace
	commitErr error // why the last commit failed; reading waits while it is set

	written    chan error // receives the result of the checkpoint under way; nil if there is none
	checkpoint time.Time  // time of the last attempt
	checkErr   error      // why it failed
}

// newStateWriter returns the writer of a daemon's state file, which is opened later.
func newStateWriter(d *Daemon) stateWriter {
	w := stateWriter{log: d.log, notify: d.options.Notify, failures: d.metrics.commitFailures, due: time.NewTimer(time.Hour)}
	w.due.Stop()
	w.prepare = func(b *state.Batch) { d.cluster.seal(b) }
	w.sealed = func() { d.cluster.sealed() }
	w.complete = func(inputs []state.Input) { d.reports.settle(inputs) }
	w.wake = func() {
		if d.sender != nil {
			d.sender.Wake()
		}
	}
	w.capture = func() (*state.Draft, state.Beside, error) {
		beside, err := d.beside() // before the snapshot: it takes the hours that are over
		if err != nil {
			return nil, state.Beside{}, err
		}
		d.cluster.beside(&beside)
		draft := d.store.Draft()
		return draft, beside, d.snapshot(draft.Add)
	}
	w.closed = func() int { return d.reports.closed() }
	w.stored = func(err error) {
		d.reports.stored(err)
		if err == nil {
			d.cluster.stored()
		}
	}
	return w
}

// schedule starts the timer of the pending batch's commit.
func (w *stateWriter) schedule() {
	if !w.waits {
		w.waits = true
		w.due.Reset(w.pace.next())
	}
}

// tryCommit stores the pending batch. After an error reading waits until a commit
// succeeds.
func (w *stateWriter) tryCommit() {
	err := w.commit()
	if err != nil && w.commitErr == nil {
		w.log.Error("what was read cannot be stored, so reading waits", "error", err, "hint", hint.Of(err))
		w.notify("STATUS=the state file cannot be written: " + err.Error())
	}
	if err == nil && w.commitErr != nil {
		w.log.Info("the state file can be written again")
		w.notify("STATUS=")
	}
	if err != nil {
		w.failures.Inc()
	}
	w.commitErr = err
}

// commit stores the pending batch and wakes the sender.
func (w *stateWriter) commit() error {
	w.prepare(&w.pending)
	if len(w.pending.Outgoing) == 0 && len(w.pending.Inputs) == 0 && len(w.pending.Cursors) == 0 && len(w.pending.Alerts) == 0 && len(w.pending.Held) == 0 {
		return nil
	}
	w.complete(w.pending.Inputs)
	if err := w.store.Commit(w.pending); err != nil {
		return fmt.Errorf("the state file: %w", err)
	}
	if len(w.pending.Alerts) > 0 {
		w.wake()
	}
	w.sealed()
	clear(w.pending.Inputs) // they keep the text of whole batches in memory
	w.pending = state.Batch{Inputs: w.pending.Inputs[:0]}
	w.urgent, w.text, w.waits = false, 0, false
	w.due.Stop()
	w.pace.committed()
	return nil
}

// writeCheckpoint stores the engine's state. Of a large one the loop waits until all but
// the last part is in the file, because a copy of it would need too much memory; for the
// rest the loop goes on.
func (w *stateWriter) writeCheckpoint(now time.Time) {
	if w.written != nil || w.commitErr != nil {
		return
	}
	if w.tryCommit(); w.commitErr != nil {
		return
	}
	w.checkpoint = now
	mark := w.store.Mark()
	draft, beside, err := w.capture()
	if err != nil {
		w.checkpointed(err)
		return
	}
	written := make(chan error, 1)
	w.written = written
	go func() { written <- draft.Store(mark, beside) }()
}

// nextCheckpoint returns how long after the last checkpoint the next one is due. It is early
// if the last one failed, and if it takes much out of the journal or out of memory.
func (w *stateWriter) nextCheckpoint() time.Duration {
	switch {
	case w.checkErr != nil || w.store.Stats().JournalBytes > maxJournal:
		return retryCheckpoint
	case w.closed() > maxClosed:
		return soonCheckpoint
	}
	return checkpointEvery
}

// awaitCheckpoint waits for the checkpoint under way. If it ended after a newer one, it
// would restore a mark after its inputs are gone.
func (w *stateWriter) awaitCheckpoint() {
	if w.written != nil {
		w.checkpointed(<-w.written)
	}
}

// checkpointed takes the result of a checkpoint. After an error nothing is lost, but the
// journal of inputs grows.
func (w *stateWriter) checkpointed(err error) {
	w.written = nil
	if err != nil && w.checkErr == nil {
		w.log.Error("checkpoint", "error", err, "hint", hint.Of(err))
	}
	w.checkErr = err
	w.stored(err)
}

// storeNow writes a checkpoint and waits for it, so that the next start does not depend
// on older data. All inputs of the engine are committed before.
func (w *stateWriter) storeNow() error {
	w.awaitCheckpoint()
	draft, beside, err := w.capture()
	if err == nil {
		err = draft.Store(w.store.Mark(), beside)
	}
	if err != nil {
		err = fmt.Errorf("checkpoint: %w", err)
	}
	w.checkpoint = time.Now()
	w.checkpointed(err)
	return err
}

// storeErr returns why the state file cannot be written, nil if it can.
func (w *stateWriter) storeErr() error { return cmp.Or(w.commitErr, w.checkErr) }

// openState opens the state file, and makes it smaller first where most of it is free.
func (d *Daemon) openState(c config.Config) (*state.Store, error) {
	o := state.Options{History: time.Duration(c.History)}
	store, err := state.Open(c.State, o)
	if err != nil {
		return nil, err
	}
	before := store.Stats().FileBytes
	isShrunk, err := store.Shrink()
	if err != nil {
		d.log.Warn("the state file stays larger than it need be", "bytes", before, "error", err, "hint", hint.Of(err))
	}
	if !isShrunk {
		return store, nil
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	if store, err = state.Open(c.State, o); err == nil {
		d.log.Info("the state file was mostly free and is smaller now", "before", before, "bytes", store.Stats().FileBytes)
	}
	return store, err
}
