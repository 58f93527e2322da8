package delivery

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"csmail/pkg/hint"
	"csmail/pkg/lapi"
)

// Beacon is the side of the LAPI that wants to know that we are alive.
type Beacon interface {
	Heartbeat(context.Context) error
	SendUsage(context.Context, lapi.Usage) error
	Close()
}

const (
	heartbeatEvery = time.Minute      // as CrowdSec's agent
	usageEvery     = 30 * time.Minute // the same
)

// Presence shows this machine in cscli machines list and inspect. It may run again
// after it has run: it then reports what was counted since the report before.
type Presence struct {
	// Connect returns a client of its own: a heartbeat must not wait for a push. It
	// is called at the start and after each refusal.
	Connect func(context.Context) (Beacon, error)

	// Totals counts the lines of each source since the start.
	Totals func() []lapi.SourceUsage

	Version, OSName, OSVersion string
	Started                    time.Time
	Log                        *slog.Logger // default: slog.Default()

	beacon Beacon
	sent   map[string]lapi.SourceUsage // totals of the last report
	last   time.Time                   // when that was
}

// Run sends a heartbeat at once and every minute, and usage every half hour,
// until the context ends. What fails is sent later; a report whose answer is lost
// may count twice.
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
	for {
		err := p.beat(ctx, first)
		if ctx.Err() != nil {
			return
		}
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
		err = p.report(ctx, now, p.Totals())
	}
	if isRefusal(err) {
		p.disconnect()
	}
	return err
}

// Leave reports what was counted since the last report, if anything was, for nobody
// knows of it after the end. It is to be called when Run has ended, with the totals of
// then. What it cannot tell is lost.
func (p *Presence) Leave(ctx context.Context, totals []lapi.SourceUsage) error {
	news := slices.ContainsFunc(totals, func(t lapi.SourceUsage) bool { return t.Read > p.sent[t.Source].Read })
	if !news {
		return nil
	}
	defer p.disconnect()
	if err := p.connect(ctx); err != nil {
		return err
	}
	return p.report(ctx, time.Now(), totals)
}

// report sends what was counted since the report before: the LAPI adds up.
func (p *Presence) report(ctx context.Context, now time.Time, totals []lapi.SourceUsage) error {
	sent := map[string]lapi.SourceUsage{}
	sources := make([]lapi.SourceUsage, 0, len(totals))
	for _, t := range totals {
		before := p.sent[t.Source]
		sent[t.Source] = t
		t.Read, t.Parsed, t.Unparsed = t.Read-before.Read, t.Parsed-before.Parsed, t.Unparsed-before.Unparsed
		sources = append(sources, t)
	}
	err := p.beacon.SendUsage(ctx, lapi.Usage{
		Version: p.Version, OSName: p.OSName, OSVersion: p.OSVersion, Started: p.Started,
		Now: now, Window: now.Sub(p.last), Sources: sources,
	})
	if err == nil {
		p.sent, p.last = sent, now
	}
	return err
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
