package daemon

import (
	"context"
	"time"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/ingest"
	"csmail/pkg/state"
)

// loop runs until the context ends or a source fails for good.
func (d *Daemon) loop(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	open := len(d.feeds)
	for {
		batches, reported := d.batches, d.reported
		if d.commitErr != nil {
			batches, reported = nil, nil // the sources wait, since records that cannot be stored must not pile up
		}
		arrived := d.cluster.arrived()
		if d.commitErr != nil {
			arrived = nil
		}
		if d.cluster.isEdge() && d.cluster.edge.isFull() {
			batches = nil // until the judges have the facts that are kept for them
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.failed:
			return err
		case m := <-batches:
			d.takeBatch(m)
		case m := <-arrived:
			d.cluster.judge.takeMessages(d, m)
		case r := <-reported:
			d.takeReported(r)
		case f := <-d.ended:
			d.log.Info("source has ended", "source", f.Input.Name())
			if open--; open == 0 {
				return d.endOfInput(ctx)
			}
		case f := <-d.asks:
			f()
		case err := <-d.written:
			d.checkpointed(err)
		case <-d.options.Reload:
			d.reload(ctx)
			open = len(d.feeds)
		case <-d.due.C:
			d.waits = false
			d.tryCommit()
		case <-tick.C:
			d.tick(time.Now())
		}
	}
}

// tick does the periodic work. Periods are measured by the monotonic clock, because the
// wall clock may jump.
func (d *Daemon) tick(now time.Time) {
	d.watchClock(now)
	d.advance(now)
	if d.urgent || d.commitErr != nil {
		d.tryCommit()
	}
	if now.Sub(d.checkpoint) >= d.nextCheckpoint() {
		d.writeCheckpoint(now)
	}
	d.watchGateway()
	d.memory.tune()
	d.health.watch(d.before.statuses(d.feeds), now)
	d.metrics.observe(d)
	d.watchdog.loopWorks(now) // also while the disk is full, because a restart would make no room
}

// takeBatch steps the records of a batch and stores them, at once if there is an alert.
func (d *Daemon) takeBatch(m message) {
	d.schedule()
	d.text += len(m.batch.Text)
	source := m.feed.Input.Name()
	m.feed.Parse(m.batch, func(r *event.Record) {
		isInput, lines, missed := d.reports.read(r)
		if !isInput {
			return
		}
		d.enforcer.mark(r)
		input := *r // Step changes the record, and the journal must hold the original
		d.pending.Inputs = append(d.pending.Inputs, state.Input{Source: source, Record: &input, Lines: lines, Missed: missed})
		if result, stepped := d.step(r, lines, missed); stepped {
			d.countResult(result)
			d.enforcer.learn(r, d.engine.Guard().Guessed().N > 0, d.options.Now())
		}
	})
	if cursor := m.feed.Cursor(m.batch); cursor != "" {
		if d.pending.Cursors == nil {
			d.pending.Cursors = map[string]string{}
		}
		d.pending.Cursors[source] = cursor
	}
	d.metrics.lag.WithLabelValues(source).Set(float64(m.batch.Lag))
	if d.urgent || len(d.pending.Inputs) >= maxBatch || d.text >= maxText {
		d.tryCommit()
	}
}

// countResult counts an event and adds its findings to the pending batch.
func (d *Daemon) countResult(r engine.Result) {
	if r.Outcome == event.Noted && !r.Folded {
		d.metrics.events.WithLabelValues(r.Kind.String(), r.Kind.Class().String()).Add(float64(r.Attempts))
	}
	d.addFindings(r.Findings)
}

// addFindings adds findings to the lists of the pending batch.
func (d *Daemon) addFindings(findings []engine.Finding) {
	for _, f := range findings {
		d.metrics.verdicts.WithLabelValues(f.Verdict.Action.String(), f.Verdict.Rule.String()).Inc()
		entry := entryOf(f, &d.config.LAPI, time.Now())
		d.shown.add(entry, f.Verdict)
		level := d.log.Info
		if f.Verdict.Action == guard.Hold {
			d.pending.Held = append(d.pending.Held, entry)
		} else {
			d.pending.Alerts = append(d.pending.Alerts, entry)
		}
		level("finding", "id", f.Alert.ID(), "at", f.At.UTC().Format(time.RFC3339Nano), "scenario", f.Alert.Scenario, "scope", string(f.Alert.Scope), "value", shown(f.Alert),
			"verdict", f.Verdict.Action.String(), "rule", f.Verdict.Rule.String(), "reason", f.Verdict.Reason)
		d.urgent = true
	}
}

// shown returns the value of an alert for csmail's own log, which must not hold login
// names.
func shown(a event.Alert) string {
	if a.Scope == event.ScopeAccount {
		return "(account)"
	}
	return a.Value()
}

// entryOf makes the entry of the state file for a finding.
func entryOf(f engine.Finding, c *config.LAPI, now time.Time) state.Entry {
	e := state.Entry{Alert: f.Alert, Simulate: c.Simulates(now), Queued: now}
	if f.Verdict.Action == guard.Hold {
		e.Reason = f.Verdict.Rule.String() + ": " + f.Verdict.Reason
	}
	if c.Decisions == config.DecisionsExplicit && !f.Alert.Informational {
		e.Duration = time.Duration(c.Duration)
	}
	return e
}

// maxRecent and maxBreakIns are the numbers of findings and of break-ins that status
// shows.
const maxRecent, maxBreakIns = 20, 10

// shownFindings are the findings that status shows, the newest last. Break-ins have a
// list of their own, so that a flood of others does not displace them.
type shownFindings struct{ recent, breakIns []control.Alert }

// add adds a finding.
func (f *shownFindings) add(e state.Entry, v guard.Verdict) {
	if len(f.recent) == maxRecent {
		f.recent = f.recent[1:]
	}
	shown := alertOf(e, v.Action.String())
	shown.Reason = v.Reason
	f.recent = append(f.recent, shown)
	if e.Alert.Scenario == engine.BreakIn {
		f.addBreakIn(shown)
	}
}

// alertOf returns an entry as the control socket sends it.
func alertOf(e state.Entry, status string) control.Alert {
	id := e.ID
	if id == "" {
		id = e.Alert.ID()
	}
	return control.Alert{
		ID: id, Scenario: e.Alert.Scenario, Scope: string(e.Alert.Scope), Value: e.Alert.Value(), Count: e.Alert.Count,
		First: e.Alert.First, Last: e.Alert.Last, At: e.Queued, Status: status, Reason: e.Reason,
	}
}

// advance gives the engine the time while the logs are silent and something waits for it,
// for example a counter that ends.
func (d *Daemon) advance(now time.Time) {
	if d.cluster != nil { // judges go by the stream, and edges judge nobody
		if d.cluster.isEdge() {
			d.cluster.advanceEdge(d, now)
		}
		return
	}
	if !d.engine.Waits() || d.commitErr != nil || !d.isCaughtUp(d.feeds) {
		return
	}
	at, ok := d.clock.now(now)
	if !ok {
		return
	}
	d.schedule()
	d.pending.Inputs = append(d.pending.Inputs, state.Input{Tick: at})
	findings := d.engine.Advance(at)
	d.reports.findings(findings)
	d.addFindings(findings)
}

// isCaughtUp reports whether no source is known to be behind.
func (in *inbox) isCaughtUp(feeds []*ingest.Feed) bool {
	if len(in.batches) > 0 {
		return false
	}
	for _, f := range feeds {
		if f.Input.Status().Lag > 0 {
			return false
		}
	}
	return true
}

// watchGateway warns once that all clients appear under an address of this host or a
// private one, for example that of a container's gateway or of a proxy.
func (d *Daemon) watchGateway() {
	addr, percent, ok := d.engine.Guard().Gateway()
	if ok && !d.gateway {
		d.log.Warn("most clients come from one address of our own or a private one, so nobody of them can be banned",
			"address", addr.String(), "percent", percent, "hint", "give the container the clients' addresses: host network, or the PROXY protocol")
	}
	d.gateway = ok
}

// endOfInput ends a daemon whose only sources are finished, for example standard input.
// It settles pending findings, stores them, and waits for a while for the outbox to
// empty.
func (d *Daemon) endOfInput(ctx context.Context) error {
	d.drain()
	findings := d.engine.Settle(time.Now())
	d.reports.findings(findings)
	d.addFindings(findings)
	d.tryCommit()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for d.store.Stats().Pending > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-deadline.C:
			d.log.Warn("the LAPI has not taken all alerts; they are sent at the next start", "pending", d.store.Stats().Pending)
			return nil
		case f := <-d.asks:
			f()
		case <-poll.C:
		}
	}
	return nil
}
