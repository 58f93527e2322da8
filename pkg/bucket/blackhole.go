package bucket

import (
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// Blackhole is the time after an overflow in which a bucket reports no other one
// (blackhole.go of pkg/leakybucket, v1.7.8). In CrowdSec it begins whatever becomes of
// the overflow. If a guard holds the finding, for a reason that ends, the scenario would
// miss the source's next offences, so [Engine.Held] lifts it. A Blackhole may be stored.
type Blackhole struct {
	Scenario string
	Key      string // of the bucket, as it is printed
	IsText   bool   // Key is no address and no network, and perhaps cut
	Text     uint64 // then the hash of the whole text, under the engine's key
	Until    int64  // Unix nanoseconds; 0: none began
	Held     int64  // end of one that was lifted; 0: none
}

// IsAgain reports whether the overflow falls into a blackhole that was lifted, so that
// its finding was held before.
func (h Blackhole) IsAgain() bool { return h.Held != 0 }

// blackhole begins the blackhole of an overflow.
func (e *Engine) blackhole(s *scenario.Scenario, g *group, b *bucket, at int64) Blackhole {
	if s.Blackhole <= 0 {
		return Blackhole{}
	}
	h := Blackhole{Scenario: s.Name, Key: e.keyText(g), IsText: g.bits == isText, Until: at + int64(s.Blackhole)}
	if h.IsText {
		h.Text = g.hi
	}
	if held := e.heldUntil(b); held > at {
		h.Held = held
	}
	e.silence(b, h.Until)
	return h
}

// Kept is what a bucket keeps of a finding that was held.
type Kept struct {
	Attempts []Attempt // that no rule excused
	Values   []Value   // of these, if the scenario counts accounts or addresses, the oldest first
	First    time.Time // of the finding's first event
	Kind     event.Kind
	Addr     netip.Addr // of the source
}

// Attempt is the part of an event that an overflow filter may look at.
type Attempt struct {
	Kind    event.Kind
	Service event.Service
}

// Value is an account or an address that a scenario counts once, under distinct.
type Value struct {
	Account event.AccountHash // zero: the address counts
	Addr    netip.Addr        // zero: the account counts
	First   Attempt
	At      time.Time // of the first attempt
}

// Held lifts a blackhole, because the guard held the finding. The bucket reports its next
// overflow, and IsAgain is true for it until the blackhole would have ended. A bucket
// that was evicted, or has another blackhole by now, is unchanged.
//
// The attempts that no rule excused stay in the bucket of a scenario that counts nothing
// but kinds. Otherwise a client could hide its guesses between attempts that are excused,
// for example failures on an account of its own: no run of ten would hold enough of them.
// They stay in the queue, too, if an overflow filter sums up kinds. If the scenario counts
// accounts or addresses, those of the attempts stay. Any other scenario with distinct
// starts empty, because the guard does not know its values.
func (e *Engine) Held(h Blackhole, k Kept) {
	i := slices.IndexFunc(e.set.Scenarios(), func(s *scenario.Scenario) bool { return s.Name == h.Scenario })
	if h.Until == 0 || i < 0 {
		return
	}
	gi := e.groupBy(h)
	if gi == 0 {
		return
	}
	b := e.findBucket(e.groups.At(gi), int(e.set.Scenarios()[i].Index))
	if b == nil || e.silentUntil(b) != h.Until {
		return
	}
	until := h.Until
	if h.Held != 0 {
		until = h.Held
	}
	e.silence(b, -until)
	s := e.set.Scenarios()[i]
	if s.CountsNames {
		e.keepValues(s, e.groups.At(gi), b, k)
	}
	if !s.CountsKinds && !s.SumsKinds || len(k.Attempts) == 0 {
		return
	}
	kept := b.keep(k, int64(s.LeakSpeed), s.Capacity)
	if s.SumsKinds {
		e.requeue(s, e.groups.At(gi), b, k.Attempts[len(k.Attempts)-kept:], k.Addr)
	}
}

// requeue puts attempts back into the queue of a bucket.
func (e *Engine) requeue(s *scenario.Scenario, g *group, b *bucket, attempts []Attempt, addr netip.Addr) {
	key := addrKey(addr)
	for _, a := range attempts {
		in := expression.Input{Event: &event.Event{Kind: a.Kind, Service: a.Service, Addr: addr}}
		e.enqueue(b, queued{facts: expression.FactsOf(&in), hi: key.hi, lo: key.lo}, strideOf(s, g), e.queueLimitOf(s))
	}
}

// keep puts attempts back into the bucket, so many that it does not overflow, and returns
// their number.
func (b *bucket) keep(k Kept, leak int64, capacity int) int {
	if b.poured == 0 {
		b.busy = b.last
	}
	n := 0
	for ; n < len(k.Attempts) && b.empty(leak)-b.last < int64(capacity)*leak; n++ {
		b.poured++
		b.total++
	}
	first := nanoseconds(k.First)
	if b.total > 0 && (b.first == 0 || first < b.first) {
		b.first = first
	}
	if b.kinds[0] == event.NoKind {
		b.kinds[0] = k.Kind
	}
	return n
}

// groupBy returns the group of a blackhole, 0 if it is gone.
func (m *memory) groupBy(h Blackhole) uint32 {
	if h.IsText {
		return m.groups.findHash(h.Text)
	}
	if addr, err := netip.ParseAddr(h.Key); err == nil {
		return m.groups.findNetwork(addrKey(addr))
	}
	network, err := netip.ParsePrefix(h.Key)
	if err != nil {
		return 0
	}
	return m.groups.findNetwork(rangeKey(network.Addr()))
}
