package guard

import (
	"testing"
	"time"

	"csmail/pkg/event"
)

// on sets the host of all records from a place in the log on.
func (s *scene) on(host string, from int) {
	for i := range s.log[from:] {
		s.log[from+i].Host = host
	}
}

// excused has a guard of several hosts observe a log, and returns how many of the offences
// of a source it does not excuse.
func excused(foreign bool, addr string, script func(*scene)) int {
	s := &scene{}
	script(s)
	return notExcused(guardOf(s, foreign), addr)
}

// guardOf returns a guard that has observed a log.
func guardOf(s *scene, foreign bool) *Guard {
	g := New(Facts{}, Options{Foreign: foreign, ProviderNames: []string{"provider.example"}})
	for i := range s.log {
		g.Observe(&s.log[i], false)
	}
	return g
}

// notExcused returns how many of the offences of a source count.
func notExcused(g *Guard, addr string) (left int) {
	source := g.memory.find(keyOf(found(addr, 1, sceneStart).Addr))
	if source == nil {
		return 0
	}
	j := g.judgement(source)
	for _, o := range g.memory.offencesOf(source) {
		if rule, until := j.excuse(o); rule == NoRule && until == 0 {
			left++
		}
	}
	return left
}

// One host that tells of logins of an attacker, or of mail, does not excuse him on the
// others; on itself it does. What two hosts tell of, or one on two days, counts everywhere.
func TestForeignProofs(t *testing.T) {
	login := func(host string, at time.Duration, user string) func(*scene) {
		return func(s *scene) {
			from := len(s.log)
			s.login(at, attacker, user)
			s.on(host, from)
		}
	}
	guesses := func(host string, n int, user string) func(*scene) {
		return func(s *scene) {
			from := len(s.log)
			for i := range n {
				s.fail(26*time.Hour+time.Duration(i)*time.Minute, attacker, user, event.Dovecot)
			}
			s.on(host, from)
		}
	}
	suspicions := func(host string, n int) func(*scene) {
		return func(s *scene) {
			from := len(s.log)
			for i := range n {
				s.kind(26*time.Hour+time.Duration(i)*time.Minute, attacker, event.RelayDenied, "Relay access denied")
			}
			s.on(host, from)
		}
	}
	mails := func(host string) func(*scene) {
		return func(s *scene) {
			from := len(s.log)
			for day := range 4 {
				s.mail(time.Duration(day-3)*24*time.Hour, attacker)
			}
			s.on(host, from)
		}
	}
	for name, tt := range map[string]struct {
		script        []func(*scene)
		alone, others int // offences that count, of one host that trusts all, and of hosts that do not
	}{
		"suspicions, a login elsewhere":           {[]func(*scene){login("mx7", 25*time.Hour, "bob"), suspicions("mx1", 9)}, 0, 9},
		"suspicions, a login on the same host":    {[]func(*scene){login("mx1", 25*time.Hour, "bob"), suspicions("mx1", 9)}, 0, 0},
		"suspicions, logins on two hosts":         {[]func(*scene){login("mx7", 25*time.Hour, "bob"), login("mx2", 25*time.Hour, "eve"), suspicions("mx1", 9)}, 0, 0},
		"suspicions, logins on two days":          {[]func(*scene){login("mx7", time.Hour, "bob"), login("mx7", 25*time.Hour, "bob"), suspicions("mx1", 9)}, 0, 0},
		"suspicions, mail elsewhere":              {[]func(*scene){mails("mx7"), suspicions("mx1", 9)}, 0, 9},
		"suspicions, mail on two hosts":           {[]func(*scene){mails("mx7"), mails("mx2"), suspicions("mx1", 9)}, 0, 0},
		"a stale password elsewhere":              {[]func(*scene){login("mx7", 25*time.Hour, "bob"), guesses("mx1", 9, "bob")}, 0, 0},
		"many guesses at an account of elsewhere": {[]func(*scene){login("mx7", 25*time.Hour, "bob"), guesses("mx1", 50, "bob")}, 0, 50},
		"many, of an account of the same host":    {[]func(*scene){login("mx1", 25*time.Hour, "bob"), guesses("mx1", 50, "bob")}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			script := func(s *scene) {
				for _, part := range tt.script {
					part(s)
				}
			}
			if got := excused(false, attacker, script); got != tt.alone {
				t.Errorf("where hosts trust each other: got %d offences that count, want %d", got, tt.alone)
			}
			if got := excused(true, attacker, script); got != tt.others {
				t.Errorf("where they do not: got %d offences that count, want %d", got, tt.others)
			}
		})
	}
}

// Times that a host makes up are no second day, and the hosts that a collecting edge names
// are no second edge.
func TestWitness(t *testing.T) {
	from := func(edge, host uint64) *event.Record {
		return &event.Record{Origin: event.Origin{Edge: edge, Host: host}}
	}
	for name, tt := range map[string]struct {
		second     *event.Record
		later      uint32
		everywhere bool
	}{
		"the same, on the same day":                  {from(7, 1), 9, false},
		"the same, on another day":                   {from(7, 1), day, true},
		"the same edge, by another host's name":      {from(7, 2), 9, false},
		"the same edge, by another name, next day":   {from(7, 2), day, true},
		"another edge":                               {from(8, 3), 9, true},
		"another edge of the same site":              {from(8, 1), 9, false},
		"another edge of the same site, another day": {from(8, 1), day, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := New(Facts{}, Options{Foreign: true})
			g.now = 20000 * day
			w := g.reported(witness{}, true, from(7, 1))
			if g.weighsEverywhere(w) || !g.weighs(w, 1) || g.weighs(w, 3) {
				t.Error("once: got a proof that weighs on others, or not on its host")
			}
			g.now += tt.later
			if w = g.reported(w, false, tt.second); g.weighsEverywhere(w) != tt.everywhere {
				t.Errorf("twice: weighs everywhere: got %t, want %t", !tt.everywhere, tt.everywhere)
			}
		})
	}
}

// A verified name of a provider excuses on the host that reports it; elsewhere once another
// one does.
func TestForeignProvider(t *testing.T) {
	for name, tt := range map[string]struct {
		named []string
		want  int
	}{
		"by another host": {[]string{"mx7"}, 3},
		"by two hosts":    {[]string{"mx7", "mx2"}, 0},
		"by the host":     {[]string{"mx1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := excused(true, attacker, func(s *scene) {
				for i, host := range tt.named {
					from := len(s.log)
					s.connect(time.Duration(i)*time.Second, attacker, "mail.provider.example")
					s.on(host, from)
				}
				from := len(s.log)
				for i := range 3 {
					s.kind(time.Hour+time.Duration(i)*time.Minute, attacker, event.RelayDenied, "Relay access denied")
				}
				s.on("mx1", from)
			})
			if got != tt.want {
				t.Errorf("got %d offences that count, want %d", got, tt.want)
			}
		})
	}
}

// An edge of a cluster declares few addresses as its own. That its log names a client as its
// own server spares nobody, or whoever took the edge over could have anybody spared.
func TestOwnAddressByAnEdge(t *testing.T) {
	s := &scene{}
	r := event.Record{Outcome: event.Noted, Testimony: event.OwnAddress}
	r.Kind, r.Service, r.User, r.Attempts = event.AuthFailed, event.Dovecot, "bob", 1
	s.put(0, attacker, r)
	for i := range 9 {
		s.fail(26*time.Hour+time.Duration(i)*time.Minute, attacker, "u"+string(rune('a'+i)), event.Dovecot)
	}
	for edge, want := range map[uint64]Action{0: Hold, event.EdgeOf("mx7"): Ban} {
		for i := range s.log {
			s.log[i].Origin.Edge = edge
		}
		g := guardOf(s, true)
		now := s.log[len(s.log)-1].Time
		if v := g.Decide(found(attacker, 5, now), now); v.Action != want {
			t.Errorf("by edge %d: got %v (%s), want %v", edge, v.Action, v.Reason, want)
		}
	}
}
