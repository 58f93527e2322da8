package document

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"csmail/pkg/wire"
)

// addrSet counts distinct addresses: at most so many, in eight bytes each, because there
// are thousands of sets. An IPv4 address is its own key, one of IPv6 has a hash; two that
// share it count once. The zero value is empty.
type addrSet struct {
	places []uint64 // a hash table with open addressing, a power of two long; 0: empty
	count  int
}

// keyOf returns what stands for an address in a set, never 0.
func keyOf(addr netip.Addr) uint64 {
	raw := addr.As16()
	lo := binary.BigEndian.Uint64(raw[8:])
	if addr.Is4() {
		return lo
	}
	hi := binary.BigEndian.Uint64(raw[:8])
	return (hi*0x9e3779b97f4a7c15 ^ bits.RotateLeft64(lo, 29)*0xd6e8feb86659fd93) | 1<<63
}

// add adds an address if there is room or it is there already.
func (s *addrSet) add(addr netip.Addr, most int) { s.addKey(keyOf(addr), most) }

func (s *addrSet) addKey(key uint64, most int) {
	if s.count*4 >= len(s.places)*3 {
		s.grow()
	}
	at := s.find(key)
	if s.places[at] == key || s.count >= most {
		return
	}
	s.places[at] = key
	s.count++
}

// find returns the place of a key, or the empty one where it belongs.
func (s *addrSet) find(key uint64) int {
	mask := len(s.places) - 1
	at := int(key*0x9e3779b97f4a7c15>>40) & mask
	for s.places[at] != 0 && s.places[at] != key {
		at = (at + 1) & mask
	}
	return at
}

func (s *addrSet) grow() {
	old := s.places
	s.places = make([]uint64, max(4, 2*len(old)))
	for _, key := range old {
		if key != 0 {
			s.places[s.find(key)] = key
		}
	}
}

// merge adds the addresses of another set.
func (s *addrSet) merge(o *addrSet, most int) {
	for _, key := range o.places {
		if key != 0 {
			s.addKey(key, most)
		}
	}
}

func (s *addrSet) encode(c *wire.Codec) {
	var keys []uint64
	for _, key := range s.places {
		if key != 0 {
			keys = append(keys, key)
		}
	}
	wire.List(c, &keys, func(key *uint64) { wire.Numbers(c, key) })
	if !c.Reading {
		return
	}
	for _, key := range keys {
		if key == 0 {
			c.Fail()
			return
		}
		s.addKey(key, maxPerItem)
	}
}
