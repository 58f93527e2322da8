// Package bucket counts events in the buckets of CrowdSec scenarios, as CrowdSec's
// pkg/leakybucket (v1.7.8) does, but in the time of the events: the same log gives the
// same overflows at any speed. Its whole state lies in bounded, compact tables that
// can be written down and read back. It does no I/O, has no clock and no goroutine,
// and decides about no ban.
package bucket

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// Limits bound the memory of an Engine. A zero takes the default.
type Limits struct {
	Sources  int // addresses, networks and accounts tracked at once; default 500,000
	Distinct int // values that a bucket with distinct remembers; default 1024
	Queue    int // events that a bucket without capacity holds; default 1024
	Texts    int // newest events whose text is kept for alerts; default 4096, at most 65,536; NoEvidence
	Events   int // events in queues whose text is kept for expressions; default 65,536
}

// NoEvidence as Limits.Texts saves the Evidence of overflows, for a caller that shows
// none.
const NoEvidence = -1

// filled returns the limits with defaults.
func (l Limits) filled() Limits {
	fill := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	fill(&l.Sources, 500_000)
	fill(&l.Distinct, 1024)
	fill(&l.Queue, 1024)
	fill(&l.Events, 1<<16)
	if l.Texts != NoEvidence {
		fill(&l.Texts, 4096)
	}
	l.Texts = min(l.Texts, maxTexts)
	l.Distinct, l.Queue = min(l.Distinct, 1<<15), min(l.Queue, 1<<15)
	return l
}

// Stats are counts for metrics.
type Stats struct {
	Sources   int   // tracked now
	Buckets   int   // open or blackholed now
	Evicted   int64 // sources forgotten because of the limit
	Untracked int64 // events that were not counted because all candidates for eviction have blackholes
}

// Engine holds the buckets of a Set of scenarios. Use it from one goroutine at a time.
//
// It is built in layers, each of which knows only those below it: details (what few
// buckets hold besides their counts), memory (groups with their buckets and evidence),
// current (the event that is being poured), and the Engine, which pours and reports what
// overflows.
type Engine struct {
	current
	due  deadlines
	hole Blackhole // of the overflow in progress
	out  []Overflow

	parties []party                       // scratch memory of tell
	names   map[event.ServiceSet][]string // of the services of overflows

	warmed uint64 // keeps the compiler from leaving out the reads of Warm
}

// New returns an Engine without buckets. The key is the secret for the hashes of client
// texts; overflows do not depend on it. A snapshot brings its own.
func New(set *scenario.Set, limits Limits, key event.HashKey) *Engine {
	e := &Engine{names: map[event.ServiceSet][]string{}}
	e.set, e.limits, e.key, e.groups = set, limits.filled(), key, newGroups(key)
	e.metas = map[expression.Facts]map[string]string{}
	e.ring.clones = make([]clone, max(e.limits.Texts, 0))
	e.takers = newTakers()
	e.machine.In = &e.in
	return e
}

// Stats returns the present counts.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Sources, s.Buckets = e.groups.Len(), e.open
	return s
}

// Pour pours the event once into every scenario that takes it and returns the overflows:
// first those of counters that end before the event, then the others in the order of the
// Set. The event may change after the call. The slice is valid until the next call of
// Pour or Advance; the caller owns its elements.
func (e *Engine) Pour(ev *event.Event) []Overflow {
	e.begin(ev)
	return e.pourAll()
}

// PourRecord does the same for the event of a record, and shares the record's hash of the
// account.
func (e *Engine) PourRecord(r *event.Record) []Overflow {
	e.begin(&r.Event)
	e.record = r
	return e.pourAll()
}

// pourAll pours the event that is current.
func (e *Engine) pourAll() []Overflow {
	e.out = e.out[:0]
	e.pours++
	e.advance(e.at)
	for _, s := range e.takersOf() {
		if e.passes(s.Rest) {
			e.pourInto(s)
		}
	}
	if e.pours%poursPerSweep == 0 {
		e.sweep(1)
	}
	e.in, e.record = expression.Input{}, nil // the event is lent
	return e.out
}

// Advance passes the time to now. Counters that have ended overflow, and dead buckets are
// freed. A time before the latest event has no effect.
func (e *Engine) Advance(now time.Time) []Overflow {
	e.out = e.out[:0]
	e.advance(nanoseconds(now))
	e.sweep(sweepPerTick)
	return e.out
}

// End does the same without freeing memory. It costs nothing while no counter has ended.
func (e *Engine) End(now time.Time) []Overflow {
	e.out = e.out[:0]
	e.advance(nanoseconds(now))
	return e.out
}

// nanoseconds returns the Unix time, bounded to the years that fit.
func nanoseconds(t time.Time) int64 {
	const latest = 1 << 32 // seconds: the year 2106
	return time.Unix(max(0, min(t.Unix(), latest)), int64(t.Nanosecond())).UnixNano()
}

// pourInto follows pkg/leakybucket/manager_run.go and bucket.go (v1.7.8): the
// bucket is looked up by the key, a dead one starts afresh, distinct and cancel_on
// come before the pour, condition and the bayesian conditions after it.
func (e *Engine) pourInto(s *scenario.Scenario) {
	gi := e.groupOf(s)
	if gi == 0 {
		return
	}
	g := e.groups.At(gi)
	b := e.bucketOf(g, s)
	if s.IsTrigger {
		e.trigger(s, g, b)
		return
	}
	if b.total > 0 && !s.IsTimed() && e.at > b.last+s.Life {
		e.restart(b)
	}
	if s.Distinct != nil && !e.isNew(s, b) {
		return
	}
	if s.CancelOn != nil && e.machine.IsTrue(s.CancelOn) {
		e.restart(b)
		return
	}
	if s.IsTimed() && b.total == 0 {
		b.busy = max(e.at, b.last)
		e.await(deadline{b.busy + s.Life, gi, s.Index})
	}
	e.pour(s, g, b)
}

// trigger overflows a trigger's bucket with each event.
func (e *Engine) trigger(s *scenario.Scenario, g *group, b *bucket) {
	if e.silentUntil(b) <= e.at {
		e.count(b)
		e.hold(s, g, b)
		b.first, b.last = e.at, e.at
		e.overflow(s, g, b, b.last)
		return
	}
	b.last = e.at
}

// pour adds the current event to a leaky bucket or a counter.
func (e *Engine) pour(s *scenario.Scenario, g *group, b *bucket) {
	e.count(b)
	e.hold(s, g, b)
	full := s.IsLeaky && b.pour(e.at, int64(s.LeakSpeed), s.Capacity)
	b.last = max(b.last, e.at)
	if full || e.meetsCondition(s, b) {
		e.overflow(s, g, b, b.last)
	}
}

// count adds the event to the bucket's counts.
func (e *Engine) count(b *bucket) {
	if b.total == 0 || e.at < b.first {
		b.first = e.at
	}
	b.total++
	if s := e.in.Event.Service; s != b.owner.service() {
		e.countService(b, s)
	}
	if !b.countKind(e.in.Event.Kind) {
		e.countMore(b, e.in.Event.Kind)
	}
}
