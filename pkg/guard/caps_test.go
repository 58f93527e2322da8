package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// Who got in yesterday counts as a good client too, who did the day before not; the
// share is of the clients of today or yesterday, whichever are more.
func TestShareOfGoodClients(t *testing.T) {
	for name, tt := range map[string]struct {
		clients int           // that brought mail at the start
		later   time.Duration // that the attack is
		again   int           // of them that bring mail just before it
		want    int           // of three good ones, so many are banned
	}{
		"today":                              {3, time.Hour, 0, 1},
		"yesterday":                          {3, 24 * time.Hour, 0, 1},
		"the day before":                     {3, 48 * time.Hour, 0, 3},
		"many today":                         {100, time.Hour, 0, 2},
		"many yesterday":                     {100, 24 * time.Hour, 0, 2},
		"many yesterday, few of them today":  {100, 24 * time.Hour, 3, 2},
		"many long ago, few of them today":   {100, 72 * time.Hour, 3, 1},
		"many long ago, but nobody of today": {100, 72 * time.Hour, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var s scene
			addr := func(i int) string { return fmt.Sprintf("192.0.2.%d", i) }
			for i := range tt.clients {
				s.mail(time.Duration(i)*time.Second, addr(i))
			}
			for i := range tt.again {
				s.mail(tt.later-time.Minute, addr(i))
			}
			for i := range 3 {
				for range 3 {
					s.kind(tt.later, addr(i), event.NonSMTP, "")
				}
			}
			g := New(Facts{}, Options{})
			for i := range s.log {
				g.Observe(&s.log[i], false)
			}
			now, bans := sceneStart.Add(tt.later), 0
			for i := range 3 {
				if g.Decide(found(addr(i), 3, now), now).Action == Ban {
					bans++
				}
			}
			if bans != tt.want {
				t.Errorf("%d of three are banned, want %d", bans, tt.want)
			}
		})
	}
}

// A ban counts for an hour, minute by minute, whenever in it somebody asks.
func TestCapOfAnHour(t *testing.T) {
	g, now := told(Options{BansPerHour: 1}, func(s *scene) {
		for i := range 2 {
			for range 3 {
				s.kind(0, fmt.Sprintf("192.0.2.%d", i), event.NonSMTP, "")
			}
		}
	})
	decide := func(i int, at time.Duration) Verdict {
		f := found(fmt.Sprintf("192.0.2.%d", i), 3, now.Add(at))
		f.First = now
		return g.Decide(f, now.Add(at))
	}
	if v := decide(0, time.Minute); v.Action != Ban {
		t.Fatalf("the first: %s", v.Reason)
	}
	for _, minutes := range []int{1, 2, 59, 60} {
		if v := decide(1, time.Duration(minutes)*time.Minute); v.Rule != TooManyBans || v.Reason != "1 bans within the hour are the cap" {
			t.Errorf("after %d minutes: %s %s", minutes-1, v.Action, v.Reason)
		}
	}
	if v := decide(1, 61*time.Minute); v.Action != Ban {
		t.Errorf("an hour later: %s %s", v.Action, v.Reason)
	}
}

// What is held for the share of good clients says how many there are.
func TestShareIsExplained(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		for i := range 3 {
			s.mail(0, fmt.Sprintf("192.0.2.%d", i))
			for range 3 {
				s.kind(time.Minute, fmt.Sprintf("192.0.2.%d", i), event.NonSMTP, "")
			}
		}
	})
	g.Decide(found("192.0.2.0", 3, now), now)
	v := g.Decide(found("192.0.2.1", 3, now), now)
	if want := "2 of 3 clients that got in today would be banned, 1 are the cap"; v.Rule != TooManyGood || v.Reason != want {
		t.Errorf("%s: %q, want %q", v.Rule, v.Reason, want)
	}
}

// A forgiven source keeps its network from a ban, and does not silence the alert
// on an account that it was one of many to try.
func TestForgivenAmongOthers(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		for i := range 6 {
			s.fail(time.Duration(i)*time.Second, fmt.Sprintf("192.0.2.%d", i), "bob", event.Dovecot)
		}
	})
	var sources []netip.Addr
	for i := range 6 {
		sources = append(sources, netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)))
	}
	network := found("192.0.2.0", 6, now)
	network.Scope, network.Network, network.Sources = event.ScopeRange, netip.MustParsePrefix("192.0.2.0/24"), sources
	account := found("192.0.2.0", 5, now)
	account.Scope, account.Account, account.Sources = event.ScopeAccount, "bob", sources
	if v := g.Decide(network, now); v.Action != Ban {
		t.Errorf("before: %s %s", v.Action, v.Reason)
	}
	g.Forgive(sources[5], now.Add(time.Hour))
	if v := g.Decide(network, now); v.Action != Hold || v.Rule != Proven {
		t.Errorf("the network: %s %s %s", v.Action, v.Rule, v.Reason)
	}
	if v := g.Decide(account, now); v.Action != Alert {
		t.Errorf("the account: %s %s %s", v.Action, v.Rule, v.Reason)
	}
}

// What a source does in its amnesty is forgotten, not kept until it ends.
func TestAmnestyKeepsNothing(t *testing.T) {
	g, now := told(Options{}, func(s *scene) { s.fail(0, "192.0.2.1", "bob", event.Dovecot) })
	addr := netip.MustParseAddr("192.0.2.1")
	g.Forgive(addr, now.Add(time.Hour))
	for i := range 8 {
		g.Observe(&event.Record{Outcome: event.Noted, Event: event.Event{
			Time: now.Add(59 * time.Minute), Kind: event.AuthFailed, Service: event.Dovecot, Attempts: 1, User: fmt.Sprint("u", i), Addr: addr,
		}}, false)
	}
	if h := g.History(addr); len(h.Offences) != 0 || h.Amnesty.IsZero() {
		t.Errorf("%+v", h)
	}
	later := now.Add(61 * time.Minute)
	if v := g.Decide(found("192.0.2.1", 3, later), later); v.Action != Hold || v.Rule != Forgotten {
		t.Errorf("%s %s", v.Action, v.Rule)
	}
}

// A rewound clock leaves no amnesty of more than a day, and the bans of the last
// hour count on.
func TestRewindKeepsCaps(t *testing.T) {
	g, now := told(Options{BansPerHour: 2}, func(s *scene) {
		for i := range 3 {
			for range 3 {
				s.kind(0, fmt.Sprintf("192.0.2.%d", i), event.NonSMTP, "")
			}
		}
	})
	ahead := now.AddDate(1, 0, 0)
	decide := func(i int, at time.Time) Rule {
		f := found(fmt.Sprintf("192.0.2.%d", i), 3, at)
		f.First = now
		return g.Decide(f, at).Rule
	}
	for i, want := range []Rule{NoRule, NoRule, TooManyBans} {
		if got := decide(i, ahead); got != want {
			t.Fatalf("ban %d: %s", i, got)
		}
	}
	friend := netip.MustParseAddr("198.51.100.1")
	g.Forgive(friend, ahead.Add(24*time.Hour))
	g.Rewind(now)
	if got := decide(2, now); got != TooManyBans {
		t.Errorf("after the rewind: %s", got)
	}
	if got := decide(2, now.Add(time.Hour)); got != NoRule {
		t.Errorf("an hour later: %s", got)
	}
	g.Rewind(now)
	if h := g.History(friend); h.Amnesty.After(now.Add(24 * time.Hour)) {
		t.Errorf("amnesty until %s", h.Amnesty)
	}
}

// Two addresses of one /64 are one source: what it did counts once.
func TestAddressesOfOneSource(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		for i, addr := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::1"} {
			s.kind(time.Duration(i)*time.Second, addr, event.NonSMTP, "")
		}
	})
	f := found("2001:db8::1", 3, now)
	f.Scope, f.Network = event.ScopeRange, netip.MustParsePrefix("2001:db8::/64")
	f.Sources = []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
	if v := g.Decide(f, now); v.Action != Ban || v.Reason != "3 attempts count, 3 are enough" {
		t.Errorf("%s: %s", v.Action, v.Reason)
	}
}
