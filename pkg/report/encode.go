package report

import (
	"net/netip"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// The kinds of entries of a Collector and an Aftermath. Their numbers are stored.
const (
	entryEvents uint8 = iota + 64
	entrySource
	entryFinding
	entryBan
	entryBroken
	entryOthers
)

// Write writes the content of a Collector, for Entry of another one.
func (c *Collector) Write(w *wire.Frames) {
	w.Add(entryEvents, func(b *wire.Codec) { signed(b, &c.events) })
	if c.others != (Others{}) {
		w.Add(entryOthers, func(b *wire.Codec) { signed(b, &c.others.Attempts, &c.others.Findings) })
	}
	words := newWords()
	for s := range c.sources.all {
		words.sum(s)
		one := s.state()
		w.Add(entrySource, one.encode)
	}
	for _, f := range c.findings.order {
		one := f.state()
		w.Add(entryFinding, one.encode)
	}
}

// Entry adds an entry that another Collector wrote, and reports whether it knows its kind.
// See Merge for the order.
func (c *Collector) Entry(kind uint8, b *wire.Codec) (known bool) {
	switch kind {
	case entryEvents:
		n := 0
		signed(b, &n)
		c.events += n
	case entryOthers:
		var more Others
		signed(b, &more.Attempts, &more.Findings)
		c.addOthers(more)
	case entrySource:
		var one SourceState
		if one.encode(b); b.Err == nil {
			c.mergeSource(&one)
		}
	case entryFinding:
		var one FindingState
		if one.encode(b); b.Err == nil {
			c.mergeFinding(&one)
		}
	default:
		return false
	}
	return true
}

func (s *SourceState) encode(c *wire.Codec) {
	c.Addr(&s.Addr)
	signed(c, &s.Count, &s.Hostile)
	wire.List(c, &s.Kinds, func(k *event.Count) { c.Text(&k.Name); signed(c, &k.N) })
	c.Time(&s.First)
	c.Time(&s.Last)
	wire.List(c, &s.Users, c.Text)
	wire.List(c, &s.Services, c.Text)
}

func (s *FindingState) encode(c *wire.Codec) {
	c.Text(&s.Scenario)
	c.Text(&s.Scope)
	c.Text(&s.Account)
	c.Addr(&s.Source)
	signed(c, &s.Bits, &s.Count)
	c.Time(&s.First)
	c.Time(&s.Last)
	c.Time(&s.At)
	c.Time(&s.Since)
	c.Text(&s.Action)
	c.Text(&s.Rule)
	c.Text(&s.Reason)
}

// signed takes numbers of which few are below 0.
func signed(c *wire.Codec, all ...*int) {
	for _, p := range all {
		*p = int(c.Number(uint64(*p)))
	}
}

// Write writes the content of an Aftermath, for Entry of another one.
func (a *Aftermath) Write(w *wire.Frames) {
	state := a.State()
	for i := range state.Bans {
		w.Add(entryBan, state.Bans[i].encode)
	}
	for i := range state.Broken {
		w.Add(entryBroken, func(c *wire.Codec) { c.Addr(&state.Broken[i]) })
	}
}

// Entry adds an entry that another Aftermath wrote, and reports whether it knows its kind.
func (a *Aftermath) Entry(kind uint8, c *wire.Codec) (known bool) {
	switch kind {
	case entryBan:
		var one BanState
		if one.encode(c); c.Err == nil {
			a.add(&one)
		}
	case entryBroken:
		var addr netip.Addr
		if c.Addr(&addr); c.Err == nil {
			a.broken[addr] = true
		}
	default:
		return false
	}
	return true
}

func (s *BanState) encode(c *wire.Codec) {
	c.Prefix(&s.Value)
	c.Time(&s.Since)
	c.Time(&s.Until)
	c.Text(&s.Scenario)
	c.Bools(&s.Good)
}
