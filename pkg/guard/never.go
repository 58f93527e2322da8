// Package guard holds the reasons not to ban: addresses that are never banned,
// and conduct that an honest user shows too. It is given facts about this host
// and about a source as values and answers with a verdict and its reason; it
// looks nothing up.
package guard

import (
	"net/netip"
	"slices"
)

// Facts are what is known about this host and its friends.
type Facts struct {
	Own        []netip.Addr   // addresses of this host's interfaces
	MyNetworks []netip.Prefix // Postfix's mynetworks
	Allow      []netip.Prefix // guard.allow of the configuration
	Relays     []netip.Prefix // guard.relays: backup MX, forwarders, webmail
}

// special are the networks that stand for no client on the Internet.
var special = [...]struct{ network, reason string }{
	{"127.0.0.0/8", "loopback address"},
	{"::1/128", "loopback address"},
	{"10.0.0.0/8", "private address"},
	{"172.16.0.0/12", "private address"},
	{"192.168.0.0/16", "private address"},
	{"fc00::/7", "private address (ULA)"},
	{"100.64.0.0/10", "carrier-grade NAT address"},
	{"169.254.0.0/16", "link-local address"},
	{"fe80::/10", "link-local address"},
	{"64:ff9b::/96", "NAT64 address"},
	{"64:ff9b:1::/48", "NAT64 address"},
	{"0.0.0.0/8", "address of no host"},
	{"::/128", "address of no host"},
	{"224.0.0.0/4", "multicast address"},
	{"ff00::/8", "multicast address"},
	{"240.0.0.0/4", "reserved address"},
}

type rule struct {
	network netip.Prefix
	reason  string
}

// Guard answers for one set of facts. It is safe for concurrent use.
type Guard struct{ never []rule }

// New returns a Guard that knows the facts and the networks that stand for no
// client on the Internet.
func New(f Facts) *Guard {
	g := &Guard{}
	for _, s := range special {
		g.never = append(g.never, rule{netip.MustParsePrefix(s.network), s.reason})
	}
	for _, own := range f.Own {
		own = own.Unmap().WithZone("")
		g.never = append(g.never, rule{netip.PrefixFrom(own, own.BitLen()), "address of this host"})
	}
	g.add(f.MyNetworks, "in mynetworks of Postfix")
	g.add(f.Allow, "in guard.allow")
	g.add(f.Relays, "in guard.relays")
	return g
}

func (g *Guard) add(networks []netip.Prefix, reason string) {
	for _, n := range networks {
		g.never = append(g.never, rule{n.Masked(), reason})
	}
}

// Never tells whether an address must not be banned whatever it does, and why.
func (g *Guard) Never(addr netip.Addr) (reason string, held bool) {
	i := slices.IndexFunc(g.never, func(r rule) bool { return r.network.Contains(addr) })
	if i < 0 {
		return "", false
	}
	return g.never[i].reason, true
}
