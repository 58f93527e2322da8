package guard

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// told is a guard that has seen a scene, and the time after it.
func told(o Options, build func(*scene)) (*Guard, time.Time) {
	var s scene
	build(&s)
	g := New(s.facts, o)
	now := sceneStart
	for i := range s.log {
		g.Observe(&s.log[i], false)
		now = s.log[i].Time
	}
	return g, now
}

// found is a finding about addr that counts everything until now.
func found(addr string, needed int, now time.Time) Finding {
	return Finding{Scenario: "csmail/x", Scope: event.ScopeIP, Addr: netip.MustParseAddr(addr), Needed: needed, First: sceneStart, Last: now}
}

func TestVerdicts(t *testing.T) {
	guess := func(addr string, n int) func(*scene) {
		return func(s *scene) {
			for i := range n {
				s.fail(time.Duration(i)*time.Second, addr, fmt.Sprint("user", i), event.Dovecot)
			}
		}
	}
	tests := map[string]struct {
		build  func(*scene)
		change func(*Finding)
		action Action
		reason string
		widen  string
	}{
		"an address": {build: guess("192.0.2.1", 3), action: Ban, reason: "3 attempts count, 3 are enough"},
		"an IPv6 address": {
			build: guess("2001:db8::1", 3), change: func(f *Finding) { f.Addr = netip.MustParseAddr("2001:db8::1") },
			action: Ban, reason: "3 attempts count, 3 are enough", widen: "2001:db8::/64",
		},
		"an IPv6 address in our own /64": {
			build: func(s *scene) {
				guess("2001:db8::1", 3)(s)
				s.facts.Own = []netip.Addr{netip.MustParseAddr("2001:db8::25")}
			},
			change: func(f *Finding) { f.Addr = netip.MustParseAddr("2001:db8::1") },
			action: Ban, reason: "3 attempts count, 3 are enough",
		},
		"for information": {
			build: guess("192.0.2.1", 3), change: func(f *Finding) { f.Informational = true },
			action: Alert, reason: "3 attempts count, 3 are enough; for information only",
		},
		"an account": {
			build: guess("192.0.2.1", 3),
			change: func(f *Finding) {
				f.Scope, f.Account, f.Needed, f.Sources = event.ScopeAccount, "user1", 1, []netip.Addr{netip.MustParseAddr("192.0.2.1")}
			},
			action: Alert, reason: "1 attempts count, 1 are enough; for information only",
		},
		"distinct accounts, most of them known": {
			build: func(s *scene) {
				guess("192.0.2.1", 6)(s)
				for i := range 4 {
					s.login(time.Minute, "192.0.2.1", fmt.Sprint("user", i))
				}
				s.fail(time.Minute, "192.0.2.1", "user4", event.Dovecot)
			},
			change: func(f *Finding) { f.Distinct = true },
			action: Hold, reason: "2 accounts count, 3 are needed: a stale or mistyped password",
		},
		"a network, slowly": {
			build: func(s *scene) {
				for i := range 3 {
					s.fail(time.Duration(i)*time.Hour, fmt.Sprint("192.0.2.", i+1), "bob", event.Dovecot)
				}
			},
			change: func(f *Finding) {
				f.Scope, f.Network, f.Leak = event.ScopeRange, netip.MustParsePrefix("192.0.2.0/24"), time.Hour
				for i := range 3 {
					f.Sources = append(f.Sources, netip.MustParseAddr(fmt.Sprint("192.0.2.", i+1)))
				}
			},
			action: Ban, reason: "3 attempts count, 3 are enough",
		},
		"what is left has leaked": {
			build: func(s *scene) {
				for i := range 5 {
					s.fail(time.Duration(i)*time.Hour, "192.0.2.1", fmt.Sprint("user", i), event.Dovecot)
					s.fail(time.Duration(i)*time.Hour, "192.0.2.1", "bob", event.Dovecot)
				}
				s.login(6*time.Hour, "192.0.2.1", "bob")
			},
			change: func(f *Finding) { f.Leak = time.Hour },
			action: Hold, reason: "5 of 10 attempts count, 3 are needed within a shorter time: a stale or mistyped password",
		},
		"a range": {
			build:  func(s *scene) { guess("192.0.2.1", 3)(s); guess("192.0.2.2", 3)(s) },
			change: func(f *Finding) { aRange(f) },
			action: Ban, reason: "6 attempts count, 3 are enough",
		},
		"a range with a good user": {
			build:  func(s *scene) { guess("192.0.2.1", 3)(s); s.login(0, "192.0.2.200", "bob") },
			change: func(f *Finding) { aRange(f) },
			action: Hold, reason: "the network holds 1 source that proved to be honest or were forgiven",
		},
		"a range with a relay": {
			build: func(s *scene) {
				guess("192.0.2.1", 3)(s)
				s.facts.Relays = []netip.Prefix{netip.MustParsePrefix("192.0.2.77/32")}
			},
			change: func(f *Finding) { aRange(f) },
			action: Hold, reason: "the network holds an address that is never banned: in guard.relays",
		},
		"nothing known": {
			build:  func(s *scene) { s.login(0, "192.0.2.9", "bob") },
			action: Hold, reason: "nothing is known any more of what it did",
		},
		"on an allowlist": {
			build: func(s *scene) {
				guess("192.0.2.1", 3)(s)
				s.facts.Allowlists = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/30")}
			},
			action: Hold, reason: "never banned: on an allowlist of CrowdSec",
		},
		"a provider": {
			build: func(s *scene) {
				s.connect(0, "192.0.2.1", "mx7.Provider.example")
				s.kind(time.Hour, "192.0.2.1", event.RecipientUnknown, "")
			},
			action: Hold, reason: "0 of 1 attempts count, 3 are needed: it has a name of guard.provider_names, and honest hosts do this too",
		},
		"a provider's namesake": {
			build: func(s *scene) {
				s.connect(0, "192.0.2.1", "notprovider.example")
				s.kind(0, "192.0.2.1", event.RecipientUnknown, "")
				s.connect(time.Hour, "192.0.2.2", "unknown")
			},
			action: Ban, reason: "1 attempts count, 3 are enough",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g, now := told(Options{ProviderNames: []string{"provider.example"}}, tt.build)
			f := found("192.0.2.1", 3, now)
			if tt.change != nil {
				tt.change(&f)
			}
			v := g.Decide(f, now)
			widen := ""
			if v.Widen.IsValid() {
				widen = v.Widen.String()
			}
			if v.Action != tt.action || v.Reason != tt.reason || widen != tt.widen || len(v.Checks) == 0 {
				t.Errorf("%s (%s), %q, widen %q", v.Action, v.Rule, v.Reason, widen)
			}
			if text := strings.Join(v.Checks, " "); strings.Contains(text, "user1") || strings.Contains(text, "bob") {
				t.Errorf("the checks name a user: %s", text)
			}
		})
	}
}

func aRange(f *Finding) {
	f.Scope, f.Addr, f.Network = event.ScopeRange, netip.Addr{}, netip.MustParsePrefix("192.0.2.0/24")
	f.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("10.0.0.1")}
}

func TestExcuses(t *testing.T) {
	fault := event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}}
	tests := map[string]struct {
		build func(*scene)
		want  Rule
	}{
		"another spelling of the account": {func(s *scene) {
			s.fail(0, "192.0.2.1", "bob", event.Postfix)
			s.fail(0, "192.0.2.1", "joe", event.Postfix) // the one stranger that a proven source may have
			s.login(time.Second, "192.0.2.1", "BOB@example.org")
		}, Stale},
		"another domain": {func(s *scene) {
			s.fail(0, "192.0.2.1", "bob@a.example", event.Postfix)
			s.login(time.Hour, "192.0.2.1", "bob@b.example")
		}, Stale}, // one account of a proven source
		"another domain, and a third": {func(s *scene) { twoStrangers(s); s.login(time.Hour, "192.0.2.1", "bob@b.example") }, NoRule},
		"a login without a name": {func(s *scene) {
			s.fail(0, "192.0.2.1", "eve", event.Dovecot)
			s.login(time.Minute, "192.0.2.1", "")
			s.fail(2*time.Minute, "192.0.2.1", "eve", event.Dovecot)
			s.fail(2*time.Minute, "192.0.2.1", "joe", event.Dovecot)
		}, Stale},
		"Postfix asks Dovecot, which is down": {func(s *scene) { s.put(0, "", fault); s.fail(0, "192.0.2.1", "bob", event.Postfix) }, LoginOutage},
		"a fault is told after its effect":    {func(s *scene) { s.fail(0, "192.0.2.1", "bob", event.Dovecot); s.put(30*time.Second, "", fault) }, LoginOutage},
		"Postfix's trouble is not Dovecot's": {func(s *scene) {
			f := fault
			f.Service = event.Postfix
			s.put(0, "", f)
			s.fail(0, "192.0.2.1", "bob", event.Dovecot)
		}, Typing},
		"the only client meets the fault": {func(s *scene) { s.put(0, "192.0.2.1", fault); s.fail(0, "192.0.2.1", "bob", event.Dovecot) }, LoginOutage},
		"another client's fault":          {func(s *scene) { s.put(0, "192.0.2.2", fault); s.fail(0, "192.0.2.1", "bob", event.Dovecot) }, Typing},
		"two other clients' faults": {func(s *scene) {
			s.put(0, "192.0.2.2", fault)
			s.put(0, "192.0.2.3", fault)
			s.fail(0, "192.0.2.1", "bob", event.Dovecot)
		}, LoginOutage},
		"half an hour after a fault, silence": {func(s *scene) { s.put(0, "", fault); s.fail(29*time.Minute, "192.0.2.1", "bob", event.Dovecot) }, LoginOutage},
		"half an hour after a fault, a login": {func(s *scene) {
			s.put(0, "", fault)
			s.login(5*time.Minute, "192.0.2.2", "eve")
			s.fail(29*time.Minute, "192.0.2.1", "bob", event.Dovecot)
		}, Typing},
		"a list refuses us, mail goes on": {func(s *scene) {
			s.busy(0, 2*time.Minute)
			s.put(0, "192.0.2.2", event.Record{Event: event.Event{Kind: event.DNSBLFault}})
			s.put(time.Minute, "192.0.2.1", event.Record{Event: event.Event{Kind: event.DNSBLListed}})
		}, BlockList},
		"its mail was taken once": {func(s *scene) {
			s.mail(0, "192.0.2.1")
			s.busy(0, time.Hour)
			s.kind(time.Minute, "192.0.2.1", event.NoHostname, "")
		}, Proven},
		"the second in which an outage begins": {func(s *scene) {
			s.busy(0, time.Minute)
			s.nameless(57*time.Second, "192.0.2.1")
			s.connect(2*time.Hour, "192.0.2.2", "unknown")
		}, Resolver},
		"a traveller mistypes": {func(s *scene) {
			s.busy(0, time.Minute)
			s.kind(30*time.Second, "192.0.2.1", event.HostnameMismatch, "")
			s.fail(35*time.Second, "192.0.2.1", "bob", event.Dovecot)
		}, Typing},
		"two newcomers in an office of five": {func(s *scene) { s.users5(); twoStrangers(s) }, Stale},
		"a colleague meets the fault": {func(s *scene) {
			s.put(0, "10.0.0.5", fault)
			s.fail(0, "192.0.2.1", "bob", event.Dovecot)
		}, LoginOutage},
		"a webmail at the address of its server": {func(s *scene) {
			r := event.Record{Outcome: event.Noted, Testimony: event.OwnAddress}
			r.Kind, r.Service, r.User, r.Attempts = event.AuthFailed, event.Dovecot, "bob", 1
			s.put(0, "192.0.2.1", r)
			s.fail(29*24*time.Hour, "192.0.2.1", "eve", event.Postfix)
		}, NeverListed},
		"a month after it was a server's": {func(s *scene) {
			r := event.Record{Outcome: event.Noted, Testimony: event.OwnAddress}
			r.Kind, r.Service, r.User, r.Attempts = event.LoginOK, event.Dovecot, "bob", 1
			s.put(0, "192.0.2.1", r)
			s.kind(31*24*time.Hour, "192.0.2.1", event.Pregreet, "")
		}, NoRule},
		"monitoring and something else": {func(s *scene) { s.kind(0, "192.0.2.1", event.Hangup, ""); s.kind(0, "192.0.2.1", event.Pregreet, "") }, NoRule},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g, now := told(Options{}, tt.build)
			if v := g.Decide(found("192.0.2.1", 1, now), now); v.Rule != tt.want {
				t.Errorf("%s, %s: %s", v.Action, v.Rule, v.Reason)
			}
		})
	}
}

func twoStrangers(s *scene) {
	s.fail(0, "192.0.2.1", "bob@a.example", event.Postfix)
	s.fail(1, "192.0.2.1", "joe@a.example", event.Postfix)
}

// users5 logs five users in from one address.
func (s *scene) users5() {
	for i := range 5 {
		s.login(0, "192.0.2.1", fmt.Sprint("user", i))
	}
}

// A source that does more than the guard keeps is judged by what is kept, and excused
// attempts do not save it: they are dropped first.
func TestMoreThanIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		guesses, excused int
		want             Action
	}{
		"a few excused":   {200, 3, Ban},
		"many excused":    {200, 50, Ban},
		"most excused":    {200, 1000, Ban},
		"all but a few":   {30, 1000, Hold},
		"nothing excused": {200, 0, Ban},
	} {
		g, now := told(Options{}, func(s *scene) {
			s.login(0, "192.0.2.1", "bob")
			for i := range tt.guesses {
				s.fail(time.Duration(i)*time.Second, "192.0.2.1", fmt.Sprint("user", i%20), event.Dovecot)
			}
			for i := range tt.excused {
				s.fail(time.Duration(200+i)*time.Second, "192.0.2.1", "bob", event.Dovecot)
			}
			s.login(30*time.Minute, "192.0.2.1", "bob")
		})
		if v := g.Decide(found("192.0.2.1", 100, now), now); v.Action != tt.want {
			t.Errorf("%s: %s, %s", name, v.Action, v.Reason)
		}
	}
}
