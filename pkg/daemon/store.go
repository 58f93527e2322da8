package daemon

import (
	"cmp"
	"fmt"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/state"
)

// tryCommit stores the pending batch. After an error reading waits until a commit
// succeeds.
func (d *Daemon) tryCommit() {
	err := d.commit()
	if err != nil && d.commitErr == nil {
		d.log.Error("what was read cannot be stored, so reading waits", "error", err, "hint", hint.Of(err))
		d.options.Notify("STATUS=the state file cannot be written: " + err.Error())
	}
	if err == nil && d.commitErr != nil {
		d.log.Info("the state file can be written again")
		d.options.Notify("STATUS=")
	}
	if err != nil {
		d.metrics.commitFailures.Inc()
	}
	d.commitErr = err
}

// commit stores the pending batch and wakes the sender.
func (d *Daemon) commit() error {
	if len(d.pending.Inputs) == 0 && len(d.pending.Cursors) == 0 && len(d.pending.Alerts) == 0 && len(d.pending.Held) == 0 {
		return nil
	}
	d.reports.settle(d.pending.Inputs)
	if err := d.store.Commit(d.pending); err != nil {
		return fmt.Errorf("the state file: %w", err)
	}
	if len(d.pending.Alerts) > 0 && d.sender != nil {
		d.sender.Wake()
	}
	clear(d.pending.Inputs) // they keep the text of whole batches in memory
	d.pending = state.Batch{Inputs: d.pending.Inputs[:0]}
	d.hurry, d.text, d.waits = false, 0, false
	d.due.Stop()
	d.pace.committed()
	return nil
}

// writeCheckpoint stores the engine's state while the loop goes on.
func (d *Daemon) writeCheckpoint(now time.Time) {
	if d.written != nil || d.commitErr != nil {
		return
	}
	if d.tryCommit(); d.commitErr != nil {
		return
	}
	d.checkpoint = now
	mark := d.store.Mark()
	snapshot := &state.Packed{}
	if err := d.engine.Snapshot(snapshot.Add); err != nil {
		d.checkpointed(err)
		return
	}
	beside, err := d.beside()
	if err != nil {
		d.checkpointed(err)
		return
	}
	written := make(chan error, 1)
	d.written = written
	go func() { written <- d.store.StoreBeside(snapshot, mark, beside) }()
}

// awaitCheckpoint waits for the checkpoint under way. If it ended after a newer one, it
// would restore a mark whose inputs are gone.
func (d *Daemon) awaitCheckpoint() {
	if d.written != nil {
		d.checkpointed(<-d.written)
	}
}

// checkpointed takes the result of a checkpoint. After an error nothing is lost, but the
// journal of inputs grows.
func (d *Daemon) checkpointed(err error) {
	d.written = nil
	if err != nil && d.checkErr == nil {
		d.log.Error("checkpoint", "error", err, "hint", hint.Of(err))
	}
	d.checkErr = err
	d.reports.stored(err)
}

// storeNow writes a checkpoint and waits for it, so that the next start does not depend
// on older data. All inputs of the engine are committed before.
func (d *Daemon) storeNow() error {
	d.awaitCheckpoint()
	snapshot := &state.Packed{}
	err := d.engine.Snapshot(snapshot.Add)
	var beside state.Beside
	if err == nil {
		beside, err = d.beside()
	}
	if err == nil {
		err = d.store.StoreBeside(snapshot, d.store.Mark(), beside)
	}
	if err != nil {
		err = fmt.Errorf("checkpoint: %w", err)
	}
	d.checkpoint = time.Now()
	d.checkpointed(err)
	return err
}

// storeErr returns why the state file cannot be written, nil if it can.
func (d *Daemon) storeErr() error { return cmp.Or(d.commitErr, d.checkErr) }
