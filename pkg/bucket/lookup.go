package bucket

import (
	"net/netip"
	"time"

	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

const (
	// lateness is how long a dead bucket is kept for late lines before it is freed.
	lateness = int64(10 * time.Minute)

	sweepPerTick  = 4096
	poursPerSweep = 16 // pours for each group that is swept

	// evictionChoice is the number of sources among which the one to evict is chosen.
	evictionChoice = 32
)

// groupOf returns the group of the current event, a new one if there is none. It returns
// 0 if there is no room or groupby fails; then the event does not count.
func (c *current) groupOf(s *scenario.Scenario) uint32 {
	by := c.networkBy(s.GroupField)
	if by == expression.NoField {
		return c.textGroup(s)
	}
	known := &c.known[by-expression.FieldSourceIP]
	if *known == 0 {
		*known = c.networkGroup(networkOf(by, c.in.Event.Addr))
	}
	return *known
}

func (c *current) networkGroup(key groupKey) uint32 {
	gi := c.groups.findNetwork(key)
	if gi == 0 {
		if !c.makeRoom() {
			return 0
		}
		gi = c.groups.add(key)
	}
	c.touch(gi)
	return gi
}

func (c *current) textGroup(s *scenario.Scenario) uint32 {
	text, ok := c.machine.Bytes(s.GroupBy)
	if !ok {
		return 0
	}
	h := c.textHash(s, text)
	gi := c.groups.findText(text, h)
	if gi == 0 {
		if !c.makeRoom() {
			return 0
		}
		gi = c.groups.addText(text, h)
	}
	c.touch(gi)
	return gi
}

// textHash returns the hash of the value of groupby. That of the login name, which most
// floods are about, is computed once a record.
func (c *current) textHash(s *scenario.Scenario, text []byte) uint64 {
	if s.GroupField == expression.FieldUsername && c.record != nil {
		return c.record.LoginUnder(&c.key)
	}
	return c.key.SumBytes(text)
}

// networkBy returns FieldSourceIP or FieldSourceRange if groupby is that of the current
// event. For anything else the text is the key.
func (c *current) networkBy(groupBy expression.Field) expression.Field {
	addr := &c.in.Event.Addr
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

// findGroup returns the group of the current event, 0 if there is none.
func (c *current) findGroup(s *scenario.Scenario) uint32 {
	if by := c.networkBy(s.GroupField); by != expression.NoField {
		return c.groups.findNetwork(networkOf(by, c.in.Event.Addr))
	}
	text, ok := c.machine.Bytes(s.GroupBy)
	if !ok {
		return 0
	}
	return c.groups.findText(text, c.key.SumBytes(text))
}

// touch notes, once a pour, that the current event counts for the group.
func (c *current) touch(gi uint32) {
	if g := c.groups.At(gi); g.used != uint32(c.pours) {
		g.used = uint32(c.pours)
		c.remember(g)
	}
}
