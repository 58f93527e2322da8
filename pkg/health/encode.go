package health

import "csmail/pkg/wire"

func (o *outage) encode(c *wire.Codec) {
	wire.Numbers(c, &o.lastFault, &o.lost, &o.clientAt, &o.worked, &o.since)
	wire.Numbers(c, &o.client, &o.workedBy)
	c.Bools(&o.open)
	wire.List(c, &o.spans, func(s *span) { s.encode(c) })
	wire.List(c, &o.failing, func(w *witness) { w.encode(c) })
	wire.List(c, &o.heard, func(w *witness) { w.encode(c) })
	if o.open && len(o.spans) == 0 {
		c.Fail()
	}
}

func (w *witness) encode(c *wire.Codec) {
	wire.Numbers(c, &w.key, &w.account)
	wire.Numbers(c, &w.at)
}

func (e *evidence) encode(c *wire.Codec) {
	wire.Numbers(c, &e.usual)
	wire.List(c, &e.spans, func(s *span) { s.encode(c) })
}

func (s *span) encode(c *wire.Codec) {
	wire.Numbers(c, &s.start, &s.end)
	wire.Numbers(c, &s.by)
}
