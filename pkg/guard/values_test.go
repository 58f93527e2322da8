package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// A scenario that counts addresses, or accounts, counts each once: however often one of them
// tries, it does not stand for those that are excused.
func TestValuesDecide(t *testing.T) {
	fault := event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}}
	// Three addresses fail, the first one when the login service is down for it.
	network := func(others int) func(*scene) {
		return func(s *scene) {
			s.put(0, "192.0.2.1", fault)
			s.fail(0, "192.0.2.1", "bob", event.Dovecot)
			for i := range others {
				s.fail(5*time.Minute+time.Duration(i)*time.Second, "192.0.2.2", fmt.Sprint("user", i), event.Dovecot)
			}
			s.fail(6*time.Minute, "192.0.2.3", "joe", event.Dovecot)
		}
	}
	// One address fails on an account of its own, and on three others in the course of hours.
	accounts := func(step time.Duration) func(*scene) {
		return func(s *scene) {
			s.login(0, "192.0.2.1", "bob")
			s.fail(time.Minute, "192.0.2.1", "bob", event.Dovecot)
			for i := range 3 {
				s.fail(2*time.Minute+time.Duration(i)*step, "192.0.2.1", fmt.Sprint("user", i), event.Dovecot)
			}
		}
	}
	ofNetwork := func(f *Finding) {
		f.Scope, f.Addr, f.Network, f.Addresses = event.ScopeRange, netip.Addr{}, netip.MustParsePrefix("192.0.2.0/24"), true
		for i := range 3 {
			f.Sources = append(f.Sources, netip.MustParseAddr(fmt.Sprint("192.0.2.", i+1)))
		}
	}
	for name, tt := range map[string]struct {
		build  func(*scene)
		change func(*Finding)
		action Action
		reason string
		values string // addresses, or the number of accounts, with the minute of the first attempt
	}{
		"two of three addresses, many attempts": {
			build: network(20), change: ofNetwork, action: Hold,
			reason: "21 of 22 attempts count, from 2 addresses, 3 are needed: our login service had trouble",
			values: "192.0.2.1@0 192.0.2.2@5 192.0.2.3@6", // the first may yet count
		},
		"the same attempts count where no addresses are counted": {
			build: network(20), change: func(f *Finding) { ofNetwork(f); f.Addresses = false }, action: Ban,
			reason: "21 attempts count, 3 are enough",
		},
		"two addresses of the three that are needed, of IPv6": {
			build: func(s *scene) {
				s.put(0, "2001:db8::1", fault)
				s.fail(0, "2001:db8::1", "bob", event.Dovecot)
				s.fail(5*time.Minute, "2001:db8::2", "joe", event.Dovecot)
				s.fail(6*time.Minute, "2001:db8::3", "eve", event.Dovecot)
			},
			change: func(f *Finding) {
				f.Scope, f.Addr, f.Network, f.Addresses = event.ScopeRange, netip.Addr{}, netip.MustParsePrefix("2001:db8::/64"), true
				for i := range 3 {
					f.Sources = append(f.Sources, netip.MustParseAddr(fmt.Sprint("2001:db8::", i+1)))
				}
			},
			action: Hold, reason: "2 of 3 attempts count, from 2 addresses, 3 are needed: our login service had trouble",
			values: "2001:db8::1@0 2001:db8::2@5 2001:db8::3@6",
		},
		"three accounts within the time": {
			build: accounts(time.Minute), change: func(f *Finding) { f.Distinct, f.Leak = true, time.Hour }, action: Ban,
			reason: "3 accounts count, 3 are enough",
		},
		"two forms of a name, and a known account": {
			build: func(s *scene) {
				s.login(0, "192.0.2.1", "carol")
				for i, login := range []string{"carol", "bob", "bob@example.org", "joe"} {
					s.fail(time.Duration(i+1)*time.Minute, "192.0.2.1", login, event.Dovecot)
				}
			},
			change: func(f *Finding) { f.Distinct, f.Leak = true, time.Hour }, action: Hold,
			reason: "2 accounts count, 3 are needed: a stale or mistyped password",
			values: "2 accounts@2",
		},
		"a source that is forgotten": {
			build: func(s *scene) {
				s.put(0, "192.0.2.1", fault)
				s.fail(0, "192.0.2.1", "bob", event.Dovecot)
				for i := range 3 {
					s.fail(5*time.Minute+time.Duration(i)*time.Second, "2001:db8:0:b::1", fmt.Sprint("user", i), event.Dovecot)
				}
			},
			change: func(f *Finding) {
				f.Scope, f.Account, f.Addresses, f.Addr = event.ScopeAccount, "", true, netip.Addr{}
				for _, addr := range []string{"192.0.2.1", "2001:db8:0:a::1", "2001:db8:0:b::1", "2001:db8:0:a::2", "2001:db8:0:a::3"} {
					f.Sources = append(f.Sources, netip.MustParseAddr(addr))
				}
			},
			action: Hold,
			reason: "3 of 4 attempts count, from 1 address, 3 are needed: our login service had trouble",
			values: "192.0.2.1@0 2001:db8:0:b::1@5",
		},
		"three accounts, too slowly": {
			build: accounts(3 * time.Hour), change: func(f *Finding) { f.Distinct, f.Leak = true, time.Hour }, action: Hold,
			reason: "3 accounts count, 3 are needed within a shorter time: a stale or mistyped password",
			values: "3 accounts@2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, now := told(Options{}, tt.build)
			f := found("192.0.2.1", 3, now)
			tt.change(&f)
			v := g.Decide(f, now)
			if v.Action != tt.action || !strings.HasPrefix(v.Reason, tt.reason) {
				t.Errorf("got %s, %q, want %s, %q", v.Action, v.Reason, tt.action, tt.reason)
			}
			if got := textOfValues(v.Values); got != tt.values {
				t.Errorf("got the values %q, want %q", got, tt.values)
			}
		})
	}
}

func textOfValues(values []Value) string {
	minute := func(v Value) string { return fmt.Sprint("@", int(v.At.Sub(sceneStart).Minutes())) }
	var words []string
	for _, v := range values {
		if v.Addr.IsValid() {
			words = append(words, v.Addr.String()+minute(v))
		}
	}
	if len(words) == 0 && len(values) > 0 {
		words = []string{fmt.Sprint(len(values), " accounts", minute(values[0]))}
	}
	return strings.Join(words, " ")
}

// A finding that waits still counts addresses after a restart.
func TestWaitingFindingCountsAddresses(t *testing.T) {
	g, now := told(Options{}, func(s *scene) { s.fail(0, "192.0.2.1", "bob", event.Dovecot) })
	f := found("192.0.2.1", 1, now)
	f.Addresses = true
	if v := g.Decide(f, now); !v.Pending {
		t.Fatalf("got %+v, want a finding that waits", v)
	}
	again := New(Facts{}, Options{})
	if err := again.Restore(g.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	rulings := again.Settle(eternity)
	if !slices.ContainsFunc(rulings, func(r Ruling) bool { return r.Finding.Addresses }) {
		t.Errorf("got %+v, want a finding that counts addresses", rulings)
	}
}
