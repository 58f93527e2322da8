package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/hint"
	"csmail/pkg/input"
	"csmail/pkg/state"
)

// clustered is the part of a daemon on a host of a cluster. An edge sends the facts that its
// Join makes of the lines, instead of judging them; a judge judges the facts of all edges. A daemon may be both. Nil: it counts alone.
//
// The loop alone touches it, as the daemon's own state; the edge's sender, the judge's lease
// and its answers to the edges run beside it.
type clustered struct {
	edge  *edgePart  // nil: this host is no edge
	judge *judgePart // nil: it is no judge
	conn  *cluster.Conn
	name  string
}

// openCluster connects to the cluster that the configuration names, if it does.
func (d *Daemon) openCluster() error {
	c := d.config.Cluster
	if c.Role == "" {
		return nil
	}
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("cluster.name: %w", err)
		}
		c.Name = cluster.NameOf(host)
	}
	for _, name := range slices.Concat([]string{c.Name}, c.Judges, c.Edges) {
		if err := cluster.CheckName(name); err != nil {
			return err
		}
	}
	conn, err := cluster.Connect(cluster.Options{
		Name: c.Name, Servers: c.Servers, Credentials: c.Credentials, CA: c.CA, Stream: c.Stream, Replicas: c.Replicas, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.cluster = &clustered{conn: conn, name: c.Name}
	if c.IsEdge() {
		if d.cluster.edge, err = newEdgePart(conn, d.store, c, c.Name, d.options.Now); err != nil {
			conn.Close()
			return err
		}
		d.cluster.edge.own = ownAddresses(d.facts.Own)
	}
	if c.IsJudge() {
		d.cluster.judge = newJudgePart(conn, d.config, d.set, c.Name)
	}
	if d.cluster.isJudge() {
		d.machine.leads = d.cluster.leads
	}
	d.cluster.reloaded(d, nil)
	return nil
}

// close gives the connection up.
func (k *clustered) close() {
	if k != nil {
		k.conn.Close()
	}
}

func (k *clustered) isEdge() bool  { return k != nil && k.edge != nil }
func (k *clustered) isJudge() bool { return k != nil && k.judge != nil }

// surround starts the goroutines beside the loop.
func (k *clustered) surround(ctx context.Context, d *Daemon, a *workers) {
	if k.isEdge() {
		a.group.Go(func() { k.edge.sender.Run(ctx) })
	}
	if !k.isJudge() {
		return
	}
	j := k.judge
	from, key, arrivals := j.place, j.key, make(chan cluster.Message, 64)
	j.wake, j.arrivals, j.waits = d.sender.Wake, arrivals, nil // messages that an earlier Follow left come again
	a.group.Go(func() { j.lease.Run(ctx) })
	a.group.Go(func() { k.handOverWhenAsked(ctx, &d.machine.underway) })
	a.group.Go(func() { j.at.Run(ctx) })
	a.group.Go(func() { k.declare(ctx) })
	a.group.Go(func() {
		j.shareKey(ctx, d, key)
		_ = j.judges.Follow(ctx, from, func(m cluster.Message) error { // it ends with the context alone
			select {
			case arrivals <- m:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
}

// arrived is where messages of the stream come from; nil if there are none to take now.
func (k *clustered) arrived() <-chan cluster.Message {
	if !k.isJudge() {
		return nil
	}
	return k.judge.arrivals
}

// leads reports whether this daemon may push alerts.
func (k *clustered) leads() bool { return !k.isJudge() || k.judge.lease.Leads() }

// beside adds to a checkpoint the state that the cluster's part needs after a restart.
func (k *clustered) beside(b *state.Beside) {
	if k == nil {
		return
	}
	kept := maps.Clone(b.Kept)
	if kept == nil {
		kept = map[string][]byte{}
	}
	if k.edge != nil {
		kept[edgeKept] = k.edge.edge.AppendSnapshot(nil)
	}
	if k.judge != nil {
		kept[judgeKept] = k.judge.snapshot()
		k.judge.storing = k.judge.merger.Positions()
	}
	b.Kept = kept
}

// stored is called when the checkpoint is on the disk.
func (k *clustered) stored() {
	if k.isJudge() && k.judge.storing != nil {
		k.judge.at.Stored(k.judge.storing)
		k.judge.storing = nil
	}
}

// restore takes the state that beside added to the newest checkpoint.
func (k *clustered) restore(d *Daemon) error {
	if k == nil {
		return nil
	}
	if k.edge != nil {
		b, err := d.store.Kept(edgeKept)
		if err == nil && b != nil {
			err = k.edge.edge.Restore(b)
		}
		if err != nil {
			return err
		}
	}
	if k.judge == nil {
		return nil
	}
	b, err := d.store.Kept(judgeKept)
	if err == nil && b != nil {
		err = k.judge.restore(b)
	}
	if err != nil {
		return err
	}
	k.judge.goOn(d)
	k.judge.storing = k.judge.merger.Positions()
	k.stored()
	return nil
}

// The names of the parts that are kept beside a checkpoint.
const (
	edgeKept  = "cluster edge"
	judgeKept = "cluster judge"
)

// advanceEdge tells the judges, while the logs are silent, that nothing comes from before
// now any more.
func (k *clustered) advanceEdge(d *Daemon, now time.Time) {
	if d.commitErr != nil || !isFollowing(d, now) {
		return
	}
	at, ok := d.clock.now(now)
	if !ok {
		at = now
	}
	at = at.Add(-lineDelay)
	e := k.edge
	if e.edge.Waits() { // the Join may release something, which a replay must do too
		d.schedule()
		d.pending.Inputs = append(d.pending.Inputs, state.Input{Tick: at})
	}
	e.reach(at)
	if len(e.facts) > 0 {
		d.schedule()
		return
	}
	e.sender.Reached(e.edge.Through(), false)
}

// lineDelay is how long a line may take from its stamp until it is read.
const lineDelay = time.Second

// isFollowing reports whether every log was read to its end: before that older lines may
// come.
func isFollowing(d *Daemon, now time.Time) bool {
	if now.Sub(d.started) < startGrace || !d.isCaughtUp(d.feeds) {
		return false
	}
	for _, f := range d.feeds {
		if s := f.Input.Status(); s.State != input.Following {
			return false
		}
	}
	return true
}

// startGrace is how long the sources may take until they know how far they are behind.
const startGrace = 3 * time.Second

// ownAddresses are those of this host that its judges should know. Private addresses are
// never banned anyway.
func ownAddresses(all []netip.Addr) []netip.Addr {
	own := []netip.Addr{}
	for _, a := range all {
		a = a.Unmap().WithZone("")
		if a.IsGlobalUnicast() && !a.IsPrivate() && !slices.Contains(own, a) && len(own) < maxOwnAddresses {
			own = append(own, a)
		}
	}
	return own
}

const maxOwnAddresses = 64

// recovered is called after the journal of inputs was replayed. Its facts were stored
// in batches with it.
func (k *clustered) recovered() {
	if k.isEdge() {
		k.edge.facts = nil
	}
}

// startAnew is for a state that cannot be read, of a host that is no judge.
func (k *clustered) startAnew() {
	if k.isEdge() {
		k.edge.edge, k.edge.facts = engine.NewEdge(detect.NewHashKey()), nil
	}
}

// judgeForgets is the error of a judge whose state cannot be read. The stream holds two
// hours, so it would not know the sources that proved themselves before, and ban some of them.
func judgeForgets(cause error) error {
	return hint.Wrap(fmt.Errorf("what this judge knows of the clients cannot be read, and the stream does not tell it again: %w", cause),
		"stop this judge and one that can read its state, and copy that one's state file here; or else stop all judges, edges and servers, move their state files away, and start them again: the edges read their logs back (docs/cluster.md, Upgrades)")
}

// countSince has events before a time speak for their source only.
func (k *clustered) countSince(e *engine.Engine, t time.Time) {
	switch {
	case k.isEdge():
		k.edge.edge.CountSince(t)
	case k == nil:
		e.CountSince(t)
	}
}

// reloaded is called after a configuration was read and an engine was made by it; before
// is the engine until then, nil at the start.
func (k *clustered) reloaded(d *Daemon, before *engine.Engine) {
	if !k.isJudge() {
		if before != nil {
			d.engine.TakeOver(before)
		}
		return
	}
	k.judge.propose(d, before)
}

// setFacts gives the guard its facts: those of this host, or on a judge those that all
// judges have.
func (k *clustered) setFacts(d *Daemon) {
	if k.isJudge() {
		k.judge.applyOwn(d.engine)
		return
	}
	d.engine.Guard().SetFacts(d.facts)
}

// order puts a person's command into the stream, for all judges.
func (k *clustered) order(ctx context.Context, o order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return k.judge.judges.Order(ctx, text)
}
