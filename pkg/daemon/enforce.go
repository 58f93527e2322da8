package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"csmail/pkg/bouncer"
	"csmail/pkg/config"
	"csmail/pkg/decision"
	"csmail/pkg/enforce"
	"csmail/pkg/enforce/authpolicy"
	"csmail/pkg/enforce/dnsbl"
	"csmail/pkg/enforce/policyd"
	"csmail/pkg/enforce/socketmap"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/lapi"
	"csmail/pkg/state"
)

// The names under which the state file keeps the data of enforcement for the next start.
const (
	keptDecisions = "decisions"
	keptRefusals  = "refusals"
)

// The times of enforcement.
const (
	keepRefusals    = time.Second
	keepManyRefused = 10 * time.Second // writing a megabyte a second would wear a disk out
	manyRefused     = 64 << 10         // bytes of a snapshot that is written less often

	// reportDelay is how long a report of Dovecot waits for the log to report the same
	// attempt, because only the log shows that a login failed by a fault of the server.
	reportDelay = 2 * time.Second
	maxReports  = 10_000 // that wait; more are dropped and counted
)

// enforcer holds the goroutines that enforce decisions. It lives over reloads, so that
// the doors stay open.
type enforcer struct {
	gate    *enforce.Gate
	tried   *enforce.Passwords
	abroad  *countries
	bouncer *bouncer.Bouncer
	store   *state.Store
	log     *slog.Logger
	cancel  context.CancelFunc
	group   sync.WaitGroup
	places  []string // of the open doors, for status

	host    atomic.Pointer[string] // the host name in Dovecot's log lines
	reports chan authpolicy.Report
	lost    atomic.Uint64 // reports dropped because too many waited

	usage usageTotals
}

// openEnforcer opens the doors, if the configuration enforces decisions. The decisions
// known to the previous run are in force before the first question can be asked.
func (d *Daemon) openEnforcer(ctx context.Context) error {
	c := d.config
	if !c.Enforces() {
		return nil
	}
	e := &enforcer{tried: enforce.NewPasswords(), store: d.store, log: d.log, reports: make(chan authpolicy.Report, maxReports)}
	var err error
	e.bouncer, err = bouncer.New(bouncer.Options{
		Config: BouncerConfig(c), Version: d.options.Version, Log: d.log, Now: d.options.Now, Usage: e.takeUsage,
		Keep: func(b []byte) error { return d.store.Keep(keptDecisions, b) },
	})
	if err != nil {
		return err
	}
	e.abroad = newCountries(c, d.store, d.log)
	e.gate = enforce.NewGate(e.bouncer.Table(), e.gateOptions(c, d.facts), d.options.Now)
	e.restore()
	ctx, e.cancel = context.WithCancel(ctx)
	if err := e.openDoors(ctx, d, c); err != nil {
		e.close()
		return err
	}
	e.group.Go(func() { e.bouncer.Run(ctx) })
	e.group.Go(func() { e.keepRefusals(ctx) })
	e.group.Go(func() { e.abroad.run(ctx) })
	e.group.Go(func() { e.handReports(ctx, d.reported) })
	d.metrics.registry.MustRegister(enforcementMetrics{e})
	d.enforcer = e
	d.log.Info("enforcing decisions", "doors", e.places, "dry_run", c.Enforce.DryRun, "decisions", e.bouncer.Table().Len())
	return nil
}

// BouncerConfig returns how the bouncer asks the LAPI. Without api_url it asks the LAPI of
// the alerts.
func BouncerConfig(c config.Config) bouncer.Config {
	b := c.Bouncer
	url := b.APIURL
	if credentials, err := lapi.LoadCredentials(c.LAPI.Credentials); url == "" && err == nil {
		url = credentials.URL
	}
	key := c.BouncerKey()
	if b.CertPath != "" {
		key = ""
	}
	return bouncer.Config{
		APIURL: url, APIKey: key, CertPath: b.CertPath, KeyPath: b.KeyPath, CACertPath: b.CACertPath, InsecureSkipVerify: b.InsecureSkipVerify,
		UpdateFrequency: time.Duration(b.UpdateFrequency), Scopes: b.Scopes, Origins: b.Origins,
		ScenariosContaining: b.Containing, ScenariosNotContaining: b.NotContaining, MaxDecisions: b.MaxDecisions,
	}
}

// gateOptions returns the settings that a reload can change.
func (e *enforcer) gateOptions(c config.Config, facts guard.Facts) enforce.Options {
	o := enforce.Options{
		DryRun: c.Enforce.DryRun, Accounts: c.Enforce.Accounts, Contact: c.Enforce.Contact, Never: neverRefused(facts), Abroad: e.abroad.refuses,
	}
	o.Types = []decision.Type{}
	for _, t := range c.Bouncer.Types {
		o.Types = append(o.Types, decision.TypeOf(t))
	}
	return o
}

// neverRefused returns a function that reports whether an address is never refused, not
// even for a decision made by a person, and why. These are this host, its networks, the
// networks that the administrator trusts, and proxies that speak for others. A private
// address may be refused: its decision was made by hand, because csmail makes none.
func neverRefused(f guard.Facts) func(netip.Addr) (string, bool) {
	own := map[netip.Addr]bool{}
	for _, a := range f.Own {
		own[a.Unmap().WithZone("")] = true
	}
	lists := []struct {
		networks []netip.Prefix
		reason   string
	}{{f.MyNetworks, "mynetworks"}, {f.Allow, "guard.allow"}, {f.Relays, "guard.relays"}, {f.Trusted, "trusted proxy"}}
	return func(addr netip.Addr) (string, bool) {
		if own[addr] {
			return "address of this host", true
		}
		for _, l := range lists {
			for _, n := range l.networks {
				if n.Contains(addr) {
					return l.reason, true
				}
			}
		}
		for _, n := range f.Named {
			if n.Network.Contains(addr) {
				return "guard.allow_names (" + n.Name + ")", true
			}
		}
		return "", false
	}
}

// restore loads the data of the previous run. Unreadable data is left out: the LAPI sends
// the decisions again, and csmail's own refusals are recognised by their text in the log.
func (e *enforcer) restore() {
	decisions, err := e.store.Kept(keptDecisions)
	if err != nil {
		e.log.Warn("reading the decisions that were kept", "error", err)
	}
	e.bouncer.Restore(decisions)
	refusals, err := e.store.Kept(keptRefusals)
	if err != nil {
		e.log.Warn("reading the refusals that were kept", "error", err)
	}
	e.gate.Refusals().Restore(refusals)
}

// openDoors listens at each configured door.
func (e *enforcer) openDoors(ctx context.Context, d *Daemon, c config.Config) error {
	auth := &authpolicy.Server{Gate: e.gate, Key: c.Enforce.AuthPolicy.Key, Now: d.options.Now}
	if c.Detect {
		auth.Tried = e.tried.Add
	}
	if c.Enforce.AuthPolicy.Report && c.Detect {
		auth.Report = e.takeReport
	}
	policy := &policyd.Server{Gate: e.gate, MX: policyd.Code(c.Enforce.Policy.MXCode), Submission: policyd.Code(c.Enforce.Policy.SubmissionCode)}
	for _, door := range []struct {
		name   enforce.Door
		places []string
		serve  func(context.Context, net.Listener) error
	}{
		{enforce.AuthPolicy, c.Enforce.AuthPolicy.Listen, auth.Serve},
		{enforce.Policy, c.Enforce.Policy.Listen, policy.Serve},
		{enforce.Socketmap, c.Enforce.Socketmap.Listen, (&socketmap.Server{Gate: e.gate}).Serve},
	} {
		for _, place := range door.places {
			l, err := enforce.Listen(place)
			if err != nil {
				return fmt.Errorf("enforce.%s: %w", door.name, err)
			}
			e.places = append(e.places, door.name.String()+" "+place)
			e.group.Go(func() { _ = door.serve(ctx, l) }) // ends with the context
		}
	}
	return e.openBlockList(ctx, c.Enforce.DNSBL)
}

// openBlockList listens for DNS queries.
func (e *enforcer) openBlockList(ctx context.Context, c config.DNSBL) error {
	for _, place := range c.Listen {
		packets, err := net.ListenPacket("udp", place)
		if err != nil {
			return fmt.Errorf("enforce.dnsbl: listening on %q: %w", place, err)
		}
		e.places = append(e.places, enforce.DNSBL.String()+" "+place)
		server := &dnsbl.Server{Gate: e.gate, Zone: c.Zone}
		e.group.Go(func() { _ = server.Serve(ctx, packets) }) // ends with the context
	}
	return nil
}

// close closes the doors, then stores the data for the next start.
func (e *enforcer) close() {
	if e == nil {
		return
	}
	e.cancel()
	e.group.Wait()
}

// keepRefusals stores the refusals every second, so that log lines about them that are
// read after a restart are known as csmail's own.
func (e *enforcer) keepRefusals(ctx context.Context) {
	every, failed := keepRefusals, false
	for ctx.Err() == nil {
		wait(ctx, every)
		snapshot, changed := e.gate.Refusals().TakeSnapshot(time.Now())
		if !changed {
			continue
		}
		err := e.store.Keep(keptRefusals, snapshot)
		if err != nil && !failed {
			e.log.Warn("what was refused cannot be kept for the next start", "error", err)
		}
		failed = err != nil
		if every = keepRefusals; len(snapshot) > manyRefused {
			every = keepManyRefused
		}
	}
}

// pollSoon has the decisions of the LAPI followed at once: csmail unban has just ended some.
func (e *enforcer) pollSoon() {
	if e != nil {
		e.bouncer.PollSoon()
	}
}

// wait sleeps for d, or until the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// mark changes the kind of lines that csmail's own refusals leave in the log, so that
// they do not count, and gives lines about failed logins the mark of the password. It
// runs before they are stored, so that a replay needs no memory of the doors' questions.
func (e *enforcer) mark(r *event.Record) {
	if e == nil {
		return
	}
	if r.Service == event.Dovecot && r.Host != "" {
		if host := e.host.Load(); host == nil || *host != r.Host {
			name := string([]byte(r.Host)) // a copy, because the line's block is released
			e.host.Store(&name)
		}
	}
	if e.gate.Refusals().Explains(r) {
		r.Kind = event.OwnRefusal
		return
	}
	r.Password = e.tried.MarkOf(r)
}

// learn has the rule on countries learn from a successful login, unless it was guessed.
func (e *enforcer) learn(r *event.Record, guessed bool, now time.Time) {
	if e == nil || r.Outcome != event.Noted || r.Kind.Class() != event.Success {
		return
	}
	if _, never := e.gate.Never(r.Addr); !never {
		e.abroad.learn(&r.Event, guessed, now)
	}
}

// takeReport queues a report of Dovecot without waiting.
func (e *enforcer) takeReport(r authpolicy.Report) {
	select {
	case e.reports <- r:
	default:
		e.lost.Add(1)
	}
}

// handReports sends reports to the loop after reportDelay.
func (e *enforcer) handReports(ctx context.Context, reported chan<- event.Record) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-e.reports:
			wait(ctx, time.Until(r.At.Add(reportDelay)))
			host := ""
			if name := e.host.Load(); name != nil {
				host = *name
			}
			select {
			case reported <- r.Record(host):
			case <-ctx.Done():
				return
			}
		}
	}
}

// reportSource is the source name of records that are made of Dovecot's reports.
const reportSource = "auth-policy"

// takeReported steps a record of a report, which no log holds.
func (d *Daemon) takeReported(r event.Record) {
	d.schedule()
	input := r
	d.pending.Inputs = append(d.pending.Inputs, state.Input{Source: reportSource, Record: &input})
	d.clock.seen(r.Time)
	d.countResult(d.engine.Step(&r))
	d.enforcer.learn(&r, d.engine.Guard().Guessed().N > 0, d.options.Now())
	if d.urgent || len(d.pending.Inputs) >= maxBatch {
		d.tryCommit()
	}
}

// banned enforces the LAPI's decisions on csmail's own alerts at once, without waiting
// for the stream.
func (e *enforcer) banned(look lapi.Look, now time.Time) {
	if e == nil {
		return
	}
	var own []decision.Decision
	for _, b := range look.Bans {
		one, err := decision.Parse(decision.Raw{
			ID: b.ID, Scope: b.Scope, Value: b.Value, Type: b.Type, Origin: b.Origin, Scenario: b.Scenario, Duration: b.Until.Sub(look.At).String(),
		}, now)
		if err == nil && b.ID != 0 && !b.Simulated {
			own = append(own, one)
		}
	}
	e.bouncer.Own(own)
}

// errEnforcement names the settings that a reload cannot change.
var errEnforcement = errors.New("bouncer, detect, and the listen, key and report of a door below enforce cannot change while csmail runs: restart it")

// mayChange returns an error if a new configuration needs a restart.
func mayChange(before, after config.Config) error {
	for _, one := range []*config.Config{&before, &after} {
		one.Enforce.DryRun, one.Enforce.Accounts, one.Enforce.Contact, one.Bouncer.Types = false, false, "", nil
		one.Enforce.Countries = config.Countries{}
		one.Enforce.Policy.MXCode, one.Enforce.Policy.SubmissionCode = before.Enforce.Policy.MXCode, before.Enforce.Policy.SubmissionCode
	}
	if before.Detect != after.Detect || before.BouncerKey() != after.BouncerKey() ||
		!reflect.DeepEqual(before.Bouncer, after.Bouncer) || !reflect.DeepEqual(before.Enforce, after.Enforce) {
		return errEnforcement
	}
	return nil
}

// reset hands the new settings to the doors.
func (e *enforcer) reset(c config.Config, facts guard.Facts) {
	if e != nil {
		e.abroad.set(c)
		e.gate.Set(e.gateOptions(c, facts))
	}
}
