package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"csmail/pkg/config"
	"csmail/pkg/delivery"
	"csmail/pkg/engine"
	"csmail/pkg/ingest"
	"csmail/pkg/input"
	"csmail/pkg/lapi"
)

// surround starts the goroutines of the current configuration: one for each source, the
// sender of alerts, and the heartbeat.
func (d *Daemon) surround(ctx context.Context) {
	ctx, cancel := context.WithCancel(d.cluster.lifetime(ctx))
	a, c := &workers{cancel: cancel}, d.config
	d.workers = a
	for _, f := range d.feeds {
		from := d.from[f]
		a.group.Go(func() { d.follow(ctx, f, from) })
	}
	a.group.Go(func() { d.names.Run(ctx, func() { d.namesChanged(ctx) }) })
	d.sender = delivery.New(d.store, delivery.Options{
		Connect:       func(ctx context.Context) (delivery.LAPI, error) { return d.machine.connect(ctx, c.LAPI) },
		Unbanned:      d.unbanned,
		Banned:        func(look lapi.Look) { d.enforcer.banned(look, d.options.Now()) },
		ShareAccounts: c.LAPI.ShareAccounts,
		RangeDuration: time.Duration(c.LAPI.Duration),
		Renew:         true,
		Now:           d.options.Now,
		Log:           d.log,
	})
	d.cluster.surround(ctx, d, a)
	if !c.SendsAlerts() {
		return // the LAPI needs no machine
	}
	sender := d.sender
	a.group.Go(func() { sender.Run(ctx) })
	d.presence.Connect = func(ctx context.Context) (delivery.Beacon, error) { return d.machine.connect(ctx, c.LAPI) }
	d.presence.Reported = d.forgetUsage
	d.presence.Totals = func() []lapi.SourceUsage { return d.usage(ctx) }
	a.group.Go(func() { d.presence.Run(ctx) })
}

// inbox is how other goroutines talk to the loop.
type inbox struct {
	batches chan message      // lines of a source
	ended   chan *ingest.Feed // a source that is finished, for example standard input
	asks    chan func()       // calls to run in the loop
	failed  chan error        // why a source cannot be followed at all
}

// newInbox returns an inbox with room for a few batches.
func newInbox() inbox {
	return inbox{batches: make(chan message, 8), ended: make(chan *ingest.Feed), asks: make(chan func()), failed: make(chan error, 1)}
}

// follow hands the batches of a source to the loop.
func (in *inbox) follow(ctx context.Context, f *ingest.Feed, from input.Cursor) {
	err := f.Input.Follow(ctx, from, func(b input.Batch) error {
		select {
		case in.batches <- message{f, b}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		select {
		case in.failed <- fmt.Errorf("source %s: %w", f.Input.Name(), err):
		default:
		}
		return
	}
	select {
	case in.ended <- f:
	case <-ctx.Done():
	}
}

// machine is csmail as a machine of the LAPI.
type machine struct {
	version    string
	leads      func() bool // may alerts be sent? nil: always
	underway   lapi.Underway
	connecting sync.Mutex // held while the credentials are read or made
}

// connect logs in at the LAPI with credentials read anew, and registers the machine first
// if there are none and the configuration permits it. Only one connect runs at a time: of
// two registrations at once one would keep a password that the LAPI did not take.
func (m *machine) connect(ctx context.Context, c config.LAPI) (*lapi.Client, error) {
	m.connecting.Lock()
	defer m.connecting.Unlock()
	name, err := os.Hostname()
	if err != nil {
		name = "host"
	}
	credentials, err := lapi.LoadOrRegister(ctx, c.Credentials, lapi.Registration{
		URL: c.URL, Token: c.RegistrationToken, Machine: "csmail-" + name,
	}, m.version)
	if err != nil {
		return nil, err
	}
	client, err := lapi.New(credentials, m.version)
	if err == nil && m.leads != nil {
		client.SendOnlyWhile(m.leads)
		client.Watch(&m.underway)
	}
	return client, err
}

// errStopping is returned to callers while the daemon shuts down.
var errStopping = errors.New("csmail run is stopping")

// ask runs f in the loop and waits for it.
func (in *inbox) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case in.asks <- func() { f(); close(done) }:
	case <-ctx.Done():
		return errStopping
	}
	<-done
	return nil
}

// unbanned grants a source amnesty, since a person has deleted its decision in the LAPI.
func (d *Daemon) unbanned(ctx context.Context, u delivery.Unbanned) error {
	if d.cluster.isJudge() {
		return d.cluster.order(ctx, order{Unban: engine.Network(u.Alert), Until: time.Now().Add(amnesty)})
	}
	var stored error
	err := d.ask(ctx, func() {
		until := time.Now().Add(amnesty)
		stored = d.forgive(engine.Network(u.Alert), until)
		d.metrics.unbanned.Inc()
		d.log.Info("a person ended a ban: the source starts from nothing", "value", shown(u.Alert), "alert", u.Number, "amnesty", until.Format(time.RFC3339))
	})
	return cmp.Or(err, stored)
}

// forgive grants amnesty to a network. No journal of inputs holds a person's word, so the
// whole state is stored before forgive returns.
func (d *Daemon) forgive(network netip.Prefix, until time.Time) error {
	d.engine.Unban(network, until)
	if d.tryCommit(); d.commitErr != nil {
		return d.commitErr
	}
	return d.storeNow()
}

// osRelease returns name and version of the system (os-release(5)), for CrowdSec's usage
// metrics.
func osRelease() (name, version string) {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "linux", ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"`)
		switch key {
		case "ID":
			name = value
		case "VERSION_ID":
			version = value
		}
	}
	return name, version
}

// monotonic returns the time that sd_notify(3) wants with RELOADING=1, in microseconds of
// CLOCK_MONOTONIC.
func monotonic() string {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return "0"
	}
	return strconv.FormatInt(t.Nano()/1000, 10)
}
