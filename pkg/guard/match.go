package guard

import (
	"encoding/binary"
	"net/netip"
)

// matcher reports fast whether an address is in one of a few networks. It is called for
// every connection.
type matcher struct {
	v4 []mask4
	v6 []mask6
}

// mask4 is a network of IPv4 addresses.
type mask4 struct{ mask, network uint32 }

// mask6 is a network of IPv6 addresses, in two halves.
type mask6 struct{ high, low, highNetwork, lowNetwork uint64 }

func newMatcher(rules []rule) matcher {
	var m matcher
	for _, r := range rules {
		addr, length := r.network.Addr(), r.network.Bits()
		if addr.Is4() {
			mask := uint32(uint64(1<<32-1) << (32 - length))
			m.v4 = append(m.v4, mask4{mask, low32(addr) & mask})
			continue
		}
		high := ^uint64(0) << max(0, 64-length)
		low := ^uint64(0) << min(64, 128-length)
		h, l := halves(addr)
		m.v6 = append(m.v6, mask6{high, low, h & high, l & low})
	}
	return m
}

// has reports whether a network holds the address.
func (m *matcher) has(addr netip.Addr) bool {
	if addr.Is4() {
		bits := low32(addr)
		for _, n := range m.v4 {
			if bits&n.mask == n.network {
				return true
			}
		}
		return false
	}
	high, low := halves(addr)
	for _, n := range m.v6 {
		if high&n.high == n.highNetwork && low&n.low == n.lowNetwork {
			return true
		}
	}
	return false
}

func low32(addr netip.Addr) uint32 {
	raw := addr.As4()
	return binary.BigEndian.Uint32(raw[:])
}

func halves(addr netip.Addr) (high, low uint64) {
	raw := addr.As16()
	return binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
}
