package report

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// banOn is a ban of a network or an address of any size at a second.
func banOn(value string, second int) engine.Finding {
	f := finding("csmail/a", value, second, guard.Ban)
	if p, err := netip.ParsePrefix(value); err == nil {
		f.Alert.Bits = p.Bits()
	}
	return f
}

// A ban prevents what comes from anywhere within its network, whatever its size,
// and nothing from outside of it.
func TestBansOfAnySize(t *testing.T) {
	for value, tt := range map[string]struct{ inside, outside string }{
		"192.0.2.77":        {"192.0.2.77", "192.0.2.78"},
		"192.0.2.64/28":     {"192.0.2.79", "192.0.2.80"},
		"192.0.2.0/24":      {"192.0.2.255", "192.0.3.0"},
		"198.18.0.0/16":     {"198.18.255.1", "198.19.0.1"},
		"192.0.0.0/2":       {"192.0.2.1", "2001:db8::1"},
		"2001:db8::1/128":   {"2001:db8::1", "2001:db8::2"},
		"2001:db8:0:7::/64": {"2001:db8:0:7:8::1", "2001:db8:0:8::1"},
		"2001:db8:7::/48":   {"2001:db8:7:ffff::1", "2001:db8:8::1"},
	} {
		t.Run(value, func(t *testing.T) {
			b := NewBacktest(Scope{}, time.Hour)
			b.AddFindings([]engine.Finding{banOn(value, 0)})
			b.Add(*result(60, tt.outside, "", event.AuthFailed, 1), nil)
			b.Add(*result(61, tt.outside, "bob", event.LoginOK, 1), nil)
			if o := b.Outcome(); o.Prevented != 0 || o.Good != 0 {
				t.Errorf("outside: %d prevented, %d honest", o.Prevented, o.Good)
			}
			b.Add(*result(62, tt.inside, "", event.AuthFailed, 1), nil)
			b.Add(*result(63, tt.inside, "bob", event.LoginOK, 1), nil)
			if o := b.Outcome(); o.Prevented != 1 || o.Good != 1 {
				t.Errorf("inside: %d prevented, %d honest, want 1 and 1", o.Prevented, o.Good)
			}
		})
	}
}

// Whoever is within a ban that lasts is blocked: the lookup by length finds what a
// look at each ban finds.
func TestBlockedIsWithinALastingBan(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	address := func() string {
		if random.IntN(2) == 0 {
			return fmt.Sprintf("192.0.%d.%d", random.IntN(3), random.IntN(32))
		}
		return fmt.Sprintf("2001:db8:%d:%d::%d", random.IntN(2), random.IntN(3), random.IntN(3))
	}
	type naive struct {
		network  netip.Prefix
		from, to time.Time
	}
	b := NewBacktest(Scope{}, 100*time.Second)
	var bans []naive
	blocked := 0
	for second := range 5000 {
		addr := netip.MustParseAddr(address())
		if random.IntN(20) == 0 {
			network, _ := addr.Prefix((1 + random.IntN(addr.BitLen()/4)) * 4)
			f := banOn(network.String(), second)
			b.AddFindings([]engine.Finding{f})
			bans = append(bans, naive{network, f.Alert.Last, f.Alert.Last.Add(100 * time.Second)})
			continue
		}
		want := 0
		r := result(second, addr.String(), "", event.AuthFailed, 1)
		for _, n := range bans {
			if n.network.Contains(addr) && r.Time.After(n.from) && r.Time.Before(n.to) {
				want = 1
			}
		}
		before := b.Outcome().Prevented
		b.Add(*r, nil)
		if got := b.Outcome().Prevented - before; got != want {
			t.Fatalf("second %d, %s: %d prevented, want %d", second, addr, got, want)
		}
		blocked += want
	}
	if blocked < 500 || blocked > 4000 {
		t.Errorf("%d blocked: too few or too many to tell", blocked)
	}
}

func TestBacktest(t *testing.T) {
	b := NewBacktest(Scope{}, time.Hour)
	step := func(second int, addr string, kind event.Kind, findings ...engine.Finding) {
		b.Add(*result(second, addr, "", kind, 1), findings)
	}
	step(0, "203.0.113.1", event.AuthFailed)
	step(60, "203.0.113.1", event.AuthFailed, finding("csmail/auth-bf", "203.0.113.1", 60, guard.Ban))
	step(120, "203.0.113.1", event.AuthFailed)                                                           // within the ban
	step(180, "203.0.113.1", event.AuthFailed, finding("csmail/auth-bf", "203.0.113.1", 180, guard.Ban)) // renews it
	step(240, "203.0.113.9", event.LoginOK)
	step(300, "203.0.113.1", event.LoginOK)   // collateral, once
	step(360, "203.0.113.1", event.LoginOK)   //
	step(9999, "203.0.113.1", event.Pregreet, // after the ban
		finding("csmail/range-bf", "198.51.100.0/24", 9999, guard.Ban), finding("csmail/auth-bf", "192.0.2.7", 9999, guard.Hold))
	mail := engine.Result{Record: &event.Record{Outcome: event.Witness, Testimony: event.MailAccepted, Event: event.Event{
		Time: start.Add(20000 * time.Second), Addr: netip.MustParseAddr("198.51.100.77"),
	}}}
	b.Add(mail, nil)
	o := b.Outcome()
	if o.Bans != 2 || o.Renewed != 1 || o.Holds != 1 || o.Offences != 5 || o.Prevented != 2 {
		t.Errorf("outcome %+v", o)
	}
	if o.Good != 2 || len(o.Collateral) != 2 || !o.Collateral[0].InBan || o.Collateral[1].InBan || o.Collateral[1].Proof != "mail accepted" {
		t.Errorf("collateral %+v", o.Collateral)
	}
	if o.MedianWait != time.Minute || fmt.Sprint(o.Values) != "[198.51.100.0/24 203.0.113.1]" || len(o.ByDay) != 2 || o.HeldBy["none"] != 1 {
		t.Errorf("wait %s, values %s, days %v, held by %v", o.MedianWait, o.Values, o.ByDay, o.HeldBy)
	}
}

// Of a ban on an address that is over and one on its network that lasts, the latter
// prevents what comes; a finding that waited shortens no ban.
func TestBansTogether(t *testing.T) {
	b := NewBacktest(Scope{}, 100*time.Second)
	ban := func(value string, second int) {
		b.AddFindings([]engine.Finding{finding("csmail/a", value, second, guard.Ban)})
	}
	offend := func(second int) int {
		before := b.Outcome().Prevented
		b.Add(*result(second, "192.0.2.1", "", event.AuthFailed, 1), nil)
		return b.Outcome().Prevented - before
	}
	ban("192.0.2.1", 0)
	ban("192.0.2.0/24", 60)
	for second, want := range map[int]int{0: 0, 50: 1, 99: 1, 100: 1, 159: 1, 160: 0} {
		if got := offend(second); got != want {
			t.Errorf("at %d s %d prevented, want %d", second, got, want)
		}
	}
	ban("198.51.100.1", 300)
	ban("198.51.100.1", 250)
	b.Add(*result(399, "198.51.100.1", "", event.AuthFailed, 1), nil)
	if o := b.Outcome(); o.Prevented != 5 || o.Renewed != 1 {
		t.Errorf("%d prevented, %d renewed", o.Prevented, o.Renewed)
	}
	b.Add(*result(410, "198.51.100.1", "bob", event.LoginOK, 1), nil)
	b.Add(*result(150, "192.0.2.1", "bob", event.LoginOK, 1), nil)
	o := b.Outcome()
	if len(o.Collateral) != 2 || o.Collateral[0].InBan || !o.Collateral[1].InBan {
		t.Errorf("%+v", o.Collateral)
	}
}

// Networks with one first address are one value each.
func TestNetworksOfOneAddress(t *testing.T) {
	c := NewCollector(Scope{})
	c.AddFindings([]engine.Finding{banOn("198.18.0.0/16", 0), banOn("198.18.0.0/28", 10), banOn("198.18.0.0/16", 20)})
	var got []string
	for _, f := range c.Findings() {
		got = append(got, fmt.Sprint(f.Alert.Value(), " ", f.Alert.Count))
	}
	if want := "[198.18.0.0/16 12 198.18.0.0/28 6]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// A ban begins with the guard's verdict: what the client did while that waited got
// through, and so did its login.
func TestBanBeginsWithTheVerdict(t *testing.T) {
	b := NewBacktest(Scope{}, time.Hour)
	waited := finding("csmail/strict-auth", "203.0.113.1", 0, guard.Ban)
	waited.At = start.Add(300 * time.Second)
	at := func(second int, kind event.Kind, findings ...engine.Finding) {
		b.Add(*result(second, "203.0.113.1", "", kind, 1), findings)
	}
	at(0, event.AuthFailed)
	at(100, event.AuthFailed)
	at(299, event.NoHostname)
	at(400, event.AuthFailed, waited) // before this line, which tells that the wait was over
	at(500, event.AuthFailed)
	at(3899, event.AuthFailed) // within the hour after the verdict
	at(3901, event.AuthFailed)
	o := b.Outcome()
	if o.Offences != 7 || o.Prevented != 3 || o.MedianWait != 300*time.Second {
		t.Errorf("%d of %d prevented, banned after %s", o.Prevented, o.Offences, o.MedianWait)
	}
}
