package event

import (
	"encoding/binary"
	"net/netip"
)

// The prefix lengths of a network that one operator or one customer has. A provider
// gives a customer at least an IPv6 /64, and the addresses in it change daily (RFC
// 8981). An IPv4 /24 is the smallest network that is routed.
const (
	RangeBits4 = 24
	RangeBits6 = 64
)

// Block identifies a client in 64 bits: by its IPv4 address, or by the /64 of its IPv6
// address. The IPv4 address 192.0.2.1 is 0x1_c000_0201, which as IPv6 would be
// 0:1:c000:201::/64, a network without clients. The zero Block stands for no client.
type Block uint64

// BlockOf returns the block of an address without a zone that is not IPv4 mapped
// into IPv6; the zero Block if it is not valid.
func BlockOf(addr netip.Addr) Block {
	switch {
	case addr.Is4():
		raw := addr.As4()
		return 1<<32 | Block(binary.BigEndian.Uint32(raw[:]))
	case addr.Is6():
		raw := addr.As16()
		return Block(binary.BigEndian.Uint64(raw[:8]))
	}
	return 0
}

// Is4 reports whether the block is an IPv4 address.
func (b Block) Is4() bool { return b>>32 == 1 }

// Prefix returns the network of the block: of full length for an IPv4 address.
func (b Block) Prefix() netip.Prefix {
	if b.Is4() {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], uint32(b))
		return netip.PrefixFrom(netip.AddrFrom4(raw), 32)
	}
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(b))
	return netip.PrefixFrom(netip.AddrFrom16(raw), RangeBits6)
}

// RangeOf returns the network around an address, its /24 or /64; the zero Prefix if
// the address is not valid.
func RangeOf(addr netip.Addr) netip.Prefix {
	bits := RangeBits4
	if addr.Is6() {
		bits = RangeBits6
	}
	network, _ := addr.Prefix(bits)
	return network
}

// WidenToBlock widens an IPv6 network smaller than a /64 to its /64, since clients
// count by that. Any other network stays, masked.
func WidenToBlock(network netip.Prefix) netip.Prefix {
	if addr := network.Addr(); addr.Is6() && network.Bits() > RangeBits6 {
		network = netip.PrefixFrom(addr, RangeBits6)
	}
	return network.Masked()
}
