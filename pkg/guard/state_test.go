package guard

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/event"
)

// drawRecord makes a record of a small world, so that things meet.
func drawRecord(t *rapid.T, at time.Time) event.Record {
	addrs := []string{"192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2", "10.0.0.1"}
	r := event.Record{Outcome: event.Noted, Event: event.Event{
		Time: at, Attempts: rapid.IntRange(1, 3).Draw(t, "attempts"),
		Service: event.Service(rapid.IntRange(1, 4).Draw(t, "service")),
		Kind:    event.Kind(rapid.IntRange(0, len(event.Kinds())).Draw(t, "kind")),
		User:    rapid.SampledFrom([]string{"", "a", "b@example.org", "c", "d"}).Draw(t, "user"),
		Host:    rapid.SampledFrom([]string{"mx1", "mx2", ""}).Draw(t, "host"),

		Password: event.PasswordMark(rapid.IntRange(0, 2).Draw(t, "password")),
	}}
	if rapid.IntRange(0, 9).Draw(t, "named") > 0 {
		r.Addr = netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(t, "address"))
	}
	if r.Kind == event.NoKind {
		r.Outcome = event.Witness
		r.Testimony = event.Testimony(rapid.IntRange(1, 3).Draw(t, "testimony"))
		r.ClientName = rapid.SampledFrom([]string{"unknown", "mx.example"}).Draw(t, "name")
	}
	return r
}

// A guard that is written and read back at any point answers as one that is not.
func TestSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{ProviderNames: []string{"mx.example"}, MaxSources: rapid.IntRange(3, 9).Draw(t, "sources"), BansPerHour: 5}
		plain, stored := New(Facts{}, o), New(Facts{}, o)
		at := sceneStart
		for range rapid.IntRange(1, 120).Draw(t, "length") {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 20, 400, 4000, 90000}).Draw(t, "gap")) * time.Second)
			r := drawRecord(t, at)
			folded := rapid.IntRange(0, 5).Draw(t, "folded") == 0
			if rapid.IntRange(0, 3).Draw(t, "store") == 0 {
				b := stored.AppendSnapshot(nil)
				stored = New(Facts{}, o)
				if err := stored.Restore(b); err != nil {
					t.Fatal(err)
				}
				if again := stored.AppendSnapshot(nil); !slices.Equal(b, again) {
					t.Fatal("the second snapshot differs from the first")
				}
			}
			if a, b := answers(plain, r, folded), answers(stored, r, folded); !reflect.DeepEqual(a, b) {
				t.Fatalf("got %+v, without a snapshot %+v", b, a)
			}
		}
		if a, b := plain.Settle(eternity), stored.Settle(eternity); !reflect.DeepEqual(a, b) {
			t.Fatalf("at the end got %+v, without a snapshot %+v", b, a)
		}
	})
}

// A guard that is not to explain stays so, whatever it restores.
func TestRestoreStaysMute(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		for i := range 3 {
			s.kind(time.Duration(i)*time.Second, "192.0.2.1", event.NonSMTP, "")
		}
	})
	b := g.AppendSnapshot(nil)
	for _, explains := range []bool{true, false} {
		restored := New(Facts{}, Options{})
		restored.Explain(explains)
		if err := restored.Restore(b); err != nil {
			t.Fatal(err)
		}
		if v := restored.Decide(found("192.0.2.1", 2, now), now); v.Action != Ban || (len(v.Checks) > 0) != explains {
			t.Errorf("explains: %t; %s with the checks %q", explains, v.Action, v.Checks)
		}
	}
}

func answers(g *Guard, r event.Record, folded bool) []any {
	g.Observe(&r, folded)
	var all []any
	if class := r.Kind.Class(); r.Addr.IsValid() && !folded && (class == event.Hostile || class == event.Suspect) {
		f := Finding{Scenario: "csmail/x", Scope: event.ScopeIP, Addr: r.Addr, Needed: 1, First: r.Time, Last: r.Time}
		all = append(all, g.Decide(f, r.Time))
	}
	for _, ruling := range g.Due(r.Time) {
		ruling.Finding.First, ruling.Finding.Last = ruling.Finding.First.UTC(), ruling.Finding.Last.UTC()
		all = append(all, ruling)
	}
	return append(all, g.Breakers())
}

func TestRestoreDamaged(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		s.users(time.Hour, 3)
		s.fail(time.Hour, "192.0.2.9", "eve", event.Dovecot)
	})
	g.Decide(found("192.0.2.9", 1, now), now)
	whole := g.AppendSnapshot(nil)
	for n := range whole {
		other := New(Facts{}, Options{})
		if err := other.Restore(whole[:n]); err == nil {
			t.Fatalf("cut after %d of %d bytes: no error", n, len(whole))
		}
		if other.Sources() != 0 {
			t.Fatal("half restored")
		}
	}
	if err := New(Facts{}, Options{}).Restore(append(whole, 0)); err == nil {
		t.Error("one byte more: no error")
	}
	if err := New(Facts{}, Options{}).Restore([]byte{99}); err == nil || err.Error() != "the guard's snapshot is not of version 18" {
		t.Errorf("another version: %v", err)
	}
}

// A judge that is upgraded goes on with what it knew: without that it would ban who had proved
// himself. The file is of version 12, with logins and mail of a client that mx7 reported, an
// evicted proof and three offences.
func TestRestoreEarlierVersion(t *testing.T) {
	b, err := os.ReadFile("testdata/version12.snapshot")
	if err != nil {
		t.Fatal(err)
	}
	g := New(Facts{}, Options{Foreign: true})
	if err := g.Restore(b); err != nil {
		t.Fatal(err)
	}
	s := g.memory.find(keyOf(found(attacker, 1, sceneStart).Addr))
	if s == nil || s.mailedDays(g.now) != 4 || s.accounts.n != 1 || s.offences.n != 3 {
		t.Fatalf("got %+v, want four days with mail, one account and three offences", s)
	}
	if n := notExcused(g, attacker); n != 0 {
		t.Errorf("got %d offences that count, want none", n)
	}
	if g.evicted.strengthAt(9, g.now) != loginProof {
		t.Error("a proof of an evicted source is lost")
	}
	again := New(Facts{}, Options{Foreign: true})
	if err := again.Restore(g.AppendSnapshot(nil)); err != nil {
		t.Error(err)
	}
}

// Whatever is read, the guard refuses it or works with it.
func FuzzRestore(f *testing.F) {
	g, now := told(Options{}, func(s *scene) {
		s.busy(0, time.Minute)
		s.fail(0, "192.0.2.9", "eve", event.Dovecot)
		s.kind(0, "192.0.2.9", event.NoHostname, "")
	})
	g.Decide(found("192.0.2.9", 1, now), now)
	f.Add(g.AppendSnapshot(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		g := New(Facts{}, Options{})
		if g.Restore(b) != nil {
			return
		}
		answers(g, event.Record{Outcome: event.Noted, Event: event.Event{
			Time: sceneStart.Add(time.Hour), Kind: event.AuthFailed, Service: event.Dovecot, Attempts: 1, Addr: netip.MustParseAddr("192.0.2.9"),
		}}, false)
		g.History(netip.MustParseAddr("192.0.2.9"))
		g.Settle(eternity)
		g.AppendSnapshot(nil)
	})
}

func TestForgive(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		for i := range 5 {
			s.fail(0, "192.0.2.1", fmt.Sprint("user", i), event.Dovecot)
		}
	})
	g.Forgive(netip.MustParseAddr("192.0.2.1"), now.Add(24*time.Hour))
	guess := func(at time.Time, user string) Verdict {
		g.Observe(&event.Record{Outcome: event.Noted, Event: event.Event{
			Time: at, Kind: event.AuthFailed, Service: event.Dovecot, Attempts: 1, User: user, Addr: netip.MustParseAddr("192.0.2.1"),
		}}, false)
		return g.Decide(found("192.0.2.1", 2, at), at)
	}
	if v := guess(now.Add(23*time.Hour), "a"); v.Action != Hold || v.Reason != "forgiven by a person until 2026-06-04 04:00:00 UTC" {
		t.Errorf("within the day: %s, %s", v.Action, v.Reason)
	}
	guess(now.Add(25*time.Hour), "b")
	if v := guess(now.Add(25*time.Hour), "c"); v.Action != Ban || v.Reason != "2 attempts count, 2 are enough" {
		t.Errorf("after it: %s, %s", v.Action, v.Reason)
	}
}

func TestCaps(t *testing.T) {
	var s scene
	for i := range 5 {
		s.mail(0, fmt.Sprintf("192.0.2.%d", i))
		for range 3 {
			s.kind(time.Minute, fmt.Sprintf("192.0.2.%d", i), event.NonSMTP, "")
			s.kind(time.Minute, fmt.Sprintf("198.51.100.%d", i), event.NonSMTP, "")
		}
	}
	g := New(Facts{}, Options{BansPerHour: 4})
	for i := range s.log {
		g.Observe(&s.log[i], false)
	}
	now := sceneStart.Add(time.Minute)
	decide := func(addr string, now time.Time) string {
		v := g.Decide(found(addr, 3, now), now)
		return fmt.Sprint(v.Action, " ", v.Rule)
	}
	for i, want := range []string{"ban none", "hold successful-clients"} {
		if got := decide(fmt.Sprintf("192.0.2.%d", i), now); got != want {
			t.Errorf("good client %d: %s", i, got)
		}
	}
	for range 9 {
		if got := decide("192.0.2.0", now.Add(time.Minute)); got != "ban none" {
			t.Errorf("another scenario about a good client: %s", got)
		}
	}
	for i, want := range []string{"ban none", "ban none", "ban none", "hold bans-per-hour"} {
		for range 2 {
			if got := decide(fmt.Sprintf("198.51.100.%d", i), now); got != want {
				t.Errorf("client %d: %s", i, got)
			}
		}
	}
	if got := decide("198.51.100.4", now.Add(time.Hour)); got != "ban none" {
		t.Errorf("an hour later: %s", got)
	}
	if got := decide("192.0.2.0", now.Add(2*time.Hour)); got != "ban none" {
		t.Errorf("the good client once more that day: %s", got)
	}
}

// What speaks for a source outlives the source itself.
func TestEviction(t *testing.T) {
	g, now := told(Options{MaxSources: 16}, func(s *scene) {
		for i := range 30 {
			s.login(time.Duration(i)*time.Second, fmt.Sprintf("192.0.2.%d", i), "bob")
		}
		for i := range 100 {
			s.kind(time.Duration(100+i)*time.Second, fmt.Sprintf("198.51.100.%d", i), event.RecipientUnknown, "")
		}
		s.kind(time.Hour, "192.0.2.1", event.RecipientUnknown, "")
	})
	if g.Sources() > 16 {
		t.Errorf("%d sources", g.Sources())
	}
	if _, proofs, _ := g.Forgot(); proofs == 0 {
		t.Error("no proof had to go: the test is void")
	}
	if v := g.Decide(found("192.0.2.1", 1, now), now); v.Rule != Proven {
		t.Errorf("a forgotten login: %s, %s", v.Action, v.Reason)
	}
}

// Each kind of proof holds for its time after the source had to be forgotten, and no
// longer.
func TestEvictedProofs(t *testing.T) {
	const friend = "192.0.2.1"
	for name, tt := range map[string]struct {
		prove func(s *scene)
		holds time.Duration
	}{
		"login":            {func(s *scene) { s.login(0, friend, "bob") }, 14 * 24 * time.Hour},
		"name of provider": {func(s *scene) { s.connect(0, friend, "out.provider.example") }, 30 * 24 * time.Hour},
		"mail of three days": {func(s *scene) {
			for day := range time.Duration(3) {
				s.mail(day*24*time.Hour, friend)
			}
		}, 32*24*time.Hour - 4*time.Hour}, // the scene begins at four
		"mail of one day": {func(s *scene) { s.mail(0, friend) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := told(Options{MaxSources: 8, ProviderNames: []string{"provider.example"}}, func(s *scene) {
				tt.prove(s)
				for i := range 12 {
					s.login(50*time.Hour, fmt.Sprintf("198.51.100.%d", i), "eve")
				}
			})
			key := keyOf(netip.MustParseAddr(friend))
			if g.memory.find(key) != nil {
				t.Fatal("the source is not forgotten: the test is void")
			}
			end := stamp(sceneStart.Add(tt.holds))
			if tt.holds == 0 && g.isProven(key, nil, end) {
				t.Error("it is proven")
			} else if tt.holds > 0 && !g.isProven(key, nil, end-1) || g.isProven(key, nil, end) {
				t.Errorf("proven until the end: %t, after it: %t", g.isProven(key, nil, end-1), g.isProven(key, nil, end))
			}
		})
	}
}

func TestGateway(t *testing.T) {
	g, _ := told(Options{}, func(s *scene) {
		for i := range 200 {
			s.connect(0, "172.17.0.1", "unknown")
			if i%3 == 0 {
				s.connect(0, "192.0.2.1", "unknown")
				s.connect(0, "127.0.0.1", "localhost")
			}
		}
	})
	if addr, percent, ok := g.Gateway(); !ok || addr.String() != "172.17.0.1" || percent != 74 {
		t.Errorf("%s, %d %%, %v", addr, percent, ok)
	}
	if _, _, ok := New(Facts{}, Options{}).Gateway(); ok {
		t.Error("a gateway without a client")
	}
}

// A proxy on another host of the private network hides the clients as well; one private
// client among public ones does not.
func TestGatewayOfAPrivateAddress(t *testing.T) {
	for name, c := range map[string]struct {
		public int // connections from public addresses, beside 200 of the private one
		want   bool
	}{"a proxy": {0, true}, "a proxy before half of the mail": {180, true}, "a monitor": {300, false}} {
		t.Run(name, func(t *testing.T) {
			g, _ := told(Options{}, func(s *scene) {
				for range 200 {
					s.connect(0, "10.0.0.5", "unknown")
				}
				for range c.public {
					s.connect(0, "192.0.2.1", "unknown")
				}
			})
			if addr, percent, ok := g.Gateway(); ok != c.want || ok && addr.String() != "10.0.0.5" {
				t.Errorf("got %s, %d %%, %v, want %v", addr, percent, ok, c.want)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		s.login(0, "192.0.2.1", "bob")
		s.mail(0, "192.0.2.1")
		s.mail(30*time.Hour, "192.0.2.1")
		s.fail(30*time.Hour, "192.0.2.1", "bob", event.Dovecot)
		s.kind(30*time.Hour, "192.0.2.1", event.NonSMTP, "")
	})
	h := g.History(netip.MustParseAddr("192.0.2.1"))
	want := History{
		Source: netip.MustParsePrefix("192.0.2.1/32"), Proof: "it logged in on 2026-06-03", LastLogin: sceneStart,
		Accounts: 1, MailDays: 2, First: now, Last: now, Tried: 1,
		Offences: []event.Count{{Name: "auth-failed", N: 1}, {Name: "non-smtp", N: 1}}, Excuses: []Excuse{{Proven, 1}, {Stale, 1}},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got  %+v\nwant %+v", h, want)
	}
	if h := g.History(netip.MustParseAddr("::1")); h.Never != "loopback address" || h.Source.String() != "::/64" {
		t.Errorf("loopback: %+v", h)
	}
}

func TestBreakers(t *testing.T) {
	g, _ := told(Options{}, func(s *scene) {
		s.busy(0, time.Hour)
		s.put(time.Hour, "", event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}})
	})
	var holds []string
	for _, b := range g.Breakers() {
		if b.Holds {
			holds = append(holds, b.Name+": "+b.Why)
		}
	}
	if want := "[login dovecot: last trouble at 2026-06-03 05:00:00 UTC]"; fmt.Sprint(holds) != want {
		t.Errorf("got %s", holds)
	}
}

// Ten thousand sources, each with a login, days of mail and eight offences.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g := New(Facts{}, Options{})
	for i := range 10000 {
		addr := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		r := event.Record{Outcome: event.Noted, Event: event.Event{Time: sceneStart, Addr: addr, Service: event.Dovecot, Kind: event.LoginOK, User: "bob"}}
		g.Observe(&r, false)
		for n := range 8 {
			r.Kind, r.Attempts, r.Time = event.AuthFailed, 1, sceneStart.Add(time.Duration(n)*time.Minute)
			g.Observe(&r, false)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 10; grown > 5<<10 {
		t.Errorf("%d KB for %d sources", grown, g.Sources())
	} else {
		t.Logf("%d KB for %d sources, snapshot %d KB", grown, g.Sources(), len(g.AppendSnapshot(nil))>>10)
	}
	runtime.KeepAlive(g)
}

// The fast test of addresses agrees with the list that gives the reasons.
func TestMatcher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		if rapid.Bool().Draw(t, "IPv4") {
			raw = raw[:4]
		}
		addr, _ := netip.AddrFromSlice(raw)
		near, _ := netip.AddrFromSlice(raw)
		if rapid.Bool().Draw(t, "near") {
			near = near.Next()
		}
		length := rapid.IntRange(0, addr.BitLen()).Draw(t, "length")
		g := New(Facts{Allow: []netip.Prefix{netip.PrefixFrom(addr, length)}}, Options{})
		for _, a := range []netip.Addr{addr, near} {
			if _, held := g.Never(a); a.IsValid() && g.matcher.has(a) != held {
				t.Fatalf("%s: never %v", a, held)
			}
		}
	})
}

func BenchmarkWitness(b *testing.B) {
	for name, r := range map[string]event.Record{
		"connect":  {Outcome: event.Witness, Testimony: event.Connected, Event: event.Event{ClientName: "mx.example"}},
		"unknown":  {Outcome: event.Witness, Testimony: event.Connected, Event: event.Event{ClientName: "unknown"}},
		"accepted": {Outcome: event.Witness, Testimony: event.MailAccepted},
		"login":    {Outcome: event.Noted, Event: event.Event{Kind: event.LoginOK, User: "bob@example.org", Attempts: 1}},
		"failed":   {Outcome: event.Noted, Event: event.Event{Kind: event.AuthFailed, User: "bob@example.org", Attempts: 1}},
	} {
		b.Run(name, func(b *testing.B) {
			g := New(Facts{}, Options{})
			b.ReportAllocs()
			for i := range b.N {
				r.Addr = netip.AddrFrom4([4]byte{198, 18, byte(i % 40), byte(i % 250)})
				r.Time = sceneStart.Add(time.Duration(i) * 20 * time.Millisecond)
				g.Observe(&r, false)
			}
		})
	}
}

// The sources in a network are the same whether they are asked for by their keys or
// looked for among all.
func TestWithin(t *testing.T) {
	networks := []string{"192.0.2.0/24", "192.0.2.64/26", "192.0.2.7/32", "192.0.0.0/16", "2001:db8::/64", "2001:db8::/32", "2001:db8::1/128", "::/0", "0.0.0.0/0"}
	rapid.Check(t, func(t *rapid.T) {
		g := New(Facts{}, Options{})
		for _, addr := range rapid.SliceOf(rapid.SampledFrom([]string{
			"192.0.2.0", "192.0.2.7", "192.0.2.70", "192.0.2.255", "192.0.3.0", "198.51.100.1", "2001:db8::1", "2001:db8:0:1::1", "2001:db9::1",
		})).Draw(t, "addresses") {
			g.source(keyOf(netip.MustParseAddr(addr)), 1)
		}
		for i := range rapid.IntRange(0, 300).Draw(t, "others") {
			g.source(keyOf(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})), 1)
		}
		for _, text := range networks {
			network := netip.MustParsePrefix(text)
			found := map[uint64]*source{}
			for s := range g.memory.within(network) {
				found[s.key] = s
			}
			for s := range g.memory.all {
				if want := network.Overlaps(networkOf(s.key)); want != (found[s.key] == s) {
					t.Fatalf("%s in %s: got %t, want %t", networkOf(s.key), text, !want, want)
				}
			}
		}
	})
}

// The key under which names are hashed changes no verdict, and a state that is
// restored brings its own.
func TestHashKey(t *testing.T) {
	verdicts := func(first, second event.HashKey) []Verdict {
		s := &scene{}
		s.login(0, attacker, "mallory@example.org")
		s.fail(time.Minute, attacker, "Mallory", event.Postfix)
		s.attack(2 * time.Minute)
		p := &player{guard: New(Facts{}, Options{HashKey: first}), how: strictnesses[0], buckets: map[uint64]*bucket{}, banned: map[string]bool{}}
		for i := range s.log {
			if i == len(s.log)/2 {
				restored := New(Facts{}, Options{HashKey: second})
				if err := restored.Restore(p.guard.AppendSnapshot(nil)); err != nil {
					t.Fatal(err)
				}
				p.guard = restored
			}
			p.step(&s.log[i])
		}
		p.rule(p.guard.Settle(eternity))
		return p.verdicts
	}
	want := verdicts(event.HashKey{}, event.HashKey{})
	for _, keys := range [][2]event.HashKey{{{1}, {1}}, {{1}, {2}}, {{0xff}, {}}} {
		if got := verdicts(keys[0], keys[1]); !reflect.DeepEqual(got, want) {
			t.Errorf("keys %x: %s\nwant\n%s", keys, reasons(got), reasons(want))
		}
	}
}
