// Package daemon is csmail run: it follows the logs, steps their records through the
// engine, and stores records, cursors and findings in one transaction, so that after a
// crash at any moment nothing is lost and nothing is reported twice.
//
// One goroutine, the loop, owns the engine and the state file's journal. The other
// goroutines are the sources, the sender to the LAPI, the control socket and the metrics.
// They talk to the loop by channels. The package decides nothing by itself, parses
// nothing, and speaks no protocol of its own: systemd's notify protocol is go-systemd's,
// HTTP that of pkg/control and Prometheus.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"csmail/pkg/clock"
	"csmail/pkg/config"
	"csmail/pkg/delivery"
	"csmail/pkg/detect"
	"csmail/pkg/dyndns"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/ingest"
	"csmail/pkg/input"
	"csmail/pkg/scenario"
)

// Options are the needs of a daemon besides its configuration.
type Options struct {
	Load    func() (config.Config, error) // reads the configuration, at the start and at each reload
	Path    string                        // path of the configuration, for status
	Version string
	Log     *slog.Logger
	Level   *slog.LevelVar       // set from log_level; nil: left alone
	Notify  func(message string) // sd_notify(3); nil: not called

	// Watchdog is the time after which the service manager kills a csmail that does not
	// say that it works (WatchdogSec in systemd.service(5)); 0: it does not.
	Watchdog time.Duration

	Reload  <-chan struct{} // receives once for each reload, for example on SIGHUP
	Stdin   io.Reader
	Journal string           // path of journalctl; "" is the one in PATH
	Now     func() time.Time // the wall clock; nil: time.Now

	// Lookup resolves guard.allow_names; nil: the host's resolver does.
	Lookup dyndns.Lookup

	// ReloadWithin bounds the time that a reload may take for questions to the host
	// (journalctl, postconf), because nothing is read meanwhile. 0 is 20 s.
	ReloadWithin time.Duration

	// Grace scales the times after which status and healthz report trouble, so that tests
	// need not wait. 0 is 1.
	Grace float64
}

// The times of the daemon.
const (
	tickEvery       = time.Second
	checkpointEvery = 5 * time.Minute
	retryCheckpoint = 10 * time.Second
	soonCheckpoint  = 3 * time.Second // for memory's sake
	amnesty         = 24 * time.Hour  // granted by csmail unban, and for a decision deleted in the LAPI
	reloadWithin    = 20 * time.Second
	offencesBack    = 24 * time.Hour // so far back offences count at the first start
	maxJournal      = 24 << 20       // bytes of inputs after which a checkpoint is early
	maxClosed       = 4 << 20        // bytes of hours of the report after which it is, too
)

// Daemon is a running csmail run. Only the goroutine of loop uses it, except for the
// channels and the counters.
type Daemon struct {
	stateWriter
	inbox
	tally

	options Options
	started time.Time

	config  config.Config
	set     *scenario.Set
	engine  *engine.Engine
	from    map[*ingest.Feed]input.Cursor // the position where each feed was resumed
	workers *workers                      // goroutines of the current configuration

	facts    guard.Facts       // facts about this host, as of the last reading of the configuration
	names    *dyndns.Names     // guard.allow_names; their addresses are part of facts
	enforcer *enforcer         // nil: nothing is enforced
	reported chan event.Record // records made of Dovecot's auth-policy reports

	machine machine

	clock     logClock
	wall      clock.Reading // this host's clock at the last tick
	shown     shownFindings
	reloadErr error
	gateway   bool // the warning about it was logged

	reports *reports // nil: no report is made
	cluster *clustered

	metrics *metrics
	memory  *memoryLimit
	health  health

	watchdog *watchdog
}

// message is a batch of a feed for the loop.
type message struct {
	feed  *ingest.Feed
	batch input.Batch
}

// workers are the goroutines that run with one configuration. A reload stops them and
// starts others.
type workers struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// stop ends the goroutines and waits for them.
func (a *workers) stop() {
	a.cancel()
	a.group.Wait()
}

// Run runs until the context ends, or until a source cannot be followed at all.
func Run(ctx context.Context, o Options) error {
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := newDaemon(o)
	if err := d.start(ctx); err != nil {
		return err
	}
	defer d.close()
	if err := d.openEnforcer(ctx); err != nil {
		return err
	}
	defer func() { d.enforcer.close() }()
	listeners, err := d.listen()
	if err != nil {
		return err
	}
	defer listeners.close()
	d.surround(ctx)
	defer func() { d.workers.stop() }()
	d.watchdog = startWatchdog(ctx, d.options, d.config)
	defer d.watchdog.stop()
	d.options.Notify("READY=1")
	d.log.Info("started", "version", o.Version, "sources", len(d.feeds), "scenarios", len(d.set.Scenarios()))
	err = d.loop(ctx)
	d.options.Notify("STOPPING=1")
	return d.finish(err)
}

// newDaemon returns a daemon that has neither state nor configuration before start.
func newDaemon(o Options) *Daemon {
	d := &Daemon{
		reported: make(chan event.Record),
		inbox:    newInbox(),
		options:  o, started: o.Now(), wall: clock.Reading{Shown: o.Now(), At: time.Now()}, metrics: newMetrics(),
	}
	d.log = o.Log
	d.machine.version = o.Version
	d.stateWriter = newStateWriter(d)
	name, version := osRelease()
	d.presence = &delivery.Presence{Version: o.Version, OSName: name, OSVersion: version, Started: d.started, Log: o.Log}
	return d
}

// start reads the configuration, opens the state file and restores the engine from it.
func (d *Daemon) start(ctx context.Context) error {
	c, err := d.options.Load()
	if err != nil {
		return err
	}
	d.options.applyLevel(c)
	if err := d.judgeBy(ctx, c); err != nil {
		return err
	}
	d.memory = newMemoryLimit(c.Cluster.IsJudge() && !c.Cluster.IsEdge())
	if d.store, err = d.openState(c); err != nil {
		return err
	}
	d.recallCounters() // before the first checkpoint, which holds them
	d.openNames(ctx)
	if err := d.openCluster(); err != nil {
		return errors.Join(err, d.store.Close())
	}
	if err := (recovery{d}).run(ctx); err != nil {
		d.cluster.close()
		return errors.Join(err, d.store.Close())
	}
	d.recallUsage(&d.presence.Before)
	debug.FreeOSMemory() // of the checkpoint as it was decoded
	return nil
}

// judgeBy builds scenarios, engine and feeds from a configuration. After an error d is
// unchanged.
func (d *Daemon) judgeBy(ctx context.Context, c config.Config) error {
	set, err := detect.Load(c.Scenarios)
	if err != nil {
		return err
	}
	facts, warnings, err := factsFor(ctx, c)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		d.log.Warn(w)
	}
	if d.names != nil {
		facts.Named = detect.Named(d.names)
	}
	judge := detect.Criteria{Guard: c.Guard, Set: set, Facts: facts}.Engine()
	feeds, err := d.options.openSources(ctx, c)
	if err != nil {
		return err
	}
	d.config, d.set, d.engine, d.feeds, d.facts = c, set, judge, feeds, facts
	return nil
}

// factsFor gathers the guard's facts. Those of a judge are the same on whatever host it
// runs: what its own configuration says, and what the edges tell of themselves.
func factsFor(ctx context.Context, c config.Config) (guard.Facts, []string, error) {
	if c.Cluster.IsJudge() && !c.Cluster.IsEdge() {
		return detect.SharedFacts(c), nil, nil
	}
	return detect.Facts(ctx, c)
}

// historyBack returns how far the first start reads back: as far as a login proves its
// source, and as far as offences count.
func historyBack(c config.Config) time.Duration {
	return max(time.Duration(c.Guard.LoginProves), offencesBack)
}

// openSources opens the configured sources. There are none if csmail only enforces
// decisions.
func (o *Options) openSources(ctx context.Context, c config.Config) ([]*ingest.Feed, error) {
	if !c.Detect || c.Cluster.IsJudge() && !c.Cluster.IsEdge() {
		return nil, nil
	}
	return ingest.Open(ctx, c.Sources, ingest.Options{Back: historyBack(c), Journal: o.Journal, Stdin: o.Stdin, Logger: o.Log, Now: o.Now})
}

// applyLevel sets the level of the log.
func (o *Options) applyLevel(c config.Config) {
	if o.Level != nil {
		// The configuration has been checked, so the text is a level.
		_ = o.Level.UnmarshalText([]byte(c.LogLevel))
	}
}

// close waits for the checkpoint under way and closes the state file.
func (d *Daemon) close() {
	d.awaitCheckpoint()
	d.cluster.close()
	if err := d.store.Close(); err != nil {
		d.log.Error("closing the state file", "error", err)
	}
}

// finish stores the pending batch, within the second or two that a service manager grants.
func (d *Daemon) finish(cause error) error {
	d.cluster.handOver(d)
	d.workers.cancel()
	d.drain()
	if err := d.commit(); err != nil {
		return errors.Join(cause, fmt.Errorf("what was read since the last commit will be read again: %w", err))
	}
	if d.cluster.isJudge() { // it has no journal of inputs: what is not stored is read from the stream again
		cause = errors.Join(cause, d.storeNow())
	}
	d.leave()
	d.keepCounters(d.counted(d.store.Stats().Overflowed))
	d.log.Info("stopped")
	return cause
}

// drain steps the batches that the sources had already sent.
func (d *Daemon) drain() {
	for {
		select {
		case m := <-d.batches:
			d.takeBatch(m)
		default:
			return
		}
	}
}
