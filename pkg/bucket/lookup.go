package bucket

import (
	"net/netip"
	"time"

	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

const (
	// lateness is how long after its death a bucket waits for late lines before
	// its memory is given back.
	lateness = int64(10 * time.Minute)

	sweepPerTick  = 4096
	poursPerSweep = 16 // pours for each group that is swept

	// evictionChoice is how many sources are looked at for one that may be forgotten.
	evictionChoice = 32
)

// groupOf finds or makes the group of the event at hand; 0 if there is no room, or
// groupby fails: then the event does not count.
func (e *Engine) groupOf(s *scenario.Scenario) uint32 {
	by := e.networkBy(s.GroupField)
	if by == expression.NoField {
		return e.textGroup(s)
	}
	known := &e.known[by-expression.FieldSourceIP]
	if *known == 0 {
		*known = e.networkGroup(networkOf(by, e.in.Event.Addr))
	}
	return *known
}

func (e *Engine) networkGroup(key groupKey) uint32 {
	gi := e.groups.findNetwork(key)
	if gi == 0 {
		if !e.makeRoom() {
			return 0
		}
		gi = e.groups.add(key)
	}
	e.touch(gi)
	return gi
}

func (e *Engine) textGroup(s *scenario.Scenario) uint32 {
	text, ok := e.machine.Bytes(s.GroupBy)
	if !ok {
		return 0
	}
	h := e.textHash(s, text)
	gi := e.groups.findText(text, h)
	if gi == 0 {
		if !e.makeRoom() {
			return 0
		}
		gi = e.groups.addText(text, h)
	}
	e.touch(gi)
	return gi
}

// textHash returns the hash of the value of groupby. That of the login name, which most
// floods are about, is computed once a record.
func (e *Engine) textHash(s *scenario.Scenario, text []byte) uint64 {
	if s.GroupField == expression.FieldUsername && e.record != nil {
		return e.record.LoginUnder(&e.key)
	}
	return e.key.SumBytes(text)
}

// networkBy tells whether a groupby is the address or a network of the event at
// hand: FieldSourceIP or FieldSourceRange; of anything else the text is the key.
func (e *Engine) networkBy(groupBy expression.Field) expression.Field {
	addr := &e.in.Event.Addr
	switch {
	case groupBy < expression.FieldSourceIP, groupBy > expression.FieldSourceRange, !addr.IsValid():
		return expression.NoField
	case groupBy != expression.FieldSourceBlock:
		return groupBy
	case addr.Is4():
		return expression.FieldSourceIP
	}
	return expression.FieldSourceRange
}

func networkOf(by expression.Field, addr netip.Addr) groupKey {
	if by == expression.FieldSourceIP {
		return addrKey(addr)
	}
	return rangeKey(addr)
}

// findGroup is groupOf without making one.
func (e *Engine) findGroup(s *scenario.Scenario) uint32 {
	if by := e.networkBy(s.GroupField); by != expression.NoField {
		return e.groups.findNetwork(networkOf(by, e.in.Event.Addr))
	}
	text, ok := e.machine.Bytes(s.GroupBy)
	if !ok {
		return 0
	}
	return e.groups.findText(text, e.key.SumBytes(text))
}

// touch notes, once a pour, that the event at hand counts for the group.
func (e *Engine) touch(gi uint32) {
	if g := e.groups.At(gi); g.used != uint32(e.pours) {
		g.used = uint32(e.pours)
		e.remember(g)
	}
}
