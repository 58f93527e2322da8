// Package engine is the one way of a line through the core: Parse turns it into
// a Record, on any core and without state; Step takes the Records in the order
// of the log, joins the lines of one attempt, lets the guard see them, pours them
// into the scenarios, and puts what overflows before the guard. Advance tells the
// time when logs are silent. It has no I/O, no goroutine, no clock and no logger;
// every command goes through it and differs only in where lines come from and
// what it does with the results.
package engine

import (
	"net/netip"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/scenario"
	"csmail/pkg/session"
)

// Result is what a Record came to in its place in the log.
type Result struct {
	*event.Record
	Folded   bool // an earlier line has told of this attempt
	Repeated bool // the same SMTP session was refused for the same before

	// Findings are those that this Record made, and those whose wait it ended.
	// The slice is valid until the next Step; what it holds is the caller's.
	Findings []Finding
}

// maxPours bounds what one line can be worth: Dovecot's and syslog's counts may
// be anything.
const maxPours = 20

// Pours returns how often the result counts for a scenario: once for each attempt
// that no line before has told of, and not at all if it is no event or only more
// of the same.
func (r Result) Pours() int {
	if r.Outcome != event.Noted || r.Folded || r.Repeated {
		return 0
	}
	return min(r.Attempts, maxPours)
}

// IsOffence is true for what can count against a client at all: an event with an
// address, of a class that says something about the client.
func (r Result) IsOffence() bool { return r.Record != nil && isOffence(r.Record) }

// Options say what an Engine judges by. Without scenarios it only joins sessions.
type Options struct {
	Scenarios *scenario.Set
	// Limits bound what the scenarios keep. With NoEvidence nobody is told of the
	// findings, and they come without message and checks too.
	Limits bucket.Limits

	Guard *guard.Guard // belongs to the engine from then on; nil without scenarios

	// HashKey is the secret under which texts of clients are hashed; the Guard has it
	// from its own Options. A state that is restored brings its own.
	HashKey event.HashKey

	// Counts tells of an event whether it may count against its source; nil: each
	// may. What may not still speaks for it.
	Counts func(*event.Event) bool
}

// Engine is the state that Step needs. Use it from one goroutine at a time.
type Engine struct {
	sessions *session.Joiner
	buckets  *bucket.Engine // nil without scenarios
	guard    *guard.Guard
	counts   func(*event.Event) bool
	timed    bool                // a scenario overflows by time
	tells    bool                // somebody is told of the findings, in words
	since    time.Time           // what happened before speaks for its source at the most
	waiting  map[waitKey]waiting // findings of which the guard has the last word to say
	findings []Finding

	partSizes [4]int // of the newest snapshot
}

// waiting is a finding whose verdict is pending.
type waiting struct {
	Alert  event.Alert
	Needed int
}

// New returns an Engine that has seen nothing.
func New(o Options) *Engine {
	e := &Engine{sessions: session.New(), counts: o.Counts, waiting: map[waitKey]waiting{}}
	if o.Scenarios != nil {
		e.buckets = bucket.New(o.Scenarios, o.Limits)
		e.timed = o.Scenarios.NeedsTime()
		e.tells = o.Limits.Texts != bucket.NoEvidence
		e.guard = o.Guard
		if e.guard == nil {
			e.guard = guard.New(guard.Facts{}, guard.Options{HashKey: o.HashKey})
		}
		e.guard.Explain(e.tells)
	}
	return e
}

// Step takes the next Record of the log. The Result points to it.
func (e *Engine) Step(r *event.Record) Result {
	told := e.sessions.Join(r)
	result := Result{Record: r, Folded: told == session.Folded, Repeated: told == session.Again}
	result.Findings = e.Judge(result)
	return result
}

// Judge does what Step does with a Record that another engine has joined, so that
// two engines can judge one log by different scenarios. The slice is valid until
// the next call.
func (e *Engine) Judge(r Result) []Finding {
	if e.buckets == nil {
		return nil
	}
	e.findings = e.findings[:0]
	if e.timed {
		e.end(r.Time)
	}
	if len(e.waiting) > 0 {
		before := r.Time.Add(-time.Second) // the log was silent until then: what the record tells is later
		e.settle(e.guard.Due(before), before)
	}
	e.guard.Observe(r.Record, r.Folded || r.Repeated)
	e.settle(e.guard.Due(r.Time), r.Time)
	if pours := r.Pours(); pours > 0 && isOffence(r.Record) && e.mayCount(&r.Event) {
		for range pours {
			e.decide(e.buckets.Pour(&r.Event), r.Time)
		}
	}
	return e.findings
}

// end lets the counters overflow that have ended by now, each with the guard as it
// was then: what the next record tells is later.
func (e *Engine) end(now time.Time) {
	for ended := e.buckets.End(now); len(ended) > 0; {
		last, n := ended[0].Last, 1
		for n < len(ended) && ended[n].Last.Equal(last) {
			n++
		}
		e.settle(e.guard.Due(last), last)
		e.decide(ended[:n], last)
		ended = ended[n:]
	}
}

// isOffence is true for what can count against a client at all: with an address,
// and of a class that says something about it. So no scenario, however it is
// written, can ban for a fault of ours.
func isOffence(r *event.Record) bool {
	class := r.Kind.Class()
	return r.Addr.IsValid() && (class == event.Hostile || class == event.Suspect)
}

// Advance tells the engine that it is now: scenarios that end by time overflow,
// and what waited for evidence may have its answer. A time before the latest
// Record does nothing. The slice is valid until the next Step or Advance.
func (e *Engine) Advance(now time.Time) []Finding {
	e.findings = e.findings[:0]
	if e.buckets == nil {
		return nil
	}
	e.settle(e.guard.Due(now), now)
	e.decide(e.buckets.Advance(now), now)
	return e.findings
}

// Settle ends the wait of every finding, as at the end of a log that nobody
// follows. What would still wait at the time of asking is held.
func (e *Engine) Settle(asked time.Time) []Finding {
	e.findings = e.findings[:0]
	if e.buckets != nil {
		e.settle(e.guard.Settle(asked), time.Time{})
	}
	return e.findings
}

// Unban takes a person's word for a source, or for all of a network: the buckets of the
// sources and of the networks in it are emptied, what waits for the guard about them is
// dropped, and until then nothing is held against them. Of IPv6 it is the whole /64 at
// least.
func (e *Engine) Unban(network netip.Prefix, until time.Time) {
	if e.buckets == nil || !network.IsValid() {
		return
	}
	if addr := network.Addr(); network.IsSingleIP() {
		e.buckets.Forget(addr)
		e.guard.Forgive(addr, until)
	} else {
		network = atLeast64(network)
		e.buckets.ForgetNetwork(network)
		e.guard.ForgiveNetwork(network, until)
	}
	network = atLeast64(network)
	for key, w := range e.waiting {
		if about := Network(w.Alert); about.IsValid() && about.Bits() >= network.Bits() && network.Overlaps(about) {
			delete(e.waiting, key)
		}
	}
}

// atLeast64 widens a smaller network of IPv6 to its /64.
func atLeast64(network netip.Prefix) netip.Prefix {
	if addr := network.Addr(); addr.Is6() && network.Bits() > 64 {
		network = netip.PrefixFrom(addr, 64)
	}
	return network.Masked()
}

// Network returns the network that an alert is about; that of an address is of full
// length, that of an account none.
func Network(a event.Alert) netip.Prefix {
	switch a.Scope {
	case event.ScopeAccount:
		return netip.Prefix{}
	case event.ScopeRange:
		network, _ := netip.ParsePrefix(a.Value()) // of a source that is none
		return network
	}
	addr := a.Source.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen())
}

// CountSince has events before t speak for their sources only. It is part of the
// engine's state.
func (e *Engine) CountSince(t time.Time) { e.since = t }

// mayCount tells whether an event may count against its source.
func (e *Engine) mayCount(ev *event.Event) bool {
	return !ev.Time.Before(e.since) && (e.counts == nil || e.counts(ev))
}

// Waits tells whether time alone may bring findings: something waits for the
// guard's last word, or a scenario overflows by time.
func (e *Engine) Waits() bool { return e.timed || len(e.waiting) > 0 }

// Counting returns how many counters are open. At the end of a log they stay so: that
// it ends is not that their time has passed.
func (e *Engine) Counting() int {
	if !e.timed {
		return 0
	}
	return e.buckets.Counting()
}

// Guard returns the engine's guard, for questions; nil without scenarios.
func (e *Engine) Guard() *guard.Guard { return e.guard }

// Buckets returns the engine's buckets, for questions; nil without scenarios.
func (e *Engine) Buckets() *bucket.Engine { return e.buckets }
