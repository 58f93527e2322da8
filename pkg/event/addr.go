package event

import "net/netip"

// ParseAddr reads the address of a client as a daemon prints it. An IPv4
// address mapped into IPv6 becomes IPv4; a zone, a leading zero and everything
// that is not exactly an address is refused.
func ParseAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}
