package guard

import (
	"net/netip"
	"testing"
)

func TestNever(t *testing.T) {
	g := New(Facts{
		Own:        []netip.Addr{netip.MustParseAddr("192.0.2.25")},
		MyNetworks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")},
		Allow:      []netip.Prefix{netip.MustParsePrefix("2001:db8:a::/48")},
		Relays:     []netip.Prefix{netip.MustParsePrefix("203.0.113.5/32"), netip.MustParsePrefix("::ffff:203.0.113.128/121")},
	}, Options{})
	tests := map[string]string{
		"127.0.0.1": "loopback address", "::1": "loopback address", "10.1.2.3": "private address",
		"172.16.0.1": "private address", "192.168.1.1": "private address", "fd00::1": "private address (ULA)",
		"100.64.0.1": "carrier-grade NAT address", "fe80::1": "link-local address", "169.254.1.1": "link-local address",
		"64:ff9b::1": "NAT64 address", "192.0.2.25": "address of this host", "198.51.100.15": "in mynetworks of Postfix",
		"2001:db8:a::1": "in guard.allow", "203.0.113.5": "in guard.relays", "0.0.0.0": "address of no host",
		"203.0.113.128": "in guard.relays", "203.0.113.255": "in guard.relays", "203.0.113.127": "",
		"192.0.2.26": "", "198.51.100.16": "", "203.0.113.6": "", "2001:db8:b::1": "", "172.32.0.1": "", "100.128.0.1": "",
	}
	for text, want := range tests {
		reason, held := g.Never(netip.MustParseAddr(text))
		if reason != want || held != (want != "") {
			t.Errorf("%s: %q", text, reason)
		}
	}
}
