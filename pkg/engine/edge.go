package engine

import (
	"encoding/binary"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// Edge is a host whose lines are judged elsewhere: it joins them, leaves out what no
// Judge looks at, and gives the rest a place in the host's order. Use it from one
// goroutine at a time.
//
//	edge := engine.NewEdge(key)
//	facts = edge.Take(record, facts) // for each Record of the host's logs
//	facts = edge.Reach(now, facts)   // when the logs are silent
type Edge struct {
	join    *Join
	through time.Time // no later fact has an earlier place
}

// NewEdge returns an Edge that has seen nothing. The key is the secret under which it
// hashes the names that clients send.
func NewEdge(key event.HashKey) *Edge { return &Edge{join: NewJoin(key)} }

// Take takes the next Record, and appends to facts what travels of it. The new facts
// share text with the Record.
func (e *Edge) Take(r *event.Record, facts []wire.Fact) []wire.Fact {
	if e.join.Waits() {
		facts = e.Reach(r.Time, facts) // before the record, which others may come before
	}
	if r.Time.After(e.through) {
		e.through = r.Time
	}
	if result := e.join.Take(r); result.Travels() {
		facts = append(facts, result.Fact(e.through))
	}
	return facts
}

// Reach says that no line comes any more from before a time, and appends to facts the
// offences that have waited long enough for the end of their session. A time before the
// latest Record does nothing.
func (e *Edge) Reach(through time.Time, facts []wire.Fact) []wire.Fact {
	if through.Before(e.through) {
		return facts
	}
	return e.place(e.join.Expire(through), through, facts)
}

// End is the end of the host's logs: it appends to facts the offences that still wait,
// each when it would have waited long enough, but not later than the time of asking.
func (e *Edge) End(asked time.Time, facts []wire.Fact) []wire.Fact {
	return e.place(e.join.End(asked), asked, facts)
}

// place gives offences that were released without a line their places.
func (e *Edge) place(released Result, through time.Time, facts []wire.Fact) []wire.Fact {
	for _, f := range released.Expired() {
		if f.Place.Before(e.through) { // of a line that came late
			f.Place = e.through
		}
		e.through = f.Place
		facts = append(facts, f)
	}
	if through.After(e.through) {
		e.through = through
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
	b = binary.BigEndian.AppendUint64(b, uint64(e.through.UnixNano()))
	return e.join.AppendSnapshot(b)
}

// Restore replaces the state by what AppendSnapshot wrote. On an error the Edge must not
// be used further.
func (e *Edge) Restore(b []byte) error {
	rest, err := readHead(b)
	if err != nil {
		return err
	}
	if len(rest) < 8 {
		return errSnapshot
	}
	e.through = time.Unix(0, int64(binary.BigEndian.Uint64(rest))).UTC()
	return e.join.Restore(rest[8:])
}
