package report

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"
)

// seeds are the secret of a table of addresses. They keep clients from choosing addresses
// that collide.
type seeds [2]uint64

func newSeeds() seeds {
	seed := maphash.MakeSeed()
	return seeds{maphash.Comparable(seed, 0), maphash.Comparable(seed, 1)}
}

// hash returns the hash of an address. The secret is in both factors: a client that made
// one of them 0 would be found in one place with all its networks.
func (s *seeds) hash(hi, lo uint64) uint32 {
	a, b := bits.Mul64(hi^s[0], lo^s[1])
	a, b = bits.Mul64(a^b, s[0]|1)
	return uint32(a ^ b)
}

// halves returns the two halves of an address in its IPv6 form.
func halves(addr netip.Addr) (hi, lo uint64) {
	raw := addr.As16()
	return binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
}
