package bucket

import (
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// Overflow reports, for one source, that a bucket overflowed.
type Overflow struct {
	Scenario *scenario.Scenario
	Scope    string       // Ip, Range, or a word of the scenario's own
	Value    string       // of the scope, in CrowdSec's form
	Addr     netip.Addr   // of the scope Ip; else the first of Sources
	Network  netip.Prefix // of the scope Range, if Value is one
	Account  string       // Value of any other scope

	// Sources are the addresses that the bucket holds for Value, sorted. A bucket
	// holds its newest capacity+1 events.
	Sources []netip.Addr

	Blackhole Blackhole // the one that it began

	Count    int       // events poured, including those that have leaked
	First    time.Time // of the first event
	Last     time.Time // of the overflow
	Kinds    []event.Count
	KindSet  event.KindSet // that the scenario counts
	Services []string

	// Evidence is a sample, the oldest first: the newest events of the bucket's
	// key. They are copies. An old one may hold no more than time, kind, service
	// and, where the key is an address, that.
	Evidence []event.Event
}

// overflow reports that a bucket overflowed at a time, which is that of its last event
// unless it is a counter, and empties the bucket. An overflow dropped by overflow_filter
// does not start the blackhole; one without a source does (pkg/leakybucket/bucket.go,
// overflow; blackhole.go, v1.7.8). The blackhole is checked first, since it is cheaper
// and either of the two drops the overflow.
func (e *Engine) overflow(s *scenario.Scenario, g *group, b *bucket, at int64) {
	isReported := e.silentUntil(b) <= at && (s.OverflowFilter == nil || !e.dropped(s, b, at))
	b.last = max(b.last, at)
	if isReported {
		e.hole = e.blackhole(s, g, b, at)
		e.emitOverflows(s, g, b)
	}
	e.restart(b)
}

// dropped runs overflow_filter. A filter that fails drops nothing. It is about the bucket
// and has no current event.
func (c *current) dropped(s *scenario.Scenario, b *bucket, at int64) bool {
	c.turnTo()
	c.nobody = event.Event{Time: stamp(at)}
	c.machine.In = &expression.Input{Event: &c.nobody}
	value, ok := c.decide(s, b, s.OverflowFilter)
	c.machine.In = &c.in
	return ok && !value
}

// emitOverflows appends an Overflow for each value of the scope in the queue, in the order of
// their first events. An event without an address, or for which the expression fails, is
// left out.
func (e *Engine) emitOverflows(s *scenario.Scenario, g *group, b *bucket) {
	l, w := e.detailOf(b)
	if g.bits == 128 && (s.Scope == string(event.ScopeIP) || l.queued == 0) {
		addr := g.key().addr()
		if value, ok := e.valueOf(s, g, queued{}, addr); ok {
			e.out = append(e.out, e.newOverflow(s, g, b, value, []netip.Addr{addr}))
		}
		return
	}
	parties := e.parties[:0]
	defer func() {
		clear(parties)
		e.parties = parties
	}()
	for n := range int(l.queued) {
		q := queuedOf(l.nth(w, n))
		addr := q.addr()
		if g.bits == 128 && q.facts.HasAddr() {
			addr = g.key().addr()
		}
		if !addr.IsValid() && (s.Scope == string(event.ScopeIP) || s.Scope == string(event.ScopeRange)) {
			return
		}
		value, ok := e.valueOf(s, g, q, addr)
		if !ok {
			return
		}
		parties = join(parties, value, addr)
	}
	for _, p := range parties {
		slices.SortFunc(p.sources, netip.Addr.Compare)
		e.out = append(e.out, e.newOverflow(s, g, b, p.value, p.sources))
	}
}

// party is one value of the scope with its addresses.
type party struct {
	value   string
	sources []netip.Addr
}

// join adds an address to the party of its value.
func join(parties []party, value string, addr netip.Addr) []party {
	at := slices.IndexFunc(parties, func(p party) bool { return p.value == value })
	if at < 0 {
		at, parties = len(parties), append(parties, party{value: value})
	}
	if p := &parties[at]; addr.IsValid() && !slices.Contains(p.sources, addr) {
		p.sources = append(p.sources, addr)
	}
	return parties
}

// valueOf returns the value of the scope for one queued event. It reports false if the
// expression fails.
func (e *Engine) valueOf(s *scenario.Scenario, g *group, q queued, addr netip.Addr) (value string, ok bool) {
	switch {
	case s.Scope == string(event.ScopeIP), s.ScopeField == expression.FieldSourceIP:
		return expression.AddrText(addr), true
	case s.ScopeField == expression.FieldSourceBlock:
		return expression.BlockText(addr), true
	case s.ScopeField == expression.FieldSourceRange && addr.IsValid():
		return event.RangeOf(addr).String(), true
	case s.IsPlainScope() && g.bits == isText:
		return e.groups.texts.shown(textRef(g.lo)), true
	}
	if q.event == 0 {
		return "", true
	}
	in := expression.Input{Event: &e.events.At(q.event).Event}
	if e.set.NeedsShapes() {
		in.Shape = expression.ShapeOf(in.Event)
	}
	m := expression.Machine{In: &in}
	return m.Text(s.ScopeValue)
}

// serviceNames returns the names of services. The list is shared: nobody writes to it.
func (e *Engine) serviceNames(services event.ServiceSet) []string {
	names, known := e.names[services]
	if !known {
		names = slices.Clip(services.Names())
		e.names[services] = names
	}
	return names
}

// newOverflow makes the Overflow of one value.
func (e *Engine) newOverflow(s *scenario.Scenario, g *group, b *bucket, value string, sources []netip.Addr) Overflow {
	o := Overflow{
		Scenario: s, Scope: s.Scope, Value: value, Sources: sources, Blackhole: e.hole, Count: int(b.total),
		First: stamp(b.first), Last: stamp(b.last), Kinds: e.kindsOf(b), KindSet: s.Kinds,
		Services: e.serviceNames(e.servicesOf(b)), Evidence: e.evidenceOf(g, s.Kinds, b.first),
	}
	if len(sources) > 0 {
		o.Addr = sources[0]
	}
	switch s.Scope {
	case string(event.ScopeIP):
	case string(event.ScopeRange):
		o.Network, _ = netip.ParsePrefix(value)
	default:
		o.Account = value
	}
	return o
}
