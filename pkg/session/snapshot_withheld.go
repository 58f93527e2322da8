package session

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

func (c *codec) withheldKey(k *withheldKey) {
	c.processKey(&k.processKey)
	c.kind(&k.kind)
}

// withheld takes an offence, with the texts that an alert may show.
func (c *codec) withheld(w *withheld) { c.offence(&w.record) }

// crossed takes the end of a connection that waits for its reason.
func (c *codec) crossed(r *event.Record) {
	c.offence(r)
	wire.Numbers(&c.Codec, &r.Password)
}

// doubted takes a line that may be a copy, and the end of its wait.
func (c *codec) doubted(w *doubtedLine) {
	c.offence(&w.record)
	c.Int64s(&w.until)
}

func (c *codec) offence(r *event.Record) {
	c.service(&r.Service)
	c.kind(&r.Kind)
	wire.Enum(&c.Codec, &r.Phase, event.LastPhase)
	wire.Enum(&c.Codec, &r.Cause, event.LastCause)
	c.Int64s(&r.Line)
	c.SignedInts(&r.PID, &r.Attempts, &r.Withdrawn)
	at := r.Time.UnixNano()
	c.Int64s(&at)
	c.PlainAddr(&r.Addr)
	for _, text := range withheldTexts(&r.Event) {
		c.Text(text)
	}
	if c.Reading {
		r.Outcome, r.Time = event.Noted, time.Unix(0, at).UTC()
	}
}

// withheldTexts lists the texts of an event in the order of a snapshot.
func withheldTexts(e *event.Event) [12]*string {
	return [...]*string{
		&e.ClientName, &e.Session, &e.Program, &e.Host, &e.User, &e.Reason, &e.Code, &e.Message,
		&e.Helo, &e.Sender, &e.Recipient, &e.Mechanism,
	}
}
