package engine

import (
	"encoding/binary"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// Edge joins the lines of a host that is judged elsewhere. It leaves out records that no
// Judge needs, and gives the others a place in the host's order. Use it from one
// goroutine at a time.
//
//	edge := engine.NewEdge(key)
//	facts = edge.Take(record, facts) // for each Record of the host's logs
//	facts = edge.Reach(now, facts)   // when the logs are silent
type Edge struct {
	join    *Join
	through time.Time // no later fact has an earlier place
}

// NewEdge returns an Edge without state. The key is the secret for the hashes of names
// that clients send.
func NewEdge(key event.HashKey) *Edge { return &Edge{join: NewJoin(key)} }

// Take takes the next Record, and appends to facts the part of it that travels. The new
// facts share text with the Record.
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

// Reach declares that no line earlier than through will come, and appends to facts the
// offences that have waited long enough for the end of their session. A time before the
// latest Record has no effect.
func (e *Edge) Reach(through time.Time, facts []wire.Fact) []wire.Fact {
	if through.Before(e.through) {
		return facts
	}
	return e.place(e.join.Expire(through), through, facts)
}

// End ends the host's logs: it appends to facts the offences that still wait. Each counts
// from the end of its wait, but no later than asked.
func (e *Edge) End(asked time.Time, facts []wire.Fact) []wire.Fact {
	return e.place(e.join.End(asked), asked, facts)
}

// place gives places to offences that were released without a line.
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

// Restore replaces the state by that of AppendSnapshot. After an error the Edge must not
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
