// Package guard holds the reasons not to ban: addresses that are never banned, sources
// with a proof, stale passwords, outages of the mail server's own services.
//
// A ban of the wrong address costs somebody their mail, and the events of honest clients
// often look like attacks. For example, a phone with an old password fails every few
// minutes for days. So the guard watches every witness and event of the log in order, and
// answers each scenario's finding with a verdict and its reason (docs/safety.md).
//
// It gets the facts about the host as values. It goes by the times of the events, is
// synchronous, bounded in memory, keeps no text of the log (of an account only a hash),
// and looks nothing up.
package guard

import (
	"net/netip"
	"slices"
)

// Facts are addresses and networks that are known to be friendly.
type Facts struct {
	Own        []netip.Addr   // addresses of this host's interfaces
	MyNetworks []netip.Prefix // Postfix's mynetworks
	Allow      []netip.Prefix // guard.allow of the configuration
	Relays     []netip.Prefix // guard.relays: backup MX, forwarders, webmail
	Trusted    []netip.Prefix // of proxies and webmail that Postfix or Dovecot trusts to name the client
	Allowlists []netip.Prefix // the LAPI's allowlists
	Named      []Named        // what guard.allow_names lead to
}

// Named is a network that a host name leads to.
type Named struct {
	Name    string
	Network netip.Prefix
}

// special are the networks of IANA's special-purpose registries (RFC 6890) in which no
// client on the Internet has its address.
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

// rule is a network that is never banned, and why.
type rule struct {
	network netip.Prefix
	reason  string
}

// rules returns all networks that are never banned.
func rules(f Facts) []rule {
	var all []rule
	for _, s := range special {
		all = append(all, rule{netip.MustParsePrefix(s.network), s.reason})
	}
	for _, own := range f.Own {
		own = own.Unmap().WithZone("")
		all = append(all, rule{netip.PrefixFrom(own, own.BitLen()), "address of this host"})
	}
	for _, list := range [...]struct {
		networks []netip.Prefix
		reason   string
	}{
		{f.MyNetworks, "in mynetworks of Postfix"},
		{f.Allow, "in guard.allow"},
		{f.Relays, "in guard.relays"},
		{f.Trusted, "trusted as a proxy by Postfix or Dovecot"},
		{f.Allowlists, "on an allowlist of CrowdSec"},
	} {
		for _, n := range list.networks {
			all = append(all, rule{unmapped(n.Masked()), list.reason})
		}
	}
	for _, n := range f.Named {
		all = append(all, rule{unmapped(n.Network.Masked()), "of the name " + n.Name + " in guard.allow_names"})
	}
	return all
}

// unmapped turns a network of IPv4-mapped IPv6 addresses into one of IPv4 addresses,
// since clients have unmapped addresses. For example, Debian's mynetworks holds
// ::ffff:127.0.0.0/104.
func unmapped(n netip.Prefix) netip.Prefix {
	const mapping = 96 // bits of ::ffff:0:0
	if !n.Addr().Is4In6() || n.Bits() < mapping {
		return n
	}
	return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-mapping)
}

// Never reports whether an address is never banned, and why.
func (k *knowledge) Never(addr netip.Addr) (reason string, held bool) {
	if !addr.IsValid() || !k.matcher.has(addr) {
		return "", false
	}
	i := slices.IndexFunc(k.never, func(r rule) bool { return r.network.Contains(addr) })
	if i < 0 {
		return "", false
	}
	return k.never[i].reason, true
}

// ownLasts is how long an address is a server's own since its Dovecot last named it, in
// seconds.
const ownLasts = 30 * day

// isOwn reports whether the source is a server whose log is read: its Dovecot named the
// address of a client as its own. So it is known on a host that only reads the logs of
// others, too. For example, a webmail logs in at the public address of its host.
func (k *knowledge) isOwn(s *source) bool { return isWithin(s.own, k.now, ownLasts) }

// Touches reports whether a network overlaps one that is never banned, and why.
func (k *knowledge) Touches(network netip.Prefix) (reason string, held bool) {
	i := slices.IndexFunc(k.never, func(r rule) bool { return r.network.Overlaps(network) })
	if i < 0 {
		return "", false
	}
	return k.never[i].reason, true
}
