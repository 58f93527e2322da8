// Package daemon is csmail run: it follows the logs, steps their records through
// the engine, and stores in one transaction what was read, how far, and what came
// of it, so that after a crash at any moment nothing is lost and nothing told
// twice. One goroutine owns the engine and the state file's journal; sources, the
// sender to the LAPI, the control socket and the metrics stand around it and speak
// to it by channels. It decides nothing by itself, parses nothing, and speaks no
// protocol of its own: systemd's notify protocol is go-systemd's, HTTP that of
// pkg/control and Prometheus.
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

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/delivery"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/ingest"
	"csmail/pkg/input"
	"csmail/pkg/ruleset"
	"csmail/pkg/scenario"
	"csmail/pkg/state"
)

// Options are what a daemon needs besides its configuration.
type Options struct {
	Load    func() (config.Config, error) // reads the configuration, at the start and at each reload
	Path    string                        // of the configuration, for status
	Version string
	Log     *slog.Logger
	Level   *slog.LevelVar       // set from log_level; nil: left alone
	Notify  func(message string) // sd_notify(3); nil: nobody is told
	Reload  <-chan struct{}      // a reload is asked for
	Stdin   io.Reader
	Journal string           // journalctl unless set
	Now     func() time.Time // what the clock shows; time.Now if nil

	// ReloadWithin bounds what a reload asks of the host, since nothing is read
	// meanwhile; 20 s if it is 0.
	ReloadWithin time.Duration

	// Grace is the share of the usual time that trouble lasts before status and healthz
	// say so; 1 if it is 0.
	Grace float64
}

// The times of the daemon.
const (
	tickEvery       = time.Second
	checkpointEvery = 5 * time.Minute
	retryCheckpoint = 10 * time.Second
	amnesty         = 24 * time.Hour // of a person's word
	reloadWithin    = 20 * time.Second
	offencesBack    = 24 * time.Hour // of the first start
	maxJournal      = 24 << 20       // bytes of inputs after which a checkpoint is early
)

// Daemon is a run under way. But for asks, batches and the counters, only the
// goroutine of loop touches it.
type Daemon struct {
	options Options
	log     *slog.Logger
	started time.Time

	config config.Config
	set    *scenario.Set
	engine *engine.Engine
	store  *state.Store
	sender *delivery.Sender
	feeds  []*ingest.Feed
	from   map[*ingest.Feed]input.Cursor // where each is followed from
	around *around                       // what stands around the loop, until the next reload

	facts    guard.Facts       // of this host, as the configuration was read last
	enforcer *enforcer         // nil: nothing is enforced
	reported chan event.Record // of Dovecot's reports

	presence *delivery.Presence // it knows over reloads what the LAPI was told
	before   figures            // of what reloads have replaced
	earlier  control.Total      // what the runs before counted

	connecting sync.Mutex // held by who reads or makes the credentials

	batches chan message
	ended   chan *ingest.Feed
	asks    chan func()
	failed  chan error

	pending    state.Batch
	text       int         // bytes of the lines of the pending batch
	hurry      bool        // the pending batch holds an alert
	due        *time.Timer // when the pending batch is to be stored; runs while waits is true
	waits      bool
	pace       pace
	commitErr  error      // why reading waits
	written    chan error // of the checkpoint under way, nil if none is
	checkpoint time.Time  // of the last try
	checkErr   error      // why it failed
	clock      logClock
	wall       wallWatch
	recent     []control.Alert // the latest findings, newest last
	breakIns   []control.Alert // those of them that stay in sight
	reloadErr  error
	gateway    bool // it was told of

	reports *reports // nil: no report is gathered

	metrics *metrics
	memory  *memoryLimit
	health  health
}

// message is a batch of a feed on its way to the loop.
type message struct {
	feed  *ingest.Feed
	batch input.Batch
}

// around is what runs beside the loop with one configuration.
type around struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// stop ends it and waits for its end.
func (a *around) stop() {
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
	d := &Daemon{
		reported: make(chan event.Record),
		options:  o, log: o.Log, started: o.Now(), wall: wallWatch{o.Now(), time.Now()},
		batches: make(chan message, 8), ended: make(chan *ingest.Feed), asks: make(chan func()), failed: make(chan error, 1),
		metrics: newMetrics(), due: time.NewTimer(time.Hour),
	}
	d.due.Stop()
	name, version := osRelease()
	d.presence = &delivery.Presence{Version: o.Version, OSName: name, OSVersion: version, Started: d.started, Log: o.Log}
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
	defer func() { d.around.stop() }()
	d.options.Notify("READY=1")
	d.log.Info("started", "version", o.Version, "sources", len(d.feeds), "scenarios", len(d.set.Scenarios()))
	err = d.loop(ctx)
	d.options.Notify("STOPPING=1")
	return d.finish(err)
}

// start reads the configuration, opens the state file and brings the engine to
// where it was.
func (d *Daemon) start(ctx context.Context) error {
	c, err := d.options.Load()
	if err != nil {
		return err
	}
	d.applyLevel(c)
	if err := d.judgeBy(ctx, c); err != nil {
		return err
	}
	// The heap is little more than the engine's state, and memory is what a mail
	// host has to spare least.
	debug.SetGCPercent(50)
	d.memory = newMemoryLimit()
	if d.store, err = state.Open(c.State, state.Options{History: time.Duration(c.History)}); err != nil {
		return err
	}
	d.recallCounters() // before the first checkpoint, which holds them
	if err := d.recover(ctx); err != nil {
		return errors.Join(err, d.store.Close())
	}
	d.recallUsage()
	debug.FreeOSMemory() // what the checkpoint was unpacked into
	return nil
}

// judgeBy builds what the configuration asks for, and changes nothing if it
// cannot be had.
func (d *Daemon) judgeBy(ctx context.Context, c config.Config) error {
	set, err := ruleset.Load(c.Scenarios)
	if err != nil {
		return err
	}
	facts, warnings, err := ruleset.Facts(ctx, c)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		d.log.Warn(w)
	}
	judge := ruleset.Engine(c, set, facts)
	feeds, err := d.openSources(ctx, c)
	if err != nil {
		return err
	}
	d.config, d.set, d.engine, d.feeds, d.facts = c, set, judge, feeds, facts
	return nil
}

// historyBack is how far the first start reads back: as far as a login, or offences,
// count.
func historyBack(c config.Config) time.Duration {
	return max(time.Duration(c.Guard.LoginProves), offencesBack)
}

// openSources opens what is followed; a bouncer alone follows nothing.
func (d *Daemon) openSources(ctx context.Context, c config.Config) ([]*ingest.Feed, error) {
	if !c.Detect {
		return nil, nil
	}
	return ingest.Open(ctx, c.Sources, ingest.Options{Back: historyBack(c), Journal: d.options.Journal, Stdin: d.options.Stdin, Logger: d.log, Now: d.options.Now})
}

func (d *Daemon) applyLevel(c config.Config) {
	if d.options.Level != nil {
		// The configuration was checked, so the text is a level.
		_ = d.options.Level.UnmarshalText([]byte(c.LogLevel))
	}
}

// close gives the state file up.
func (d *Daemon) close() {
	d.awaitCheckpoint()
	if err := d.store.Close(); err != nil {
		d.log.Error("closing the state file", "error", err)
	}
}

// finish stores what is left. It takes part of the second or two that a service
// manager grants.
func (d *Daemon) finish(cause error) error {
	d.around.cancel()
	d.drain()
	if err := d.commit(); err != nil {
		return errors.Join(cause, fmt.Errorf("what was read since the last commit will be read again: %w", err))
	}
	d.leave()
	d.keepCounters()
	d.log.Info("stopped")
	return cause
}

// drain takes what the sources had handed over.
func (d *Daemon) drain() {
	for {
		select {
		case m := <-d.batches:
			d.take(m)
		default:
			return
		}
	}
}
