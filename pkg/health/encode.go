package health

import "csmail/pkg/wire"

// encode writes or reads what was observed; the limits come from the configuration.
func (s *Site) encode(c *wire.Codec) {
	c.Text(&s.name)
	wire.Numbers(c, &s.heard)
	c.Bools(&s.dovecot)
	for i := range s.logins {
		s.logins[i].encode(c)
	}
	s.tables.encode(c)
	s.refusals.encode(c)
	s.resolver.encode(c)
	s.lists.encode(c)
}

func (s *service) encode(c *wire.Codec) {
	s.sure.encode(c)
	s.doubt.encode(c)
	s.flow.encode(c)
	wire.Numbers(c, &s.lastIn, &s.otherIn)
	wire.Numbers(c, &s.lastInBy)
}

func (t *troubled) encode(c *wire.Codec) {
	wire.Numbers(c, &t.lastFault, &t.lost)
	c.Bools(&t.open)
	wire.List(c, &t.spans, func(s *span) { s.encode(c) })
	if t.open && len(t.spans) == 0 {
		c.Fail()
	}
}

func (o *outage) encode(c *wire.Codec) {
	o.troubled.encode(c)
	wire.Numbers(c, &o.since)
	wire.List(c, &o.failing, func(w *witness) { w.encode(c) })
	wire.List(c, &o.heard, func(w *witness) { w.encode(c) })
}

func (w *witness) encode(c *wire.Codec) {
	wire.Numbers(c, &w.key, &w.account)
	wire.Numbers(c, &w.at)
}

func (d *doubt) encode(c *wire.Codec) {
	d.troubled.encode(c)
	wire.List(c, &d.signs, func(s *sign) {
		wire.Numbers(c, &s.id)
		wire.Numbers(c, &s.at)
		c.Bools(&s.regular, &s.believed)
	})
	wire.List(c, &d.words, func(w *word) {
		wire.Numbers(c, &w.id)
		wire.Numbers(c, &w.first, &w.last)
		c.Bools(&w.burnt)
	})
}

func (e *evidence) encode(c *wire.Codec) {
	wire.Numbers(c, &e.usual)
	c.Bools(&e.broken)
	wire.List(c, &e.spans, func(s *span) { s.encode(c) })
}

func (s *span) encode(c *wire.Codec) {
	wire.Numbers(c, &s.start, &s.end)
	wire.Numbers(c, &s.by)
}
