package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/detect"
	"csmail/pkg/hint"
	"csmail/pkg/ingest"
	"csmail/pkg/input"
	"csmail/pkg/state"
	"csmail/pkg/wire"
)

// recovery restores a daemon at its start from the state file.
type recovery struct{ *Daemon }

// run restores the engine: from the newest checkpoint, and the inputs after it. Findings
// of this replay are in the state file already and are discarded.
func (d recovery) run(ctx context.Context) error {
	d.startReports()
	replayed := 0
	cursors, err := d.store.Recover(d.restore, func(in state.Input) error {
		if replayed++; replayed%100_000 == 0 {
			d.memory.tune()
		}
		if in.Record == nil && d.cluster.isEdge() {
			d.cluster.edge.reach(in.Tick)
			return nil
		}
		if in.Record == nil {
			d.reports.findings(d.engine.Advance(in.Tick))
			return nil
		}
		d.step(in.Record, in.Lines, in.Missed)
		return nil
	})
	if err != nil {
		if cursors, err = d.startAnew(ctx, err); err != nil {
			return err
		}
	}
	d.rewind()
	d.cluster.recovered()
	first := len(cursors) == 0 && replayed == 0 && (d.cluster == nil || d.cluster.isEdge())
	if first {
		d.log.Info("first start: reading back", "logins", historyBack(d.config), "offences", offencesBack)
		d.cluster.countSince(d.engine, d.started.Add(-offencesBack))
	}
	if err := d.resume(cursors); err != nil {
		return err
	}
	debug.FreeOSMemory() // of the checkpoint as it was decoded, before another one is encoded
	if err := d.storeNow(); err != nil && (first || errors.Is(err, state.ErrDamaged)) {
		return err // the next start must know from when on offences count
	}
	return nil
}

// restore restores the engine from a checkpoint. It adapts the limit of the memory to the
// size of the engine.
func (d recovery) restore(open wire.Open) error {
	err := d.engine.RestoreFrom(func() (wire.Next, error) {
		next, err := open()
		read := 0
		return func() ([]byte, error) {
			const often = 8 << 20
			piece, err := next()
			if read += len(piece); read >= often {
				read = 0
				d.memory.tune()
			}
			return piece, err
		}, err
	})
	if err != nil {
		return err
	}
	d.restoreReports(open)
	return d.cluster.restore(d.Daemon)
}

// resume lets each feed continue where its source was read to, also if the configuration
// had another name for the source.
func (d *Daemon) resume(cursors map[string]string) error {
	d.from = map[*ingest.Feed]input.Cursor{}
	var gone []string
	for _, name := range slices.Sorted(maps.Keys(cursors)) {
		if !isFollowed(d.feeds, name) {
			gone = append(gone, cursors[name])
		}
	}
	for _, f := range d.feeds {
		from, err := f.Resume(cursors[f.Input.Name()], gone...)
		if err != nil {
			return err
		}
		d.from[f] = from
	}
	return nil
}

// startAnew begins with an empty engine if this csmail cannot read the stored one, for
// example after an upgrade. The logs are read back as at a first start, because the
// proofs of good sources must be known before the first verdict. Older offences do not
// count.
func (d recovery) startAnew(ctx context.Context, cause error) (map[string]string, error) {
	if _, err := d.store.Cursors(); err != nil {
		return nil, cause // the file itself cannot be used
	}
	if d.cluster.isJudge() {
		return nil, judgeForgets(cause)
	}
	d.log.Warn("the engine's state cannot be read; logs are read back, and counting starts now", "error", cause)
	facts, _, err := factsFor(ctx, d.config)
	if err != nil {
		return nil, err
	}
	facts.Named = detect.Named(d.names)
	d.engine = detect.Criteria{Guard: d.config.Guard, Set: d.set, Facts: facts}.Engine()
	d.cluster.startAnew()
	d.cluster.countSince(d.engine, d.started)
	d.reports = nil
	d.startReports()
	return nil, d.storeNow()
}

// reload builds everything again from the configuration. After an error all stays as it
// was.
func (d *Daemon) reload(ctx context.Context) {
	d.options.Notify("RELOADING=1\nMONOTONIC_USEC=" + monotonic())
	defer d.options.Notify("READY=1")
	before, set, judge, feeds := d.config, d.set, d.engine, d.feeds
	err := d.tryReload(ctx)
	d.reloadErr = err
	if err != nil {
		d.config, d.set, d.engine, d.feeds = before, set, judge, feeds
		d.log.Error("the new configuration cannot be used; the old one stays", "error", err)
		return
	}
	d.log.Info("configuration reloaded", "sources", len(d.feeds), "scenarios", len(d.set.Scenarios()))
}

// tryReload does the work of reload.
func (d *Daemon) tryReload(ctx context.Context) error {
	c, err := d.options.Load()
	if err != nil {
		return err
	}
	if keys := fixedKeys(d.config, c); len(keys) > 0 {
		return hint.Wrap(fmt.Errorf("%s cannot change while csmail runs: restart it", strings.Join(keys, " and ")),
			"systemctl restart csmail; until then nothing of the new configuration counts")
	}
	if err := mayChange(d.config, c); err != nil {
		return err
	}
	old, feeds := d.engine, d.feeds
	within := cmp.Or(d.options.ReloadWithin, reloadWithin)
	timed, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("the host's journalctl or postconf gave no answer within %s", within))
	defer cancel()
	if err := d.judgeBy(timed, c); err != nil {
		return err
	}
	d.cluster.reloaded(d, old)
	d.options.applyLevel(c)
	d.names.Set(c.Guard.AllowNames)
	d.useNames()
	d.startReports()
	d.swap(ctx, feeds)
	return nil
}

// fixedKeys returns the keys that differ and that only a restart can change.
func fixedKeys(old, next config.Config) []string {
	var keys []string
	if next.State != old.State {
		keys = append(keys, "state")
	}
	if next.Socket != old.Socket {
		keys = append(keys, "socket")
	}
	if next.Cluster.IsJudge() { // the judges change that together
		next.Cluster.Edges, next.Cluster.Sites = old.Cluster.Edges, old.Cluster.Sites
	}
	if !reflect.DeepEqual(next.Cluster, old.Cluster) {
		keys = append(keys, "cluster")
	}
	if next.Prometheus != old.Prometheus {
		keys = append(keys, "prometheus")
	}
	return keys
}

// swap replaces the goroutines of the old configuration. The new engine has the state of
// the old one, so batches that the old sources still send go to the new engine.
func (d *Daemon) swap(ctx context.Context, old []*ingest.Feed) {
	d.workers.stop()
	d.drain()
	d.before.retire(old, d.sent())
	for name := range d.before.sources {
		if !isFollowed(d.feeds, name) {
			d.metrics.forget(name)
		}
	}
	d.tryCommit()
	cursors, err := d.store.Cursors()
	if err != nil {
		d.log.Error("reading the cursors", "error", err)
	}
	maps.Copy(cursors, d.pending.Cursors) // with a full disk they are not stored yet
	if err := d.resume(cursors); err != nil {
		d.log.Error("resuming", "error", err)
	}
	if d.checkpoint = (time.Time{}); d.commitErr == nil {
		_ = d.storeNow() // storeNow logs its error; the next tick tries again
	}
	d.surround(ctx)
}
