package bucket

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// isNew implements distinct: it remembers the value and reports whether it is new to the
// bucket (pkg/leakybucket/uniq.go, v1.7.8). A bucket that has seen as many values as it
// may remember takes no more, so it never counts one twice. If the expression fails, the
// event counts.
func (c *current) isNew(s *scenario.Scenario, b *bucket) bool {
	value, ok := c.distinctHash(s)
	if !ok {
		return true
	}
	value = max(value, 1) // 0 is an empty place
	l, w := c.needDetail(b)
	if l.holds(w, value) || int(l.values) >= c.limits.Distinct {
		return false
	}
	c.addValue(b, l, value)
	return true
}

// holds reports whether the value was seen before.
func (l layout) holds(w []uint64, value uint64) bool {
	set := w[l.set():l.queue()]
	if l.values <= fewValues {
		return slices.Contains(set, value)
	}
	return set[placeOf(set, value)] == value
}

// placeOf returns the place of a value in a hash table, or the empty one where it
// belongs.
func placeOf(set []uint64, value uint64) int {
	mask := uint64(len(set) - 1)
	at := mix(value) & mask
	for set[at] != 0 && set[at] != value {
		at = (at + 1) & mask
	}
	return int(at)
}

func (d *details) addValue(b *bucket, from layout, value uint64) {
	to := from
	to.values++
	w := d.enlarge(b, from, to)
	set := w[to.set():to.queue()]
	if to.values <= fewValues {
		set[from.values] = value
		return
	}
	if to.setSize() != from.setSize() {
		old := slices.Clone(set[:from.setSize()])
		clear(set)
		for _, value := range old {
			if value != 0 {
				set[placeOf(set, value)] = value
			}
		}
	}
	set[placeOf(set, value)] = value
}

// distinctHash hashes the value of distinct, and reports false if there is none. An
// address needs no text.
func (c *current) distinctHash(s *scenario.Scenario) (value uint64, ok bool) {
	addr := c.in.Event.Addr
	if addr.IsValid() {
		switch s.DistinctField {
		case expression.FieldSourceIP, expression.FieldSourceBlock:
			return c.addrHash(distinctAddr(s, addr)), true
		case expression.FieldSourceRange:
			return c.addrHash(event.RangeOf(addr).Addr()), true
		}
	}
	if s.DistinctField == expression.FieldAccount && c.record != nil && c.record.User != "" {
		return c.record.AccountUnder(&c.key).Name, true
	}
	text, ok := c.machine.Bytes(s.Distinct)
	return c.key.SumBytes(text), ok
}

// addrHash hashes an address. Those of one /64 have different hashes, whatever the
// seed.
func (c *current) addrHash(addr netip.Addr) uint64 {
	raw, seed := addr.As16(), c.groups.seed
	return mix(mix(binary.BigEndian.Uint64(raw[:8])^seed) ^ binary.BigEndian.Uint64(raw[8:]))
}
