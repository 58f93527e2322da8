package engine

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/session"
	"csmail/pkg/wire"
)

// Travels reports whether a Judge needs anything but the time from the Result of a Join.
// Other Results may be left out, if the Judge gets the time in another way: see
// [wire.Fact.Place].
func (r *Result) Travels() bool {
	if r.Earlier != nil && len(r.Earlier.Released)+len(r.Earlier.Superseded) > 0 {
		return true
	}
	return r.isNeeded()
}

// isNeeded reports whether a Judge needs the Record itself.
func (r *Result) isNeeded() bool {
	if r.Copy || r.Withheld || r.LoggedIn {
		return false
	}
	if r.Kind == event.OwnRefusal && !r.Folded && session.MayRelay(r.Record) {
		return true // for the proxy of the same site, see SiteJoin
	}
	return guard.NeedOf(r.Record, r.Folded || r.Repeated)
}

// Fact returns the Result in the form that travels, with its place in the order of its
// host. It shares text with the Record, and leaves out fields that no Judge needs: of a
// connection all but the client's name, of a mail all but the client.
func (r *Result) Fact(place time.Time) wire.Fact {
	f := wire.Fact{Place: place, Folded: r.Folded, Repeated: r.Repeated}
	switch {
	case !r.isNeeded():
		f.Folded, f.Repeated = false, false
		f.Record = event.Record{Outcome: event.Witness, Event: event.Event{Time: r.Time}}
	case r.Kind == event.NoKind:
		f.Record = event.Record{
			Outcome: r.Outcome, Testimony: r.Testimony, Withdrawn: r.Withdrawn,
			Event: event.Event{Service: r.Service, Addr: r.Addr, Time: r.Time, Host: r.Host, ClientName: r.ClientName},
		}
	default:
		f.Record = *r.Record
		f.Record.Line, f.Record.Flow = 0, nil
	}
	if r.Earlier == nil {
		return f
	}
	for i := range r.Earlier.Released {
		released := &r.Earlier.Released[i]
		f.Released = append(f.Released, wire.Release{Record: released.Record, At: released.At})
	}
	f.Superseded = append(f.Superseded, r.Earlier.Superseded...)
	return f
}

// Expired returns the offences that a Join has released after their wait, each as a Fact
// of its own at the end of its wait. When many hosts are merged they are then in the same
// order as in one common log.
func (r *Result) Expired() []wire.Fact {
	var facts []wire.Fact
	for _, released := range r.Released() {
		facts = append(facts, wire.Fact{
			Place: released.At, Expired: true,
			Record:   event.Record{Outcome: event.Witness, Event: event.Event{Time: released.At}},
			Released: []wire.Release{{Record: released.Record, At: released.At}},
		})
	}
	return facts
}

// TakeFact judges a line that a Join on another host has joined. The slice is valid until
// the next call.
func (j *Judge) TakeFact(f *wire.Fact) []Finding {
	j.begin()
	if f.Place.After(f.Record.Time) {
		j.take(silence(f.Place))
	}
	result := Result{Record: &f.Record, Folded: f.Folded, Repeated: f.Repeated, spared: f.Spared}
	if len(f.Released)+len(f.Superseded) > 0 {
		earlier := &session.Earlier{Superseded: f.Superseded}
		for i := range f.Released {
			earlier.Released = append(earlier.Released, session.Release{Record: f.Released[i].Record, At: f.Released[i].At})
		}
		result.Earlier = earlier
	}
	j.take(&result)
	return j.findings
}

// TakeFact judges a fact of another host, see [Judge.TakeFact].
func (e *Engine) TakeFact(f *wire.Fact) []Finding { return e.judge.TakeFact(f) }

// JudgeUntil judges what is due, see [Judge.JudgeUntil].
func (e *Engine) JudgeUntil(now time.Time) []Finding { return e.judge.JudgeUntil(now) }

// JudgeUntil judges what is due, now that the log is known until a time. It has the effect of a
// line without content. The slice is valid until the next call.
func (j *Judge) JudgeUntil(now time.Time) []Finding {
	j.begin()
	j.take(silence(now))
	return j.findings
}

// silence is a line that carries only the time.
func silence(at time.Time) *Result {
	return &Result{Record: &event.Record{Outcome: event.Witness, Event: event.Event{Time: at}}}
}
