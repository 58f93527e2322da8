package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Network is an address or a network in CIDR notation.
type Network netip.Prefix

// UnmarshalYAML reads 192.0.2.1, 192.0.2.0/24 or their IPv6 twins.
func (n *Network) UnmarshalYAML(node *yaml.Node) error {
	p, err := ParseNetwork(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	*n = Network(p)
	return nil
}

// MarshalYAML writes it in CIDR notation.
func (n Network) MarshalYAML() (any, error) { return netip.Prefix(n).String(), nil }

// ParseNetwork reads an address or a network.
func ParseNetwork(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		if p.Addr().Is4In6() {
			return netip.Prefix{}, fmt.Errorf("%q is an IPv4 network written as IPv6: write it as IPv4", text)
		}
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network", text)
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Prefixes returns the networks as netip prefixes.
func Prefixes(networks []Network) []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(networks))
	for _, n := range networks {
		prefixes = append(prefixes, netip.Prefix(n))
	}
	return prefixes
}

// Duration is a time span that may be written with days, as cscli does: 36h, 7d,
// 1d12h.
type Duration time.Duration

// UnmarshalYAML reads it.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, ok := ParseDuration(node.Value)
	if !ok {
		return fmt.Errorf("line %d: %q is no duration: write it like 4h or 7d", node.Line, node.Value)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalYAML writes it.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// String writes whole days as days.
func (d Duration) String() string {
	const day = 24 * time.Hour
	span := time.Duration(d)
	if span >= day && span%day == 0 {
		return strconv.FormatInt(int64(span/day), 10) + "d"
	}
	text := span.String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}

// ParseDuration reads a Go duration that may begin with days.
func ParseDuration(text string) (time.Duration, bool) {
	var total time.Duration
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, false
		}
		total, text = time.Duration(n)*24*time.Hour, rest
		if text == "" {
			return total, true
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, false
	}
	return total + d, true
}
