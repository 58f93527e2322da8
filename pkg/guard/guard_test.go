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
		Relays:     []netip.Prefix{netip.MustParsePrefix("203.0.113.5/32")},
	})
	tests := map[string]string{
		"127.0.0.1": "loopback address", "::1": "loopback address", "10.1.2.3": "private address",
		"172.16.0.1": "private address", "192.168.1.1": "private address", "fd00::1": "private address (ULA)",
		"100.64.0.1": "carrier-grade NAT address", "fe80::1": "link-local address", "169.254.1.1": "link-local address",
		"64:ff9b::1": "NAT64 address", "192.0.2.25": "address of this host", "198.51.100.15": "in mynetworks of Postfix",
		"2001:db8:a::1": "in guard.allow", "203.0.113.5": "in guard.relays", "0.0.0.0": "address of no host",
		"192.0.2.26": "", "198.51.100.16": "", "203.0.113.6": "", "2001:db8:b::1": "", "172.32.0.1": "", "100.128.0.1": "",
	}
	for text, want := range tests {
		reason, held := g.Never(netip.MustParseAddr(text))
		if reason != want || held != (want != "") {
			t.Errorf("%s: %q", text, reason)
		}
	}
}

func TestJudge(t *testing.T) {
	logins := map[string]struct{}{"bob": {}}
	tests := map[string]struct {
		conduct Conduct
		action  Action
		reason  string
	}{
		"below":              {Conduct{Hostile: 2}, None, "2 of 3 hostile events"},
		"enough":             {Conduct{Hostile: 3}, Ban, "3 hostile events, 3 are enough"},
		"mistyped, then in":  {Conduct{Hostile: 5, FailedLogins: map[string]int{"bob": 5}, LoggedIn: logins}, Hold, "5 failed logins on accounts that it also logged in to, or one mistyped"},
		"no user in the log": {Conduct{Hostile: 5, FailedLogins: map[string]int{"": 5}, LoggedIn: logins}, Hold, "5 failed logins on accounts that it also logged in to, or one mistyped"},
		"guesses at others":  {Conduct{Hostile: 5, FailedLogins: map[string]int{"bob": 1, "eve": 2, "joe": 2}, LoggedIn: logins}, Ban, "4 hostile events, 3 are enough"},
		"mistyped name":      {Conduct{Hostile: 4, FailedLogins: map[string]int{"bbo": 4}, LoggedIn: logins}, Hold, "4 failed logins on accounts that it also logged in to, or one mistyped"},
		"guesses at one":     {Conduct{Hostile: 11, FailedLogins: map[string]int{"eve": 11}, LoggedIn: logins}, Ban, "11 hostile events, 3 are enough"},
		"outage":             {Conduct{Hostile: 9, DuringFault: 7, Accounts: 9}, Hold, "7 failed logins while our login service had trouble"},
		"before the outage":  {Conduct{Hostile: 9, DuringFault: 6, Accounts: 9}, Ban, "9 hostile events, 3 are enough"},
		"spraying in outage": {Conduct{Hostile: 9, DuringFault: 9, Accounts: 10}, Ban, "9 hostile events, 3 are enough"},
		"relays as well":     {Conduct{Hostile: 8, FailedLogins: map[string]int{"bob": 5}, LoggedIn: logins}, Ban, "3 hostile events, 3 are enough"},
	}
	g := New(Facts{})
	for name, tt := range tests {
		tt.conduct.Addr = netip.MustParseAddr("192.0.2.1")
		if v := g.Judge(tt.conduct, 3); v.Action != tt.action || v.Reason != tt.reason {
			t.Errorf("%s: %s, %q", name, v.Action, v.Reason)
		}
	}
	if v := g.Judge(Conduct{Addr: netip.MustParseAddr("10.0.0.1"), Hostile: 99}, 3); v.Action != Hold {
		t.Errorf("private address: %s", v.Action)
	}
}
