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

// Options are all that an Engine judges by. Without scenarios it only joins sessions.
type Options struct {
	Scenarios *scenario.Set
	// Limits bound the memory of the scenarios. With NoEvidence findings have neither
	// messages nor checks, for callers that show none.
	Limits bucket.Limits

	Guard *guard.Guard // the engine owns it; nil without scenarios

	// HashKey is the secret for the hashes of client texts. The Guard has it from its own
	// Options. A restored state brings its own.
	HashKey event.HashKey

	// Counts reports whether an event may count against its source; nil: each may. Other
	// events still count for it.
	Counts func(*event.Event) bool
}

// Judge is the second half of an Engine: it shows joined records to the guard, pours them
// into the scenarios, and asks the guard about each overflow. Its answers depend only on
// its calls and their order, so two Judges with the same calls are equal. Use it from one
// goroutine at a time.
type Judge struct {
	buckets  *bucket.Engine // nil without scenarios
	guard    *guard.Guard
	counts   func(*event.Event) bool
	timed    bool                // a scenario overflows by time
	explains bool                // findings carry message, checks and evidence
	since    time.Time           // earlier events never count against a source, only for it
	waiting  map[waitKey]waiting // findings whose verdict is pending
	findings []Finding
	guessed  int                     // Guessed of the latest Record
	brokenIn map[brokenKey]time.Time // break-ins that were reported, and when

	guardSize int // of the newest snapshot, in bytes
}

// waiting is a finding whose verdict is pending.
type waiting struct {
	Alert     event.Alert
	Needed    int
	Blackhole bucket.Blackhole
}

// NewJudge returns a Judge without state.
func NewJudge(o Options) *Judge {
	j := &Judge{counts: o.Counts, waiting: map[waitKey]waiting{}, brokenIn: map[brokenKey]time.Time{}}
	if o.Scenarios != nil {
		j.buckets = bucket.New(o.Scenarios, o.Limits, o.HashKey)
		j.timed = o.Scenarios.NeedsTime()
		j.explains = o.Limits.Texts != bucket.NoEvidence
		j.guard = o.Guard
		if j.guard == nil {
			j.guard = guard.New(guard.Facts{}, guard.Options{HashKey: o.HashKey})
		}
		j.guard.Explain(j.explains)
	}
	return j
}

// Take judges a joined line of the log. The slice is valid until the next call.
func (j *Judge) Take(r Result) []Finding { return j.takeAt(&r) }

// takeAt is Take of a Result that lies in memory: copying it costs more than a look at it.
func (j *Judge) takeAt(r *Result) []Finding {
	j.begin()
	j.take(r)
	return j.findings
}

// Warm reads what Take will read for the next Results, and changes nothing: see
// [bucket.Engine.Warm]. It takes up to WarmBatch of them.
func (j *Judge) Warm(records []*event.Record) {
	if j.buckets != nil {
		j.guard.Warm(records)
		j.buckets.Warm(records)
	}
}

// WarmBatch is how many records Warm takes at a time.
const WarmBatch = min(bucket.WarmBatch, guard.WarmBatch)

// begin forgets the findings of the call before.
func (j *Judge) begin() { j.findings, j.guessed = j.findings[:0], 0 }

// take judges a Result in the order of time: counters that ended, waits that ended, then
// the record itself.
func (j *Judge) take(r *Result) {
	if j.buckets == nil {
		return
	}
	j.release(r.Released(), r.spared)
	for i := range r.Superseded() {
		j.guard.TakeBack(&r.Superseded()[i])
	}
	if j.timed {
		j.end(r.Time)
	}
	j.settle(j.guard.DueBefore(r.Time)) // waits that ended before this record, in the silence of the log
	if !r.Copy && !r.Withheld && !r.LoggedIn {
		j.guard.Observe(r.Record, r.Folded || r.Repeated)
		j.breakIn(r.Record, j.guard.Guessed())
	}
	if len(j.waiting) > 0 {
		j.settle(moved(j.guard.Hurried(), r.Time))
	}
	if !r.spared {
		j.pour(r.Record, r.Pours(), r.Time)
	}
}

// pour pours an offence into the scenarios, and judges the overflows.
func (j *Judge) pour(r *event.Record, pours int, now time.Time) {
	if pours == 0 || !isOffence(r) || !j.mayCount(&r.Event) {
		return
	}
	for range pours {
		j.decide(j.buckets.PourRecord(r), now)
	}
}

// release pours offences that were withheld, each at its own time.
func (j *Judge) release(released []session.Release, spared bool) {
	for i := range released {
		r, at := &released[i].Record, released[i].At
		if j.timed {
			j.end(at)
		}
		j.settle(j.guard.DueBefore(at))
		j.guard.Observe(r, false)
		if !spared {
			j.pour(r, min(r.Attempts, maxPours), at)
		}
	}
}

// takeReleased judges offences that were withheld until now.
func (j *Judge) takeReleased(released []session.Release) []Finding {
	j.begin()
	if j.buckets != nil {
		j.release(released, false)
	}
	return j.findings
}

// end lets the counters that have ended by now overflow. The guard judges each at the
// time of its end, without later records.
func (j *Judge) end(now time.Time) {
	for ended := j.buckets.End(now); len(ended) > 0; {
		last, n := ended[0].Last, 1
		for n < len(ended) && ended[n].Last.Equal(last) {
			n++
		}
		j.settle(j.guard.Due(last))
		j.decide(ended[:n], last)
		ended = ended[n:]
	}
}

// isOffence reports whether an event can count against a client: it has an address, and a
// class that says something about the client. So no scenario, however it is written, can
// ban for a fault of the server.
func isOffence(r *event.Record) bool {
	class := r.Kind.Class()
	return r.Addr.IsValid() && (class == event.Hostile || class == event.Suspect)
}

// advance judges offences that were withheld until now, and passes the time.
func (j *Judge) advance(released []session.Release, now time.Time) []Finding {
	j.takeReleased(released)
	j.settle(j.guard.Due(now))
	j.decide(j.buckets.Advance(now), now)
	return j.findings
}

// Settle ends the wait of every finding, as at the end of a log that is not followed. A
// finding that would still wait at the time asked is held.
func (j *Judge) Settle(asked time.Time) []Finding { return j.settleAll(nil, asked) }

// settleAll judges offences that were withheld until now, and ends the wait of every
// finding.
func (j *Judge) settleAll(released []session.Release, asked time.Time) []Finding {
	j.takeReleased(released)
	if j.buckets != nil {
		j.settle(j.guard.Settle(asked))
	}
	return j.findings
}

// Unban grants amnesty until a time to a source, or to all of a network, on a person's
// word: the buckets of its sources and networks are emptied, and pending findings about
// them are dropped. An IPv6 network is widened to its /64.
func (j *Judge) Unban(network netip.Prefix, until time.Time) {
	if j.buckets == nil || !network.IsValid() {
		return
	}
	if addr := network.Addr(); network.IsSingleIP() {
		j.buckets.Forget(addr)
		j.guard.Forgive(addr, until)
	} else {
		network = event.WidenToBlock(network)
		j.buckets.ForgetNetwork(network)
		j.guard.ForgiveNetwork(network, until)
	}
	network = event.WidenToBlock(network)
	for key, w := range j.waiting {
		if about := Network(w.Alert); about.IsValid() && about.Bits() >= network.Bits() && network.Overlaps(about) {
			delete(j.waiting, key)
		}
	}
}

// CountSince makes events before t count for their sources only. It is part of the
// Judge's state.
func (j *Judge) CountSince(t time.Time) { j.since = t }

// mayCount reports whether an event may count against its source.
func (j *Judge) mayCount(ev *event.Event) bool {
	return !ev.Time.Before(j.since) && (j.counts == nil || j.counts(ev))
}

// Waits reports whether time alone may bring findings: one waits for the guard's final
// verdict, or a scenario overflows by time.
func (j *Judge) Waits() bool { return j.timed || len(j.waiting) > 0 }

// Counting returns the number of open counters.
func (j *Judge) Counting() int {
	if !j.timed {
		return 0
	}
	return j.buckets.Counting()
}

// Guard returns the guard, for questions; nil without scenarios.
func (j *Judge) Guard() *guard.Guard { return j.guard }

// Buckets returns the buckets, for questions; nil without scenarios.
func (j *Judge) Buckets() *bucket.Engine { return j.buckets }
