package bucket

import (
	"net/netip"
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// keepValues puts the accounts or addresses of a finding that was held back into its
// bucket. It is then as full as if they alone had been poured.
func (e *Engine) keepValues(s *scenario.Scenario, g *group, b *bucket, k Kept) {
	leak, capacity := int64(s.LeakSpeed), s.Capacity
	l, w := e.detailOf(b)
	values := e.valuesOnce(s, k.Values)
	if w != nil { // later values count already
		values = slices.DeleteFunc(values, func(v Value) bool { return l.holds(w, e.hashOf(s, &v)) })
	}
	var alone bucket
	leaked := 0
	for i := range values {
		at := nanoseconds(values[i].At)
		if i > 0 && at >= alone.empty(leak) && at >= alone.last {
			leaked = i // the earlier ones would count again
		}
		alone.pour(at, leak, capacity)
		alone.last = max(alone.last, at)
	}
	values = values[leaked:]
	if !b.addBefore(alone, leak, capacity) {
		return
	}
	if b.total == 0 || alone.busy < b.first {
		b.first = alone.busy
	}
	for i := max(0, len(values)-e.roomFor(s, g, l)); i < len(values); i++ {
		e.keepValue(s, g, b, &values[i], k.Addr)
	}
}

// valuesOnce returns the values without those that are the same to distinct. For example,
// bob and bob@example.org are the same account.
func (e *Engine) valuesOnce(s *scenario.Scenario, values []Value) []Value {
	once := make([]Value, 0, len(values))
	for _, v := range values {
		if hash := e.hashOf(s, &v); !slices.ContainsFunc(once, func(o Value) bool { return e.hashOf(s, &o) == hash }) {
			once = append(once, v)
		}
	}
	return once
}

// roomFor returns the number of values that a bucket can take back without a loss of those
// that came since.
func (e *Engine) roomFor(s *scenario.Scenario, g *group, l layout) int {
	room := e.limits.Distinct - int(l.values)
	if g.bits != 128 {
		room = min(room, e.queueLimitOf(s)-int(l.queued))
	}
	return max(0, room)
}

// addBefore adds the level of another bucket with earlier events. It reports false if they
// have leaked since. The sum does not overflow.
func (b *bucket) addBefore(earlier bucket, leak int64, capacity int) bool {
	since := b.last
	if b.poured > 0 {
		since = b.busy
	}
	if earlier.poured == 0 || earlier.empty(leak) <= since {
		return false
	}
	b.busy, b.poured = earlier.busy, b.poured+earlier.poured
	for b.poured > 0 && b.empty(leak)-b.last > int64(capacity)*leak {
		b.poured--
	}
	return true
}

// keepValue notes a value that the level of the bucket counts already. An account was tried
// from the address of the finding.
func (e *Engine) keepValue(s *scenario.Scenario, g *group, b *bucket, v *Value, addr netip.Addr) {
	l, w := e.needDetail(b)
	hash := e.hashOf(s, v)
	if l.holds(w, hash) {
		return
	}
	e.addValue(b, l, hash)
	b.total++
	if v.First.Service != b.owner.service() {
		e.countService(b, v.First.Service)
	}
	if !b.countKind(v.First.Kind) {
		e.countMore(b, v.First.Kind)
	}
	if g.bits == 128 { // its queue would hold the address of the group only
		return
	}
	if v.Addr.IsValid() {
		addr = v.Addr
	}
	in := expression.Input{Event: &event.Event{Kind: v.First.Kind, Service: v.First.Service, Addr: addr}}
	key := addrKey(addr)
	e.enqueue(b, queued{facts: expression.FactsOf(&in), time: nanoseconds(v.At), hi: key.hi, lo: key.lo}, strideOf(s, g), e.queueLimitOf(s))
}

// hashOf returns the hash of a value as isNew has it for an event.
func (c *current) hashOf(s *scenario.Scenario, v *Value) uint64 {
	hash := v.Account.Name
	if s.DistinctField != expression.FieldAccount {
		hash = c.addrHash(distinctAddr(s, v.Addr))
	}
	return max(hash, 1) // 0 is an empty place
}

// distinctAddr returns the address that distinct counts for that of an event.
func distinctAddr(s *scenario.Scenario, addr netip.Addr) netip.Addr {
	if s.DistinctField == expression.FieldSourceBlock && addr.Is6() {
		return event.RangeOf(addr).Addr()
	}
	return addr
}
