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
	Folded   bool // earlier lines have reported this attempt
	Repeated bool // the same SMTP session was refused for the same before
	Copy     bool // the log holds the line twice; it is Folded, too
	Withheld bool // counts only if its session ends without a login, and then is Released
	LoggedIn bool // the session has logged in, so it is no offence

	// Guessed is how many wrong passwords of its source came before this login, where
	// they are so many that it may be a break-in; else 0.
	Guessed int

	// Earlier is what the Record decided about earlier ones; nil for nothing. It is valid
	// until the next call of the engine that joined it.
	Earlier *session.Earlier

	// Findings are those that this Record made, and those whose wait it ended.
	// The slice is valid until the next Step; what it holds is the caller's.
	Findings []Finding
}

// maxPours bounds what one line can be worth: Dovecot's and syslog's counts may
// be anything.
const maxPours = 20

// Released returns the offences that were withheld until this Record, and count.
func (r Result) Released() []session.Release {
	if r.Earlier == nil {
		return nil
	}
	return r.Earlier.Released
}

// Excused returns the offences that were withheld until this Record, and never count.
func (r Result) Excused() []event.Record {
	if r.Earlier == nil {
		return nil
	}
	return r.Earlier.Excused
}

// Superseded returns the events that counted until this Record, and no longer do.
func (r Result) Superseded() []event.Record {
	if r.Earlier == nil {
		return nil
	}
	return r.Earlier.Superseded
}

// Pours returns how often the result counts for a scenario: once for each attempt that
// no earlier line has reported, and not at all if it is no event, only more of the
// same, or does not count yet.
func (r Result) Pours() int {
	if !r.Counts() || r.Withheld {
		return 0
	}
	return min(r.Attempts, maxPours)
}

// Counts reports whether the result is an event that is not only more of an earlier one.
// It may be withheld still.
func (r Result) Counts() bool {
	return r.Outcome == event.Noted && !r.Folded && !r.Repeated && !r.LoggedIn
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
	guessed  int                     // Guessed of the latest Record
	brokenIn map[brokenKey]time.Time // break-ins that were told of, and when

	partSizes [4]int // of the newest snapshot
}

// waiting is a finding whose verdict is pending.
type waiting struct {
	Alert     event.Alert
	Needed    int
	Blackhole bucket.Blackhole
}

// New returns an Engine that has seen nothing.
func New(o Options) *Engine {
	e := &Engine{sessions: session.NewJoiner(o.HashKey), counts: o.Counts, waiting: map[waitKey]waiting{}, brokenIn: map[brokenKey]time.Time{}}
	if o.Scenarios != nil {
		e.buckets = bucket.New(o.Scenarios, o.Limits, o.HashKey)
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
	status := e.sessions.Join(r)
	result := Result{
		Record: r, Earlier: e.sessions.Earlier(),
		Folded: status == session.Folded || status == session.Copy, Repeated: status == session.Repeat,
		Copy: status == session.Copy, Withheld: status == session.Withheld, LoggedIn: status == session.LoggedIn,
	}
	result.Findings = e.Judge(result)
	result.Guessed = e.guessed
	return result
}

// Judge does what Step does with a Record that another engine has joined, so that
// two engines can judge one log by different scenarios. The slice is valid until
// the next call.
func (e *Engine) Judge(r Result) []Finding {
	e.findings, e.guessed = e.findings[:0], 0
	if e.buckets == nil {
		return nil
	}
	e.release(r.Released())
	for i := range r.Superseded() {
		e.guard.TakeBack(&r.Superseded()[i])
	}
	if e.timed {
		e.end(r.Time)
	}
	if len(e.waiting) > 0 {
		before := r.Time.Add(-time.Second) // the log was silent until then: the record itself is later
		e.settle(e.guard.Due(before), before)
	}
	if !r.Copy && !r.Withheld && !r.LoggedIn {
		e.guard.Observe(r.Record, r.Folded || r.Repeated)
		e.breakIn(r.Record, e.guard.Guessed())
	}
	e.settle(e.guard.Due(r.Time), r.Time)
	e.pour(r.Record, r.Pours(), r.Time)
	return e.findings
}

// pour lets an offence count for the scenarios, and judges what overflows.
func (e *Engine) pour(r *event.Record, pours int, now time.Time) {
	if pours == 0 || !isOffence(r) || !e.mayCount(&r.Event) {
		return
	}
	for range pours {
		e.decide(e.buckets.Pour(&r.Event), now)
	}
}

// release lets offences count that were withheld, each at its own time.
func (e *Engine) release(released []session.Release) {
	for i := range released {
		r, at := &released[i].Record, released[i].At
		if e.timed {
			e.end(at)
		}
		e.settle(e.guard.Due(at), at)
		e.guard.Observe(r, false)
		e.pour(r, min(r.Attempts, maxPours), at)
	}
}

// EndSessions lets all offences count that are withheld, as at the end of a log that is
// read at a time. Its Result has no line of its own: it is for the Findings, and for
// the Judge of another engine.
func (e *Engine) EndSessions(asked time.Time) Result {
	e.findings = e.findings[:0]
	e.sessions.ReleaseAll(asked)
	result := Result{Record: &event.Record{}, Earlier: e.sessions.Earlier()}
	if e.buckets != nil {
		e.release(result.Released())
	}
	result.Findings = e.findings
	return result
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
	e.sessions.Expire(now)
	e.release(e.sessions.Earlier().Released)
	e.settle(e.guard.Due(now), now)
	e.decide(e.buckets.Advance(now), now)
	return e.findings
}

// Settle ends the wait of every offence and finding, as at the end of a log that is not
// followed. What would still wait at the time of asking is held.
func (e *Engine) Settle(asked time.Time) []Finding {
	e.EndSessions(asked)
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
		network = event.WidenToBlock(network)
		e.buckets.ForgetNetwork(network)
		e.guard.ForgiveNetwork(network, until)
	}
	network = event.WidenToBlock(network)
	for key, w := range e.waiting {
		if about := Network(w.Alert); about.IsValid() && about.Bits() >= network.Bits() && network.Overlaps(about) {
			delete(e.waiting, key)
		}
	}
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

// Waits reports whether time alone may bring findings: a finding waits for the guard's
// final verdict, an offence for the end of its session, or a scenario overflows by time.
func (e *Engine) Waits() bool { return e.timed || len(e.waiting) > 0 || e.sessions.Waiting() }

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
