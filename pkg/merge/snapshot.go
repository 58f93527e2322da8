package merge

import (
	"errors"
	"time"

	"csmail/pkg/wire"
)

// snapshotVersion is the first byte of a snapshot. Version 2 had no distrusted hosts and no
// blank ones, and is read still.
const snapshotVersion = 3

// ErrSnapshot is a snapshot that is cut or of another version.
var ErrSnapshot = errors.New("the merger's snapshot is damaged or of another version")

// AppendSnapshot appends the whole state to b. Mergers that took the same batches have
// the same snapshot.
func (m *Merger) AppendSnapshot(b []byte) []byte {
	c := &wire.Codec{B: append(b, snapshotVersion)}
	m.encode(c, snapshotVersion)
	return c.B
}

// Restore replaces the state by that of AppendSnapshot. The numbers of the Options stay.
// After an error the Merger must not be used further.
func (m *Merger) Restore(b []byte) error {
	if len(b) == 0 || b[0] < 2 || b[0] > snapshotVersion {
		return ErrSnapshot
	}
	*m = *New(Options{Late: m.late, MaxWaiting: m.most})
	c := &wire.Codec{B: b[1:], Reading: true}
	m.encode(c, b[0])
	if c.Err != nil || len(c.B) > 0 {
		return ErrSnapshot
	}
	return nil
}

func (m *Merger) encode(c *wire.Codec, version byte) {
	c.Bools(&m.strict)
	duration(c, &m.clock.now)
	c.Time(&m.clock.first)
	c.Time(&m.clock.last)
	c.Time(&m.watermark)
	c.Time(&m.released)
	all := m.all
	wire.List(c, &all, func(p **edge) {
		if c.Reading {
			*p = &edge{}
		}
		(*p).encode(c, version)
		if e := *p; c.Reading && c.Err == nil {
			m.add(e)
			if m.waiting += len(e.facts); len(e.facts) > 0 {
				m.push(e)
			}
		}
	})
}

func (e *edge) encode(c *wire.Codec, version byte) {
	c.Text(&e.name)
	c.Text(&e.origin)
	c.Bools(&e.expected, &e.isHeard, &e.ended)
	if version > 2 {
		c.Bools(&e.distrusted, &e.known, &e.blank)
	} else if c.Reading {
		e.known = e.isHeard
	}
	wire.Numbers(c, &e.epoch, &e.next, &e.lateFacts, &e.gaps, &e.repeated, &e.lost)
	duration(c, &e.heard)
	duration(c, &e.lag)
	c.Time(&e.through)
	c.Time(&e.last)
	duration(c, &e.skew.shift)
	wire.List(c, &e.skew.offsets, func(d *time.Duration) { duration(c, d) })
	chunks := (len(e.facts) - e.head + chunk - 1) / chunk
	c.Ints(&chunks)
	for i := 0; i < chunks && c.Err == nil; i++ {
		e.encodeChunk(c, i)
	}
}

// chunk is the number of facts that are encoded together.
const chunk = 100

func (e *edge) encodeChunk(c *wire.Codec, i int) {
	var facts []wire.Fact
	var packed string
	if !c.Reading {
		from := e.head + i*chunk
		facts = e.facts[from:min(from+chunk, len(e.facts))]
		packed = string(wire.PackFacts(facts))
	}
	count := len(facts)
	c.Ints(&count)
	if c.Text(&packed); !c.Reading || c.Err != nil {
		return
	}
	facts, err := wire.UnpackFacts([]byte(packed), count)
	if err != nil || count > chunk {
		c.Fail()
		return
	}
	e.facts = append(e.facts, facts...)
}

// duration takes a duration that may be negative.
func duration(c *wire.Codec, d *time.Duration) {
	v := c.Number(uint64(*d<<1) ^ uint64(*d>>63))
	*d = time.Duration(v>>1) ^ -time.Duration(v&1)
}
