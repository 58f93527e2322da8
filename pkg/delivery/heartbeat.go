package delivery

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/lapi"
)

// Beacon is the part of the LAPI that receives heartbeats and usage reports.
type Beacon interface {
	Heartbeat(context.Context) error
	SendUsage(context.Context, lapi.Usage) error
	Close()
}

const (
	heartbeatEvery = time.Minute      // as CrowdSec's agent
	startGrace     = 5 * time.Second  // for a LAPI that starts at the same time
	usageEvery     = 30 * time.Minute // the same
	answerWithin   = 2 * time.Second  // after the end, for a report under way
)

// Presence shows this machine in cscli machines list and inspect. It may run again
// after it has run: it then reports what was counted since the report before.
type Presence struct {
	// Connect returns a client for this use alone: a heartbeat must not wait for a push.
	// It is called at the start and after each refusal.
	Connect func(context.Context) (Beacon, error)

	// Totals counts the lines of each source since the start.
	Totals func() []lapi.SourceUsage

	// Before holds the counts that an earlier run could not report. It goes with the
	// first report. Reported, if it is set, is called after that report.
	Before   Unreported
	Reported func()

	Version, OSName, OSVersion string
	Started                    time.Time
	Log                        *slog.Logger // default: slog.Default()

	mu      sync.Mutex // of failure
	failure Failure

	beacon Beacon
	sent   map[string]lapi.SourceUsage // totals of the last report
	last   time.Time                   // when that was
}

// Failure is why no heartbeat has reached the LAPI, and since when; the zero Failure if
// the newest did.
type Failure struct {
	Since time.Time
	Err   error
}

// Failure may be called at any time, by any goroutine.
func (p *Presence) Failure() Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

func (p *Presence) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.failure = Failure{}
	case p.failure.Err == nil:
		p.failure = Failure{time.Now(), err}
	default:
		p.failure.Err = err
	}
}

// Unreported are line counts that were not yet reported to the LAPI, and the time since when
// they were counted.
type Unreported struct {
	Since   time.Time
	Sources []lapi.SourceUsage
}

// Run sends a heartbeat at once and every minute, and usage every half hour, until the
// context ends. A failed report is sent later. If only its answer was lost, its lines
// count twice. The first heartbeat is tried again after startGrace before a failure is
// logged, since the LAPI may be starting, too. For example, csmail setup reloads CrowdSec.
func (p *Presence) Run(ctx context.Context) {
	if p.Log == nil {
		p.Log = slog.Default()
	}
	if p.last.IsZero() {
		p.last = p.Started
	}
	defer p.disconnect()
	beat := time.NewTicker(heartbeatEvery)
	defer beat.Stop()
	first, failing := true, false
	err := p.beat(ctx, first)
	if err != nil && ctx.Err() == nil {
		p.note(err)
		select {
		case <-ctx.Done():
		case <-time.After(startGrace):
		}
		err = p.beat(ctx, first)
	}
	for ; ; err = p.beat(ctx, first) {
		if ctx.Err() != nil {
			return
		}
		p.note(err)
		if err != nil && !failing {
			p.Log.Warn("no heartbeat to the LAPI", "error", err, "hint", hint.Of(err))
		}
		failing, first = err != nil, first && err != nil
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
	}
}

func (p *Presence) beat(ctx context.Context, first bool) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	err := p.beacon.Heartbeat(ctx)
	if now := time.Now(); err == nil && (first || now.Sub(p.last) >= usageEvery) {
		answered, cancel := outlast(ctx, answerWithin)
		err = p.report(answered, now, p.Totals())
		cancel()
	}
	if isRefusal(err) {
		p.disconnect()
	}
	return err
}

// outlast returns a context that ends some time after another one, so that the answer to a
// report under way at the end is not lost: the report would be sent again.
func outlast(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-later.Done():
		case <-time.After(by):
			cancel()
		}
	})
	return later, func() { stop(); cancel() }
}

// Leave sends a last report of the lines counted since the one before, if there are any;
// after the end of the process the counts would be lost. It is to be called when Run has
// ended, with the totals at that time. If it fails, [Presence.Unreported] returns the
// counts.
func (p *Presence) Leave(ctx context.Context, totals []lapi.SourceUsage) error {
	if !slices.ContainsFunc(p.Unreported(totals).Sources, func(u lapi.SourceUsage) bool { return u.Read > 0 }) {
		return nil
	}
	defer p.disconnect()
	if err := p.connect(ctx); err != nil {
		return err
	}
	return p.report(ctx, time.Now(), totals)
}

// Unreported returns the lines counted since the last report, with the given totals, and
// those that earlier runs could not report.
func (p *Presence) Unreported(totals []lapi.SourceUsage) Unreported {
	u := Unreported{Since: p.last}
	if !p.Before.Since.IsZero() {
		u.Since = p.Before.Since
	}
	for _, t := range totals {
		sent := p.sent[t.Source]
		t.Read, t.Parsed, t.Unparsed = t.Read-sent.Read, t.Parsed-sent.Parsed, t.Unparsed-sent.Unparsed
		u.Sources = append(u.Sources, t)
	}
	for _, b := range p.Before.Sources {
		i := slices.IndexFunc(u.Sources, func(s lapi.SourceUsage) bool { return s.Source == b.Source })
		if i < 0 {
			b.Gone = true
			u.Sources = append(u.Sources, b)
			continue
		}
		s := &u.Sources[i]
		s.Read, s.Parsed, s.Unparsed = s.Read+b.Read, s.Parsed+b.Parsed, s.Unparsed+b.Unparsed
	}
	return u
}

// report sends what was counted since the report before: the LAPI adds up.
func (p *Presence) report(ctx context.Context, now time.Time, totals []lapi.SourceUsage) error {
	unreported := p.Unreported(totals)
	err := p.beacon.SendUsage(ctx, lapi.Usage{
		Version: p.Version, OSName: p.OSName, OSVersion: p.OSVersion, Started: p.Started,
		Now: now, Window: max(0, now.Sub(unreported.Since)), Sources: unreported.Sources,
	})
	if err != nil {
		return err
	}
	p.sent, p.last = map[string]lapi.SourceUsage{}, now
	for _, t := range totals {
		p.sent[t.Source] = t
	}
	if !p.Before.Since.IsZero() && p.Reported != nil {
		p.Reported()
	}
	p.Before = Unreported{}
	return nil
}

func (p *Presence) connect(ctx context.Context) error {
	if p.beacon != nil {
		return nil
	}
	beacon, err := p.Connect(ctx)
	if err != nil {
		return err
	}
	p.beacon = beacon
	return nil
}

func (p *Presence) disconnect() {
	if p.beacon != nil {
		p.beacon.Close()
		p.beacon = nil
	}
}
