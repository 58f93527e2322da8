package event

import (
	"net/netip"
	"slices"
	"testing"
)

func TestEveryKindHasABitOfItsOwn(t *testing.T) {
	var set KindSet
	for _, k := range Kinds() {
		if set.Has(k) {
			t.Errorf("%v is in the set before it was added", k)
		}
		if set = set.With(k); !set.Has(k) {
			t.Errorf("%v is not in the set after it was added", k)
		}
	}
	if set.Has(NoKind) {
		t.Error("NoKind is in a set that it was not added to")
	}
}

func TestServiceSet(t *testing.T) {
	var set ServiceSet
	for _, s := range append(Services(), NoService) {
		set = set.With(s)
	}
	want := []string{"dovecot", "postfix", "postscreen", "sshd"}
	if got := set.Names(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if set.Has(NoService) {
		t.Error("NoService is in a set")
	}
}

func TestBlock(t *testing.T) {
	for text, want := range map[string]struct{ block, network string }{
		"192.0.2.1":         {"192.0.2.1/32", "192.0.2.0/24"},
		"255.255.255.255":   {"255.255.255.255/32", "255.255.255.0/24"},
		"2001:db8:1:2:3::4": {"2001:db8:1:2::/64", "2001:db8:1:2::/64"},
		"2001:db8::":        {"2001:db8::/64", "2001:db8::/64"},
		"0:0:0:2::1":        {"0:0:0:2::/64", "0:0:0:2::/64"},
	} {
		addr := netip.MustParseAddr(text)
		if got := BlockOf(addr).Prefix(); got != netip.MustParsePrefix(want.block) {
			t.Errorf("block of %s: got %v, want %s", text, got, want.block)
		}
		if got := RangeOf(addr); got != netip.MustParsePrefix(want.network) {
			t.Errorf("range of %s: got %v, want %s", text, got, want.network)
		}
	}
	if got := BlockOf(netip.Addr{}); got != 0 {
		t.Errorf("block of no address: got %x, want 0", got)
	}
	if got := RangeOf(netip.Addr{}); got.IsValid() {
		t.Errorf("range of no address: got %v, want none", got)
	}
}

func TestWidenToBlock(t *testing.T) {
	for network, want := range map[string]string{
		"2001:db8::1/128": "2001:db8::/64", "2001:db8::/48": "2001:db8::/48", "192.0.2.1/32": "192.0.2.1/32", "192.0.2.1/24": "192.0.2.0/24",
	} {
		if got := WidenToBlock(netip.MustParsePrefix(network)); got != netip.MustParsePrefix(want) {
			t.Errorf("%s: got %v, want %s", network, got, want)
		}
	}
}
