package scenario

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/event"
)

// Overflow is a bucket that ran over, told of one of its sources.
type Overflow struct {
	Scenario *Scenario
	Scope    string       // Ip, Range, or a word of the scenario's own
	Value    string       // of the scope, as CrowdSec would have it
	Addr     netip.Addr   // of the scope Ip; else the first of Sources
	Network  netip.Prefix // of the scope Range, if Value is one
	Account  string       // Value of any other scope

	// Sources are the addresses that the bucket holds for Value, sorted. A bucket
	// holds its newest capacity+1 events.
	Sources []netip.Addr

	Count    int       // events poured, those that have leaked among them
	First    time.Time // of the first event
	Last     time.Time // of the overflow
	Kinds    []event.Count
	KindSet  KindSet // that the scenario counts
	Services []string

	// Evidence is a sample, the oldest first: the newest events of the bucket's
	// key. They are copies. An old one may hold no more than time, kind, service
	// and, where the key is an address, that.
	Evidence []event.Event
}

// overflow tells of a bucket that ran over and empties it. What overflow_filter
// drops silences nothing; an overflow without a source silences all the same
// (pkg/leakybucket/bucket.go, overflow; blackhole.go, v1.7.8). The blackhole is
// asked first, since it is cheaper and either of the two drops the overflow.
func (e *Engine) overflow(s *Scenario, gi uint32, b *bucket) {
	silent := b.extra != 0 && e.extras.at(b.extra).blackhole > b.last
	if !silent && (s.overflowFilter == nil || !e.dropped(s, b)) {
		if s.Blackhole > 0 {
			e.extraOf(b).blackhole = b.last + int64(s.Blackhole)
		}
		e.tell(s, e.groups.at(gi), b)
	}
	e.restart(b)
}

// dropped runs overflow_filter; one that fails drops nothing. It is about the
// bucket and sees no event at hand.
func (e *Engine) dropped(s *Scenario, b *bucket) bool {
	m := e.aboutBucket(s, b)
	m.in = &input{ev: &event.Event{Time: stamp(b.last)}}
	value, ok := m.decide(s.overflowFilter)
	m.in = &e.in
	return ok && !value
}

// tell appends an Overflow for each value of the scope that the queue holds, in
// the order of their first events. If the scope needs an address and an event has
// none, there is nobody to tell of.
func (e *Engine) tell(s *Scenario, g *group, b *bucket) {
	if g.bits == 128 && (s.Scope == string(event.ScopeIP) || b.extra == 0 || e.extras.at(b.extra).queueLen == 0) {
		e.out = append(e.out, e.told(s, g, b, e.valueOf(s, g, 0, g.key().addr()), []netip.Addr{g.key().addr()}))
		return
	}
	var values []string
	sources := map[string][]netip.Addr{}
	nobody := false
	e.queued(b, func(ci uint32, c *cell) {
		addr := c.addr()
		if !addr.IsValid() && (s.Scope == string(event.ScopeIP) || s.Scope == string(event.ScopeRange)) {
			nobody = true
			return
		}
		value := e.valueOf(s, g, ci, addr)
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
		if addr.IsValid() && !slices.Contains(sources[value], addr) {
			sources[value] = append(sources[value], addr)
		}
	})
	if nobody {
		return
	}
	for _, value := range values {
		slices.SortFunc(sources[value], netip.Addr.Compare)
		e.out = append(e.out, e.told(s, g, b, value, sources[value]))
	}
}

// valueOf is the value of the scope for one queued event.
func (e *Engine) valueOf(s *Scenario, g *group, ci uint32, addr netip.Addr) string {
	switch {
	case s.Scope == string(event.ScopeIP), s.scopeField == fieldSourceIP:
		return addrText(addr)
	case s.scopeField == fieldSourceBlock:
		return blockText(addr)
	case s.scopeField == fieldSourceRange && addr.IsValid():
		return rangeOf(addr).String()
	case s.isPlainScope() && g.bits == isText:
		return *e.groups.texts.at(uint32(g.lo))
	}
	if kept := e.events[ci]; kept != nil {
		in := input{ev: &kept.Event}
		if e.set.shapes {
			in.shape = shapeOf(in.ev)
		}
		m := machine{in: &in}
		return m.text(s.scope)
	}
	return ""
}

func (e *Engine) told(s *Scenario, g *group, b *bucket, value string, sources []netip.Addr) Overflow {
	o := Overflow{
		Scenario: s, Scope: s.Scope, Value: value, Sources: sources, Count: int(b.total),
		First: stamp(b.first), Last: stamp(b.last), Kinds: e.kindsOf(b), KindSet: s.Kinds,
		Services: servicesOf(b.services), Evidence: e.evidenceOf(g, s.Kinds, b.first),
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

// kindsOf returns how often each kind was poured, the most frequent first.
func (e *Engine) kindsOf(b *bucket) []event.Count {
	var counts []event.Count
	for i, n := range b.kindCounts {
		if n > 0 {
			counts = append(counts, event.Count{Name: b.kinds[i].String(), N: int(n)})
		}
	}
	if b.extra != 0 {
		for ci := e.extras.at(b.extra).kinds; ci != 0; ci = e.cells.at(ci).next {
			c := e.cells.at(ci)
			counts = append(counts, event.Count{Name: c.info.kind().String(), N: int(c.a)})
		}
	}
	slices.SortFunc(counts, func(a, b event.Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	return counts
}

func servicesOf(set uint8) []string {
	var names []string
	for s := event.NoService + 1; s <= event.SSHD; s++ {
		if set&(1<<s) != 0 {
			names = append(names, s.String())
		}
	}
	slices.Sort(names)
	return names
}
