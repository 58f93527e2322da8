package engine

import (
	"encoding/binary"
	"slices"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/session"
	"csmail/pkg/wire"
)

// Edge joins the lines of a host that is judged elsewhere. It leaves out records that no
// Judge needs, and gives the others a place in the host's order. Use it from one
// goroutine at a time.
//
//	edge := engine.NewEdge(key)
//	result, facts = edge.Take(record, facts) // for each Record of the host's logs
//	facts = edge.Reach(now, facts)           // when the logs are silent
type Edge struct {
	join    *Join
	through time.Time // no later fact has an earlier place
	since   time.Time // what happened before speaks for its source at the most
}

// NewEdge returns an Edge without state. The key is the secret for the hashes of names
// that clients send.
func NewEdge(key event.HashKey) *Edge { return &Edge{join: NewJoin(key)} }

// Take takes the next Record, and appends to facts what travels of it. The new facts
// share text with the Record. The Result is that of a [Join], and of use to a report.
func (e *Edge) Take(r *event.Record, facts []wire.Fact) (Result, []wire.Fact) {
	var expired []session.Release
	if e.join.Waits() { // what is over comes before the record, since others may come between
		released := e.join.Expire(r.Time)
		expired = slices.Clone(released.Released())
		facts = e.place(released, facts)
	}
	if r.Time.After(e.through) {
		e.through = r.Time
	}
	result := e.join.Take(r)
	if result.Travels() {
		f := result.Fact(e.through)
		f.Spared = e.isSpared(&f)
		facts = append(facts, f)
	}
	if len(expired) > 0 {
		earlier := *result.Earlier
		earlier.Released = append(expired, earlier.Released...)
		result.Earlier = &earlier
	}
	return result, facts
}

// isSpared reports whether what a fact is about happened before offences count.
func (e *Edge) isSpared(f *wire.Fact) bool {
	for i := range f.Released {
		if f.Released[i].Record.Time.Before(e.since) {
			return true
		}
	}
	return f.Record.Time.Before(e.since)
}

// CountSince has what happened before t speak for its sources only. It is part of the
// Edge's state.
func (e *Edge) CountSince(t time.Time) { e.since = t }

// Reach declares that no line earlier than through will come, and appends to facts the
// offences that have waited long enough for the end of their session. A time before the
// latest Record has no effect.
func (e *Edge) Reach(through time.Time, facts []wire.Fact) []wire.Fact {
	if through.Before(e.through) {
		return facts
	}
	facts = e.place(e.join.Expire(through), facts)
	e.through = through
	return facts
}

// End ends the host's logs: it appends to facts the offences that still wait. Each counts
// from the end of its wait, but no later than asked.
func (e *Edge) End(asked time.Time, facts []wire.Fact) []wire.Fact {
	return e.place(e.join.End(asked), facts)
}

// place gives offences that were released without a line their places.
func (e *Edge) place(released Result, facts []wire.Fact) []wire.Fact {
	for _, f := range released.Expired() {
		if f.Place.Before(e.through) { // of a line that came late
			f.Place = e.through
		}
		e.through = f.Place
		f.Spared = e.isSpared(&f)
		facts = append(facts, f)
	}
	return facts
}

// Through returns the time before which no later fact has its place.
func (e *Edge) Through() time.Time { return e.through }

// Waits reports whether an offence waits for the end of its session.
func (e *Edge) Waits() bool { return e.join.Waits() }

// AppendSnapshot appends the whole state to b.
func (e *Edge) AppendSnapshot(b []byte) []byte {
	b = append(b, snapshotHead()...)
	for _, t := range [...]time.Time{e.through, e.since} {
		b = binary.BigEndian.AppendUint64(b, uint64(max(t.Unix(), 0)))
		b = binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
	}
	return e.join.AppendSnapshot(b)
}

// Restore replaces the state by that of AppendSnapshot. After an error the Edge must not
// be used further.
func (e *Edge) Restore(b []byte) error {
	rest, err := readHead(b)
	if err != nil {
		return err
	}
	for _, t := range [...]*time.Time{&e.through, &e.since} {
		const size = 8 + 4
		if len(rest) < size {
			return errSnapshot
		}
		*t = time.Unix(int64(binary.BigEndian.Uint64(rest)), int64(binary.BigEndian.Uint32(rest[8:]))).UTC()
		rest = rest[size:]
	}
	return e.join.Restore(rest)
}
