package guard

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"csmail/pkg/event"
)

// lowest finds what sorting everything would find.
func TestLowest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		all := make([]ranked, random.IntN(40))
		for i := range all {
			all[i] = ranked{rank: uint64(random.IntN(6)), key: uint64(i)}
		}
		want := slices.SortedFunc(slices.Values(all), compareRanks)
		n := random.IntN(len(all) + 1)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := lowest(all, n); !slices.Equal(got, want[:n]) {
			t.Fatalf("the lowest %d: got %v, want %v", n, got, want[:n])
		}
	}
}

// A flood of sources that each bring a mail pushes out none that logged in, none that
// brought mail for days, and makes nobody proven.
func TestFloodOfMail(t *testing.T) {
	const user, host, harvester = "192.0.2.1", "192.0.2.2", "203.0.113.66"
	g, now := told(Options{MaxSources: 64}, func(s *scene) {
		for day := range time.Duration(3) {
			s.mail(day*24*time.Hour, host)
		}
		s.login(50*time.Hour, user, "bob")
		for i := range 2000 {
			s.mail(60*time.Hour+time.Duration(i)*time.Second, nth(i).String())
		}
		for i := range 12 {
			at := 62*time.Hour + time.Duration(i)*time.Second
			for _, addr := range []string{user, host, harvester} {
				s.kind(at, addr, event.RecipientUnknown, "")
			}
		}
	})
	if g.Sources() > 64 || len(g.evicted.proven) > 128 {
		t.Errorf("%d sources and %d proofs are remembered, want 64 and 128 at the most", g.Sources(), len(g.evicted.proven))
	}
	now = now.Add(2 * time.Minute)
	for addr, want := range map[string]string{user: "hold proven", host: "hold proven", harvester: "ban none"} {
		v := g.Decide(found(addr, 10, now), now)
		if got := fmt.Sprint(v.Action, " ", v.Rule); got != want {
			t.Errorf("%s: got %s (%s), want %s", addr, got, v.Reason, want)
		}
	}
}

// Of too many proofs the weakest go: mail before logins, and what ends soon first.
func TestForgetWeakestProofs(t *testing.T) {
	const room = 16
	var e evictions
	for i := range 3 * room {
		e.remember(uint64(1000+i), proof{day + uint32(i), mailProof, witness{}}, 0, room)
		if i < room/2 {
			e.remember(uint64(i), proof{day + uint32(i), loginProof, witness{}}, 0, room)
		}
	}
	for i := range room / 2 {
		if e.strengthAt(uint64(i), 0) != loginProof {
			t.Errorf("login %d is forgotten, and mail is kept", i)
		}
	}
	if n := len(e.proven); n > room {
		t.Errorf("%d proofs are kept, want %d at the most", n, room)
	}
	if e.strengthAt(1000, 0) != noProof || e.strengthAt(1000+3*room-1, 0) != mailProof {
		t.Error("the mail that proves longest is forgotten, or the one that ends first is kept")
	}
	e.remember(5, proof{2 * day, mailProof, witness{}}, 0, room)
	if e.strengthAt(5, 0) != loginProof {
		t.Error("a weaker proof takes the place of a stronger")
	}
	if e.strengthAt(5, 2*day) != noProof {
		t.Error("a proof holds after its end")
	}
}

// The order of a map has no part in what is forgotten.
func TestEvictionIsTheSame(t *testing.T) {
	var first []byte
	for run := range 5 {
		g, _ := told(Options{MaxSources: 32}, func(s *scene) {
			for i := range 500 {
				addr := nth(i % 170).String()
				switch i % 3 {
				case 0:
					s.login(time.Duration(i)*time.Minute, addr, "bob")
				case 1:
					s.mail(time.Duration(i)*time.Minute, addr)
				default:
					s.kind(time.Duration(i)*time.Minute, addr, event.NonSMTP, "")
				}
			}
		})
		got := g.AppendSnapshot(nil)
		if run == 0 {
			first = got
		}
		if !slices.Equal(got, first) {
			t.Fatalf("run %d ends in another state", run)
		}
	}
}

// A login that may be the prize of guessing proves nothing; one of a person who
// mistypes, and one on an account that was known there, does.
func TestBreakIn(t *testing.T) {
	const addr = "192.0.2.1"
	guess := func(n int, users ...string) func(*scene) {
		return func(s *scene) {
			for i := range n {
				s.fail(time.Hour+time.Duration(i)*3*time.Second, addr, users[i%len(users)], event.Dovecot)
			}
		}
	}
	tests := map[string]struct {
		build func(*scene)
		user  string
		want  bool // it is proven by the login
	}{
		"40 guesses":                         {guess(40, "alice"), "alice", false},
		"sprayed over many":                  {guess(40, "a", "b", "c", "alice"), "alice", false},
		"sprayed, and an account of his own": {guess(40, "a", "b", "c"), "mallory", false},
		"the log names no user of the login": {guess(40, "alice"), "", false},
		"another spelling":                   {guess(40, "Alice@example.org"), "alice", false},
		"ten mistakes":                       {guess(10, "alice"), "alice", true},
		"no failure":                         {func(*scene) {}, "alice", true},
		"the account was known there":        {func(s *scene) { s.login(0, addr, "alice"); guess(40, "alice")(s) }, "alice", true},
		"a phone of another in the office":   {func(s *scene) { s.login(0, addr, "carl"); guess(40, "dora")(s) }, "alice", true},
		"guesses long ago":                   {func(s *scene) { s.fail(-48*time.Hour, addr, "alice", event.Dovecot); guess(0, "x")(s) }, "alice", true},
		"while our login service is in trouble": {func(s *scene) {
			s.put(time.Hour, "", event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}})
			guess(40, "alice")(s)
		}, "alice", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g, _ := told(Options{}, func(s *scene) {
				tt.build(s)
				s.login(2*time.Hour, addr, tt.user)
			})
			key, at := keyOf(netip.MustParseAddr(addr)), stamp(sceneStart.Add(2*time.Hour))
			s := g.memory.find(key)
			if got := s.login == at; got != tt.want {
				t.Errorf("proven by the login: got %t, want %t", got, tt.want)
			}
		})
	}
}
