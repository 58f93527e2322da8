// Package bouncer follows CrowdSec's decisions: it keeps a [decision.Table] equal to the
// decisions of the Local API (LAPI). Client and configuration are those of CrowdSec's
// go-cs-bouncer (v0.0.21), so that cscli bouncers and cscli metrics show csmail like any
// bouncer. The loop is csmail's own.
//
// The library's loop has no timeout, no state and no callback, and the stream that it
// follows is not enough. The LAPI stamps decisions before it commits them, so a poll in
// between loses them for ever. A second reader of the same key takes the decisions of the
// first. And a LAPI whose database fails answers 200 with empty lists
// (pkg/apiserver/controllers/v1/decisions.go, v1.7.8). So the table is compared with the
// whole list from time to time, and lost decisions are repaired and counted.
//
// It never removes decisions because of one answer, never refuses a client by itself, and
// changes nothing in the LAPI.
package bouncer

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"csmail/pkg/decision"
	"csmail/pkg/hint"
)

// Config holds the keys that CrowdSec's bouncers share, under their names.
type Config struct {
	APIURL             string // http(s)://HOST:PORT/, or the path of a unix socket
	APIKey             string
	CertPath, KeyPath  string // instead of a key
	CACertPath         string
	InsecureSkipVerify bool

	UpdateFrequency        time.Duration // 10 s unless set
	Scopes                 []string      // Ip, Range, Username and username unless set
	Origins                []string      // all unless set
	ScenariosContaining    []string
	ScenariosNotContaining []string

	MaxDecisions int // see [decision.New]
}

// Options of a Bouncer.
type Options struct {
	Config  Config
	Version string // of csmail; cscli bouncers list shows it

	// Keep stores the table for [Bouncer.Restore] at the next start; nil: it is not kept.
	Keep func([]byte) error

	// Usage returns the counts since its last call, for the LAPI's usage metrics; nil:
	// only the number of decisions is reported.
	Usage func() Usage

	// Times between comparisons: of the LAPI's own decisions (default a minute) and of
	// all decisions (default half an hour), and before the second look that precedes a
	// removal (default 3 s).
	CompareLocal, CompareAll, SecondLook time.Duration

	Retry   time.Duration // wait after a failed poll, doubled with each; default 1 s
	Timeout time.Duration // of one request, default 60 s
	Now     func() time.Time
	Log     *slog.Logger
}

// The times of the loop.
const (
	defaultFrequency    = 10 * time.Second
	defaultCompareLocal = time.Minute
	defaultCompareAll   = 30 * time.Minute
	defaultSecondLook   = 3 * time.Second
	defaultRetry        = time.Second
	defaultTimeout      = time.Minute
	expireEvery         = time.Minute
	maxBackoff          = time.Minute

	// comparesOnLoss limits comparisons with a LAPI that loses decisions all the time: at
	// least so many comparisons of its own decisions lie between two of all.
	comparesOnLoss = 5

	// longestKept bounds the end of a restored decision: CrowdSec's own last for days,
	// those of blocklists for a day, bans by hand for up to years.
	longestKept = 10 * 365 * 24 * time.Hour
)

// Stats are figures since the start.
type Stats struct {
	Decisions    int       // in the table
	LastPull     time.Time // of the last answer that could be used; zero: none yet
	FailingSince time.Time // zero: the last poll went well
	LastError    string
	Hint         string // how to mend it

	Polls, Failures    uint64
	RepairedMissing    uint64 // decisions that the stream never brought
	RepairedLeft       uint64 // that it never took away
	Ignored            uint64 // decisions of the LAPI that csmail cannot enforce
	Refused            uint64 // for which the table was full
	Own                uint64 // enforced at once, by the LAPI's answer to csmail's alert
	ComparedAll        time.Time
	ComparedLocal      time.Time
	KeptAt             time.Time // when the table was stored last
	KeepFailed         string
	ReceivedNew        uint64
	ReceivedDeleted    uint64
	LastPollTook       time.Duration
	LastCompareTook    time.Duration
	LastCompareMissing int
	LastCompareLeft    int
}

// Bouncer keeps a table up to date. Its methods are safe for concurrent use.
type Bouncer struct {
	o      Options
	table  *decision.Table
	client *client

	writing sync.Mutex // held while the table is changed
	changed atomic.Bool

	mu    sync.Mutex
	stats Stats

	soon chan struct{} // has room for one; see PollSoon

	// The fields of Run:
	awaiting   map[int64]struct{} // added by a comparison; the next poll should have brought them
	needsAll   bool               // all is to be compared: a start, or after an outage
	startup    bool               // the LAPI is to send everything
	lastLocal  time.Time
	lastAll    time.Time
	lastExpire time.Time
	lastKeep   time.Time
	ignored    map[string]bool // reasons that were logged
	usageSince time.Time       // of reportUsage
}

// New returns a bouncer with an empty table. It reads the certificates that the
// configuration names, and connects to nothing before Run.
func New(o Options) (*Bouncer, error) {
	for _, d := range []struct {
		value *time.Duration
		unset time.Duration
	}{
		{&o.Config.UpdateFrequency, defaultFrequency},
		{&o.CompareLocal, defaultCompareLocal},
		{&o.CompareAll, defaultCompareAll},
		{&o.SecondLook, defaultSecondLook},
		{&o.Retry, defaultRetry},
		{&o.Timeout, defaultTimeout},
	} {
		if *d.value <= 0 {
			*d.value = d.unset
		}
	}
	if len(o.Config.Scopes) == 0 {
		// The LAPI changes the case of Ip, Range, Country and AS alone (v1.7.8,
		// pkg/database/decisionfilter.go).
		o.Config.Scopes = []string{"Ip", "Range", "Username", "username"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c, err := newClient(o.Config, o.Version, o.Timeout)
	if err != nil {
		return nil, err
	}
	return &Bouncer{
		o: o, table: decision.New(o.Config.MaxDecisions), client: c,
		soon:     make(chan struct{}, 1),
		awaiting: map[int64]struct{}{}, needsAll: true, startup: true, ignored: map[string]bool{},
		usageSince: o.Now(),
	}, nil
}

// Table returns the table, to be asked.
func (b *Bouncer) Table() *decision.Table { return b.table }

// Restore loads the decisions of an earlier run. Unreadable ones are left out, since the
// LAPI sends them again.
func (b *Bouncer) Restore(kept []byte) {
	if len(kept) == 0 {
		return
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	if err := b.table.Restore(kept, b.o.Now(), longestKept); err != nil {
		b.o.Log.Warn("the decisions that were kept cannot be read; the LAPI is asked for all", "error", err)
		return
	}
	b.o.Log.Info("enforcing the decisions that were kept until the LAPI answers", "decisions", b.table.Len())
}

// Own enforces decisions that the LAPI has just made of csmail's own alert. The stream
// brings them again, without effect.
func (b *Bouncer) Own(decisions []decision.Decision) {
	decisions = slices.DeleteFunc(decisions, func(d decision.Decision) bool { return !b.o.Config.wants(&d) })
	if len(decisions) == 0 {
		return
	}
	b.apply(decisions, nil)
	b.count(func(s *Stats) { s.Own += uint64(len(decisions)) })
}

// wants reports whether the LAPI would send a decision to a bouncer of this
// configuration: origins are compared whole, scenarios by a part of their name in any case
// (pkg/database/decisionfilter.go, v1.7.8).
func (c *Config) wants(d *decision.Decision) bool {
	holds := func(part string) bool {
		return strings.Contains(strings.ToLower(d.Scenario), strings.ToLower(part))
	}
	return (len(c.Origins) == 0 || slices.Contains(c.Origins, d.Origin)) &&
		(len(c.ScenariosContaining) == 0 || slices.ContainsFunc(c.ScenariosContaining, holds)) &&
		!slices.ContainsFunc(c.ScenariosNotContaining, holds)
}

func (b *Bouncer) apply(add []decision.Decision, remove []int64) decision.Applied {
	b.writing.Lock()
	defer b.writing.Unlock()
	a := b.table.Apply(add, remove, b.o.Now())
	if a.Added+a.Changed+a.Removed > 0 {
		b.changed.Store(true)
	}
	return a
}

func (b *Bouncer) count(f func(*Stats)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.stats)
}

// Stats returns the figures.
func (b *Bouncer) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Decisions, s.Refused = b.table.Len(), b.table.Refused()
	return s
}

// Run follows the decisions until the context ends, and keeps the table then.
func (b *Bouncer) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { b.reportUsage(ctx) })
	failures := 0
	for ctx.Err() == nil {
		err := b.round(ctx)
		if ctx.Err() != nil {
			break
		}
		wait := b.o.Config.UpdateFrequency
		if b.note(err); err != nil {
			wait = b.o.backoff(failures)
			failures++
		} else {
			failures = 0
		}
		b.housekeep()
		b.rest(ctx, wait)
	}
	b.keepSnapshot()
	b.client.close()
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// round polls once and does the comparisons that are due.
func (b *Bouncer) round(ctx context.Context) error {
	if err := b.poll(ctx); err != nil {
		return err
	}
	now := time.Now()
	if b.needsAll || now.Sub(b.lastAll) >= b.o.CompareAll {
		if err := b.compare(ctx, nil); err != nil {
			b.needsAll = true
			return err
		}
		b.needsAll, b.lastAll, b.lastLocal = false, now, now
		b.count(func(s *Stats) { s.ComparedAll, s.ComparedLocal = b.o.Now(), b.o.Now() })
		b.giveBack()
		return nil
	}
	if now.Sub(b.lastLocal) < b.o.CompareLocal {
		return nil
	}
	origins := b.localOrigins()
	if len(origins) == 0 {
		b.lastLocal = now
		return nil
	}
	if err := b.compare(ctx, origins); err != nil {
		b.needsAll = true
		return err
	}
	b.lastLocal = now
	b.count(func(s *Stats) { s.ComparedLocal = b.o.Now() })
	return nil
}

// manyDecisions is from how many on the whole list, as the LAPI sends it, takes tens of
// megabytes while it is read.
const manyDecisions = 10_000

// giveBack returns to the system what reading the whole list took. The garbage collector
// would keep it for minutes, and it is used once in half an hour.
func (b *Bouncer) giveBack() {
	if b.table.Len() >= manyDecisions {
		debug.FreeOSMemory()
	}
}

// poll takes what the stream brings.
func (b *Bouncer) poll(ctx context.Context) error {
	began := time.Now()
	answer, err := b.client.stream(ctx, b.startup)
	b.count(func(s *Stats) { s.Polls++; s.LastPollTook = time.Since(began) })
	if err != nil {
		return err
	}
	added := b.parse(answer.added)
	// At a start the LAPI sends all decisions that have ever ended. A decision that is
	// missing in the other list is found by the comparison.
	removed := answer.removed
	if b.startup {
		removed = nil
	}
	b.report(b.apply(added, removed))
	b.countRepairs(added)
	b.startup = false
	b.count(func(s *Stats) {
		s.LastPull = b.o.Now()
		s.ReceivedNew += uint64(len(added))
		s.ReceivedDeleted += uint64(len(removed))
	})
	return nil
}

// countRepairs counts the decisions that a comparison added and the next poll did not
// bring, which the stream has lost.
func (b *Bouncer) countRepairs(brought []decision.Decision) {
	for i := range brought {
		delete(b.awaiting, brought[i].ID)
	}
	if n := len(b.awaiting); n > 0 {
		b.count(func(s *Stats) { s.RepairedMissing += uint64(n) })
		b.o.Log.Warn("the LAPI's stream had lost decisions; they are enforced now", "decisions", n)
		clear(b.awaiting)
		if time.Since(b.lastAll) > comparesOnLoss*b.o.CompareLocal {
			b.needsAll = true // of others some may be lost as well
		}
	}
}

// report warns once that the table is full.
func (b *Bouncer) report(a decision.Applied) {
	if a.Refused > 0 && !b.ignored["full"] {
		b.ignored["full"] = true
		b.o.Log.Warn("there are more decisions than bouncer.max_decisions allows; the rest is not enforced", "left_out", a.Refused, "decisions", b.table.Len())
	}
}

// parse leaves out decisions that csmail cannot enforce, and logs each reason once.
func (b *Bouncer) parse(raws []decision.Raw) []decision.Decision {
	now := b.o.Now()
	decisions := make([]decision.Decision, 0, len(raws))
	ignored := 0
	for _, r := range raws {
		d, err := decision.Parse(r, now)
		if err == nil {
			decisions = append(decisions, d)
			continue
		}
		ignored++
		for _, reason := range []error{decision.ErrScope, decision.ErrValue, decision.ErrTooWide, decision.ErrDuration} {
			if errors.Is(err, reason) && !b.ignored[reason.Error()] {
				b.ignored[reason.Error()] = true
				b.o.Log.Warn("a decision cannot be enforced; others of this kind are not logged", "error", err)
			}
		}
	}
	if ignored > 0 {
		b.count(func(s *Stats) { s.Ignored += uint64(ignored) })
	}
	return decisions
}

// note logs when trouble begins, changes or ends, not each time.
func (b *Bouncer) note(err error) {
	now := b.o.Now()
	b.mu.Lock()
	before, since := b.stats.LastError, b.stats.FailingSince
	if err == nil {
		b.stats.LastError, b.stats.Hint, b.stats.FailingSince = "", "", time.Time{}
	} else {
		b.stats.Failures++
		b.stats.LastError, b.stats.Hint = err.Error(), hint.Of(err)
		if since.IsZero() {
			b.stats.FailingSince = now
		}
	}
	b.mu.Unlock()
	if err == nil {
		if !since.IsZero() {
			b.o.Log.Info("the LAPI's decisions are followed again", "after", now.Sub(since).Round(time.Second), "decisions", b.table.Len())
		}
		return
	}
	b.needsAll = true
	if err.Error() != before {
		b.o.Log.Warn("the LAPI's decisions cannot be followed now; those that are known stay in force", "error", err, "hint", hint.Of(err), "decisions", b.table.Len())
	}
}

// housekeep gives memory back and stores the table.
func (b *Bouncer) housekeep() {
	now := time.Now()
	if now.Sub(b.lastExpire) >= expireEvery {
		b.lastExpire = now
		b.writing.Lock()
		b.table.Expire(b.o.Now())
		b.writing.Unlock()
	}
	if b.changed.Load() && now.Sub(b.lastKeep) >= keepEvery(b.table.Len()) {
		b.lastKeep = now
		b.keepSnapshot()
	}
}

// keepEvery spares the disk of a host with a long list: a hundred thousand decisions
// are two megabytes.
func keepEvery(decisions int) time.Duration {
	if decisions < 10_000 {
		return 10 * time.Second
	}
	return 5 * time.Minute
}

func (b *Bouncer) keepSnapshot() {
	if b.o.Keep == nil || !b.changed.Swap(false) {
		return
	}
	b.writing.Lock()
	snapshot := b.table.AppendSnapshot(nil)
	b.writing.Unlock()
	err := b.o.Keep(snapshot)
	if err != nil {
		b.changed.Store(true)
	}
	b.count(func(s *Stats) {
		failed := s.KeepFailed
		if s.KeepFailed = ""; err == nil {
			s.KeptAt = b.o.Now()
			return
		}
		if s.KeepFailed = err.Error(); failed == "" {
			b.o.Log.Warn("the decisions cannot be kept for the next start", "error", err)
		}
	})
}
