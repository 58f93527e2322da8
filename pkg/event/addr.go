package event

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// ShortestCut is a length in bytes at which no log system cuts a message yet. The
// shortest limit is that of busybox syslogd: 256 bytes of a line with its priority,
// stamp and tag (FEATURE_SYSLOGD_READ_BUFFER_SIZE). In a longer message the end of the
// text proves nothing. For example, it may be half an address, or a client's imitation
// of one after the daemon's own was cut off.
const ShortestCut = 180

// ParseAddr reads the address of a client as a daemon prints it. An IPv4 address mapped
// into IPv6 becomes IPv4. A zone, a leading zero or any other deviation is refused.
func ParseAddr(text string) (netip.Addr, bool) {
	if addr, ok := parseIPv4(text); ok {
		return addr, true
	}
	if strings.IndexByte(text, ':') < 0 { // no IPv6 either, and an error costs memory
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// parseIPv4 reads a plain IPv4 address, the most frequent form.
func parseIPv4(text string) (netip.Addr, bool) {
	var octets uint32
	at, value, digits := 0, 0, 0
	for i := range len(text) {
		c := text[i]
		if c == '.' {
			if digits == 0 || at == 3 {
				return netip.Addr{}, false
			}
			octets = octets<<8 | uint32(value)
			at, value, digits = at+1, 0, 0
			continue
		}
		c -= '0'
		if c > 9 || digits > 0 && value == 0 {
			return netip.Addr{}, false
		}
		value, digits = value*10+int(c), digits+1
		if value > 255 {
			return netip.Addr{}, false
		}
	}
	if at != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], octets<<8|uint32(value)) // one store: AddrFrom4 loads all four at once
	return netip.AddrFrom4(raw), true
}
