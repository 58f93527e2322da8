package event

import (
	"net/netip"
	"testing"
)

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if k.String() == "" || k.Class() == NoClass || k.Meaning() == "" || seen[k.String()] {
			t.Errorf("kind %d: name %q, class %q, meaning %q", k, k, k.Class(), k.Meaning())
		}
		seen[k.String()] = true
		var back Kind
		if err := back.UnmarshalText([]byte(k.String())); err != nil || back != k {
			t.Errorf("%s reads back as %s, %v", k, back, err)
		}
	}
	var k Kind
	if err := k.UnmarshalText([]byte("nonsense")); err == nil {
		t.Error("an unknown kind is no error")
	}
}

func TestParseAddr(t *testing.T) {
	tests := map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:0DB8:0:0::1": "2001:db8::1",
		"192.0.2.01": "", "fe80::1%eth0": "", "192.0.2.1 ": "", "192.0.2": "", "": "", "unknown": "", "192.0.2.1/24": "", "[::1]": "",
	}
	for text, want := range tests {
		addr, ok := ParseAddr(text)
		if ok != (want != "") || ok && addr.String() != want {
			t.Errorf("%q: %s, %v", text, addr, ok)
		}
	}
}

// What is read the short way is what net/netip reads, and nothing else.
func FuzzParseAddr(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "0.0.0.0", "255.255.255.255", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1..2.3", ".1.2.3", "1.2.3.", "::1", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := netip.ParseAddr(text)
		isAddr := err == nil && want.Zone() == ""
		got, ok := ParseAddr(text)
		if ok != isAddr || ok && got != want.Unmap() {
			t.Errorf("%q: %s, %v; net/netip says %s, %v", text, got, ok, want, err)
		}
	})
}

func TestAlertValue(t *testing.T) {
	addr := netip.MustParseAddr
	for want, a := range map[string]Alert{
		"192.0.2.77":        {Scope: ScopeIP, Source: addr("::ffff:192.0.2.77")},
		"192.0.2.0/24":      {Scope: ScopeRange, Source: addr("192.0.2.77")},
		"192.0.2.64/28":     {Scope: ScopeRange, Source: addr("192.0.2.77"), Bits: 28},
		"192.0.0.0/16":      {Scope: ScopeRange, Source: addr("192.0.2.77"), Bits: 16},
		"2001:db8:0:1::/64": {Scope: ScopeRange, Source: addr("2001:db8:0:1::5")},
		"2001:db8::/48":     {Scope: ScopeRange, Source: addr("2001:db8:0:1::5"), Bits: 48},
		"bob@example.org":   {Scope: ScopeAccount, Account: "bob@example.org", Source: addr("192.0.2.77")},
	} {
		if got := a.Value(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
