// Package engine is the one way of a line through the core. Parse turns it into a Record,
// on any core and without state. Step takes the Records in the order of the log, joins
// the lines of one attempt, shows them to the guard, pours them into the scenarios, and
// asks the guard about each overflow. Advance passes the time while logs are silent. The
// package has no I/O, no goroutine, no clock and no logger. Every command uses it, and
// differs only in the origin of the lines and the use of the results.
//
// Step consists of two halves that may run on different hosts: Join joins the lines of
// the sessions of its hosts, and Judge counts the joined records of many hosts. A Result
// passes between them, or a [wire.Fact] if it travels.
package engine

import (
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/session"
)

// Result is the outcome of a Record at its place in the log.
type Result struct {
	*event.Record
	Folded   bool // earlier lines reported this attempt
	Repeated bool // the same SMTP session had a refusal of this kind before
	Copy     bool // the log holds the line twice; it is Folded, too
	Withheld bool // counts only if its session ends without a login, and then is Released
	LoggedIn bool // the session has logged in, which excuses it

	// Guessed is the number of wrong passwords of its source before this login, if the
	// login may be a break-in; else 0.
	Guessed int

	// Earlier holds the decisions of the Record about earlier ones; nil for none. It is
	// valid until the next call of the engine that joined it.
	Earlier *session.Earlier

	spared bool // it speaks for its source at the most

	// Findings are those that this Record caused, and those whose wait it ended. The
	// slice is valid until the next Step; the caller owns its elements.
	Findings []Finding
}

// Warm may be called for the next Records before they are completed, up to WarmBatch of
// them; see [Judge.Warm].
func (e *Engine) Warm(records []*event.Record) { e.judge.Warm(records) }

// Keep makes Earlier valid for good, by a copy where there is anything to copy.
func (r *Result) Keep() {
	e := r.Earlier
	r.Earlier = nil
	if e != nil && len(e.Released)+len(e.Excused)+len(e.Superseded) > 0 {
		r.Earlier = &session.Earlier{Released: slices.Clone(e.Released), Excused: slices.Clone(e.Excused), Superseded: slices.Clone(e.Superseded)}
	}
}

// Keeper keeps the Earlier of many Results for as long as its owner wants, in memory that
// is used again. The zero value is ready.
type Keeper struct {
	kept []*session.Earlier
	used int
}

// Keep does what [Result.Keep] does, but is valid until Reset.
func (k *Keeper) Keep(r *Result) {
	e := r.Earlier
	r.Earlier = nil
	if e == nil || len(e.Released)+len(e.Excused)+len(e.Superseded) == 0 {
		return
	}
	if k.used == len(k.kept) {
		k.kept = append(k.kept, new(session.Earlier))
	}
	r.Earlier = k.kept[k.used]
	k.used++
	r.Earlier.Released = append(r.Earlier.Released[:0], e.Released...)
	r.Earlier.Excused = append(r.Earlier.Excused[:0], e.Excused...)
	r.Earlier.Superseded = append(r.Earlier.Superseded[:0], e.Superseded...)
}

// Reset ends the validity of all that was kept.
func (k *Keeper) Reset() { k.used = 0 }

// maxPours bounds what one line can be worth: Dovecot's and syslog's counts may
// be anything.
const maxPours = 20

// Released returns the offences that were withheld until this Record and now count.
func (r *Result) Released() []session.Release {
	if r.Earlier == nil {
		return nil
	}
	return r.Earlier.Released
}

// Excused returns the offences that were withheld until this Record and never count.
func (r *Result) Excused() []event.Record {
	if r.Earlier == nil {
		return nil
	}
	return r.Earlier.Excused
}

// Superseded returns the events that counted until this Record and no longer do.
func (r *Result) Superseded() []event.Record {
	if r.Earlier == nil {
		return nil
	}
	return r.Earlier.Superseded
}

// Pours returns how often the result counts for a scenario: once for each attempt that no
// earlier line has reported. It is 0 for a record without an event, for a repetition, and
// for a withheld offence.
func (r *Result) Pours() int {
	if !r.Counts() || r.Withheld {
		return 0
	}
	return min(r.Attempts, maxPours)
}

// Counts reports whether the result is an event of its own, not a repetition of an
// earlier one. It may still be withheld.
func (r *Result) Counts() bool {
	return r.Outcome == event.Noted && !r.Folded && !r.Repeated && !r.LoggedIn
}

// IsOffence reports whether the result can count against a client: it is an event with an
// address and of a class that says something about the client.
func (r *Result) IsOffence() bool { return r.Record != nil && isOffence(r.Record) }

// Engine holds both halves on one host: a Join, and the Judge of its Results. Use it from
// one goroutine at a time.
type Engine struct {
	join  *Join
	judge *Judge

	joinSize int // of the newest snapshot
}

// New returns an Engine without state.
func New(o Options) *Engine { return &Engine{join: NewJoin(o.HashKey), judge: NewJudge(o)} }

// Step takes the next Record of the log. The Result points to it.
func (e *Engine) Step(r *event.Record) Result {
	result := e.Join(r)
	e.Complete(&result)
	return result
}

// Join is the first half of Step: it returns a Result without Findings. It shares
// nothing with Complete, the second half: one goroutine may join the next Records while
// another completes the Results, in the same order.
func (e *Engine) Join(r *event.Record) Result { return e.join.Take(r) }

// JoinTo is Join for a Result that is part of something else.
func (e *Engine) JoinTo(r *Result, record *event.Record) { e.join.takeTo(r, record) }

// Complete is the second half of Step: it judges what Join returned, and adds the
// Findings. A Result that is not completed before the next Join must be kept by
// [Result.Keep].
func (e *Engine) Complete(r *Result) {
	r.Findings = e.judge.takeAt(r)
	r.Guessed = e.judge.guessed
}

// Judge does what Step does with a Record that another engine has joined, so that
// two engines can judge one log by different scenarios. The slice is valid until
// the next call.
func (e *Engine) Judge(r Result) []Finding { return e.judge.Take(r) }

// EndSessions makes all withheld offences count, as at the end of a log that is read at
// the time asked. Its Result has no line; it is for the Findings, and for the Judge of
// another engine.
func (e *Engine) EndSessions(asked time.Time) Result {
	result := e.join.End(asked)
	result.Findings = e.judge.takeReleased(result.Released())
	return result
}

// Advance passes the time to now: scenarios that end by time overflow, and waits for
// evidence may end. A time before the latest Record has no effect. The slice is valid
// until the next Step or Advance.
func (e *Engine) Advance(now time.Time) []Finding {
	if e.judge.buckets == nil {
		return nil
	}
	expired := e.join.Expire(now)
	return e.judge.advance(expired.Released(), now)
}

// Settle ends the wait of every offence and finding, as at the end of a log that is not
// followed. A finding that would still wait at the time asked is held.
func (e *Engine) Settle(asked time.Time) []Finding {
	ended := e.join.End(asked)
	return e.judge.settleAll(ended.Released(), asked)
}

// Unban grants amnesty to a source, or to a whole network; see [Judge.Unban].
func (e *Engine) Unban(network netip.Prefix, until time.Time) { e.judge.Unban(network, until) }

// CountSince makes events before t count for their sources only, never against them. It
// is part of the engine's state.
func (e *Engine) CountSince(t time.Time) { e.judge.CountSince(t) }

// Waits reports whether time alone may bring findings: a finding waits for the guard's
// final verdict, an offence for the end of its session, or a scenario overflows by time.
func (e *Engine) Waits() bool { return e.judge.Waits() || e.join.Waits() }

// Counting returns the number of open counters. The end of a log does not close them:
// event time has not advanced.
func (e *Engine) Counting() int { return e.judge.Counting() }

// Guard returns the engine's guard, for questions; nil without scenarios.
func (e *Engine) Guard() *guard.Guard { return e.judge.guard }

// Buckets returns the engine's buckets, for questions; nil without scenarios.
func (e *Engine) Buckets() *bucket.Engine { return e.judge.buckets }

// Network returns the network of an alert. For an address it has full length, for an
// account it is invalid.
func Network(a event.Alert) netip.Prefix {
	switch a.Scope {
	case event.ScopeAccount:
		return netip.Prefix{}
	case event.ScopeRange:
		network, _ := netip.ParsePrefix(a.Value()) // invalid for an unknown source
		return network
	}
	addr := a.Source.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen())
}
