package bucket

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"csmail/pkg/scenario"
)

// groupKey is the value by which a bucket counts: a network (an address has full length),
// or a text. All buckets of the same key belong to one group.
type groupKey struct {
	hi, lo uint64
	bits   uint8 // of the network in its IPv6 form, 1-128; isText for a text
}

// isText marks the key of a text: lo is its textRef, hi its keyed hash.
const isText = 255

// addrKey returns the key of a single address.
func addrKey(addr netip.Addr) groupKey {
	raw := addr.As16()
	return groupKey{hi: binary.BigEndian.Uint64(raw[:8]), lo: binary.BigEndian.Uint64(raw[8:]), bits: 128}
}

// rangeKey returns the key of the /24 or /64 of a valid address.
func rangeKey(addr netip.Addr) groupKey {
	key := addrKey(addr)
	if addr.Is4() {
		key.lo, key.bits = key.lo&^0xff, 96+24
	} else {
		key.lo, key.bits = 0, 64
	}
	return key
}

// addr returns the address of a key, the first one of a network.
func (k groupKey) addr() netip.Addr { return addrFrom(k.hi, k.lo) }

func addrFrom(hi, lo uint64) netip.Addr {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], hi)
	binary.BigEndian.PutUint64(raw[8:], lo)
	return netip.AddrFrom16(raw).Unmap()
}

// prefix returns the network of a key.
func (k groupKey) prefix() netip.Prefix {
	addr := k.addr()
	n := int(k.bits)
	if addr.Is4() {
		n -= 96
	}
	return netip.PrefixFrom(addr, n)
}

// group is one key with its buckets and a sample of its events. It fills one cache line
// of the processor.
type group struct {
	hi, lo     uint64 // of the key
	has        uint64 // a bit for each scenario that has a bucket; the last one for all from there on
	evidence   [evidenceAtHand]reference
	more       uint32 // run of words: further evidence
	buckets    uint32 // run of them, in the order of their scenarios
	used       uint32 // number of the last pour, its last bits
	count      uint16 // of buckets
	bits       uint8  // of the key; 0: the group is free
	remembered ringCount
}

func (g *group) key() groupKey { return groupKey{g.hi, g.lo, g.bits} }

// bitOf returns the bit of a scenario in has, the last one if it is shared.
func bitOf(scenario int) (bit uint64, shared bool) {
	return 1 << min(scenario, 63), scenario >= 63
}

// place returns the index of a scenario's bucket among those of the group, or the index
// where it belongs.
func (g *group) place(buckets []bucket, scenario int) (at int, found bool) {
	bit, shared := bitOf(scenario)
	at = bits.OnesCount64(g.has & (bit - 1))
	if !shared {
		return at, g.has&bit != 0
	}
	for at < len(buckets) && buckets[at].owner.scenario() < scenario {
		at++
	}
	return at, at < len(buckets) && buckets[at].owner.scenario() == scenario
}

// keep updates has.
func (g *group) keep(buckets []bucket) {
	g.count, g.has = uint16(len(buckets)), 0
	for i := range buckets {
		bit, _ := bitOf(buckets[i].owner.scenario())
		g.has |= bit
	}
}

// bucketsOf returns the buckets of a group, in the order of their scenarios. They
// are valid until one is added to any group.
func (m *memory) bucketsOf(g *group) []bucket {
	if g.count == 0 {
		return nil
	}
	return m.buckets.At(g.buckets, int(g.count))
}

// bucketOf finds or makes the bucket of a scenario in a group. It is valid until
// the next one is made.
func (m *memory) bucketOf(g *group, s *scenario.Scenario) *bucket {
	buckets := m.bucketsOf(g)
	at, found := g.place(buckets, int(s.Index))
	if !found {
		buckets = m.insert(g, at)
		buckets[at] = bucket{owner: owner(s.Index)}
		bit, _ := bitOf(int(s.Index))
		g.has |= bit
	}
	return &buckets[at]
}

// insert makes room for one more bucket.
func (m *memory) insert(g *group, at int) []bucket {
	n := int(g.count)
	g.buckets = m.buckets.Resize(g.buckets, n, n+1)
	g.count++
	m.open++
	buckets := m.bucketsOf(g)
	copy(buckets[at+1:], buckets[at:])
	return buckets
}

// findBucket returns the bucket of a scenario, nil if there is none.
func (m *memory) findBucket(g *group, scenario int) *bucket {
	buckets := m.bucketsOf(g)
	at, found := g.place(buckets, scenario)
	if !found {
		return nil
	}
	return &buckets[at]
}
