package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"

	"csmail/pkg/bucket"
	"csmail/pkg/guard"
	"csmail/pkg/scenario"
)

// An alert on a range is on the range that the scenario names, be it wider or
// narrower than the usual /24: who is outside of it has done nothing.
func TestRangeOfTheScenario(t *testing.T) {
	for bits, want := range map[string]string{"16": "192.0.0.0/16", "24": "192.0.2.0/24", "28": "192.0.2.64/28", "32": "192.0.2.77/32"} {
		set, err := scenario.Load(fstest.MapFS{"range.yaml": {Data: []byte(`
type: trigger
name: csmail/range
description: x
filter: evt.Meta.kind == 'relay-denied'
groupby: IpToRange(evt.Meta.source_ip, '/` + bits + `')
scope:
  type: Range
  expression: IpToRange(evt.Meta.source_ip, '/` + bits + `')
labels:
  remediation: true
`)}}, ".")
		if err != nil {
			t.Fatal(err)
		}
		e := New(Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
		r := parse("Jun  3 04:11:09 mail postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.77]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<x>")
		if found := e.Step(&r).Findings; len(found) != 1 || found[0].Alert.Value() != want {
			t.Errorf("/%s: found %v, want %s", bits, words(found), want)
		}
	}
}

// Addresses of one /64 that fill a bucket together make one finding about it; each
// makes its own where a friend lives in the /64.
func TestAddressesOfOneBlock(t *testing.T) {
	for name, tt := range map[string]struct {
		kind string
		own  string
		want string
	}{
		"a leaky bucket":                 {"type: leaky\ncapacity: 3\nleakspeed: 1h", "2001:db8:1::53", "[ban none 2001:db8::/64]"},
		"a friend in the /64":            {"type: leaky\ncapacity: 3\nleakspeed: 1h", "2001:db8::53", "[ban none 2001:db8::1 ban none 2001:db8::2 ban none 2001:db8::3 ban none 2001:db8::4]"},
		"a counter":                      {"type: counter\ncapacity: -1\nduration: 1m", "2001:db8:1::53", "[ban none 2001:db8::/64]"},
		"a counter, a friend in the /64": {"type: counter\ncapacity: -1\nduration: 1m", "2001:db8::53", "[ban none 2001:db8::1 ban none 2001:db8::2 ban none 2001:db8::3 ban none 2001:db8::4]"},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := scenario.Load(fstest.MapFS{"s.yaml": {Data: []byte(tt.kind + `
name: csmail/block
description: x
filter: evt.Meta.kind == 'relay-denied'
groupby: evt.Meta.source_block
labels:
  remediation: true
`)}}, ".")
			if err != nil {
				t.Fatal(err)
			}
			facts := guard.Facts{Own: []netip.Addr{netip.MustParseAddr(tt.own)}}
			e := New(Options{Scenarios: set, Guard: guard.New(facts, guard.Options{})})
			var got []string
			for i := range 4 {
				r := parse(fmt.Sprintf("Jun  3 04:11:%02d mail postfix/smtpd[%d]: NOQUEUE: reject: RCPT from unknown[2001:db8::%d]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<x>", i, i+1, i+1))
				got = append(got, words(e.Step(&r).Findings)...)
			}
			if len(got) == 0 {
				r := parse("Jun  3 04:13:00 mail postfix/smtpd[9]: connect from unknown[192.0.2.9]")
				got = words(e.Step(&r).Findings)
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What waits is found again by the finding and by its alert; two networks with one
// first address are two.
func TestWaitKeys(t *testing.T) {
	seen := map[waitKey]string{}
	for name, o := range map[string]bucket.Overflow{
		"address":        {Addr: netip.MustParseAddr("192.0.2.0")},
		"another one":    {Addr: netip.MustParseAddr("192.0.2.1")},
		"IPv6":           {Addr: netip.MustParseAddr("2001:db8::5")},
		"network":        {Network: netip.MustParsePrefix("192.0.2.0/24")},
		"smaller":        {Network: netip.MustParsePrefix("192.0.2.0/28")},
		"of IPv6":        {Network: netip.MustParsePrefix("2001:db8::/48")},
		"smaller one":    {Network: netip.MustParsePrefix("2001:db8::/64")},
		"account":        {Account: "bob"},
		"another's name": {Account: "eve"},
	} {
		o.Scenario = &scenario.Scenario{Name: "csmail/x"}
		key := keyOf(findingOf(&o))
		if other, twice := seen[key]; twice {
			t.Errorf("%s and %s wait under one key", name, other)
		}
		seen[key] = name
		if got := (waiting{Alert: alertOf(&o)}).key(); got != key {
			t.Errorf("%s: the alert waits under %+v, the finding under %+v", name, got, key)
		}
	}
}
