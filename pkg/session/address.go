package session

import (
	"encoding/binary"
	"net/netip"
)

// address is a netip.Addr without a zone, as plain numbers. A netip.Addr holds a pointer:
// the tables of sessions would be scanned by the garbage collector, their keys hashed
// field by field, and each new entry reported to it. The zero address is the zero Addr.
type address struct{ hi, lo, bits uint64 }

func addressOf(addr netip.Addr) address {
	if addr.Is4() {
		raw := addr.As4()
		return address{0, 0xffff<<32 | uint64(binary.BigEndian.Uint32(raw[:])), 32}
	}
	raw := addr.As16()
	return address{binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:]), uint64(addr.BitLen())}
}

func (a address) addr() netip.Addr {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], a.hi)
	binary.BigEndian.PutUint64(raw[8:], a.lo)
	switch a.bits {
	case 0:
		return netip.Addr{}
	case 32:
		return netip.AddrFrom16(raw).Unmap()
	}
	return netip.AddrFrom16(raw)
}
