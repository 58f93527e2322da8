package state

import (
	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// errDamaged: the bytes are not in the format of this package.
var errDamaged = wire.ErrDamaged

// The versions of the stored form (see wire.StoredVersion) that added fields of this
// package.
const (
	createdSince = 2 // HistoryEntry.Created
	flowSince    = 4 // Record.Flow, Input.Lines, Input.Missed
	shortSince   = 6 // the short form of a line that only the report reads
)

// codec writes or reads the types of this package. Each has one function that lists its
// fields for both directions, so that writing and reading cannot differ.
type codec struct{ *wire.Stored }

// encode returns the bytes that the function writes.
func encode(fields func(codec)) ([]byte, error) {
	return wire.Store(func(s *wire.Stored) { fields(codec{s}) })
}

// decode makes the function read the bytes, and fails if it leaves some.
func decode(data []byte, fields func(codec)) error {
	return wire.Load(data, func(s *wire.Stored) { fields(codec{s}) })
}

// The forms of an input.
const (
	tickForm = iota
	recordForm
	flowForm // a line that only the report reads, since version 6
	inputForms
)

func formOf(in *Input) uint8 {
	switch {
	case in.Record == nil:
		return tickForm
	case in.Record.Flow != nil && in.Record.Outcome < event.Witness:
		return flowForm
	}
	return recordForm
}

// input writes or reads an input: a tick of the clock, or a record with its source.
func (c codec) input(in *Input) {
	form := formOf(in)
	wire.Numbers(&c.Codec, &form)
	if form == tickForm {
		c.Stamp(&in.Tick)
		return
	}
	if form >= inputForms || form == flowForm && c.Version < shortSince {
		c.Failf("input of form %d", form)
		return
	}
	if c.Reading {
		in.Record = new(event.Record)
	}
	c.Text(&in.Source)
	if form == flowForm {
		wire.Numbers(&c.Codec, &in.Lines, &in.Missed)
		c.ShortRecord(in.Record)
		return
	}
	c.Record(in.Record)
	if c.Version >= flowSince {
		wire.Numbers(&c.Codec, &in.Lines, &in.Missed)
		c.Flow(in.Record)
	}
}

// entry writes or reads an entry of a list.
func (c codec) entry(e *Entry) {
	c.Begin()
	c.Text(&e.ID)
	c.Alert(&e.Alert)
	c.Duration(&e.Duration)
	c.Stamp(&e.Until)
	c.Bools(&e.Simulate)
	c.SignedInts(&e.Renewal)
	c.Stamp(&e.Queued)
	c.SignedInts(&e.Tries)
	c.Stamp(&e.Refused)
	c.Text(&e.Reason)
}

// historyEntry takes an alert of the history with its outcome.
func (c codec) historyEntry(t *HistoryEntry) {
	version := c.historyHead(t)
	c.Text(&t.Reason)
	c.Stamp(&t.Sent)
	c.Alert(&t.Alert)
	c.Duration(&t.Duration)
	c.Bools(&t.Simulate)
	c.SignedInts(&t.Renewal)
	wire.List(&c.Codec, &t.Bans, c.ban)
	c.Bools(&t.Looked)
	c.Stamp(&t.Unbanned)
	if version >= createdSince {
		c.Stamp(&t.Created)
	}
}

// historyHead takes what comes first of a historyEntry.
func (c codec) historyHead(t *HistoryEntry) (version uint8) {
	version = c.Begin()
	c.Text(&t.ID)
	c.Text(&t.Number)
	wire.Enum(&c.Codec, &t.Status, lastStatus)
	return version
}

func (c codec) ban(b *Ban) {
	c.Int64s(&b.ID)
	c.Text(&b.Type)
	c.Stamp(&b.Until)
}
