package guard

import (
	"bytes"
	"testing"
	"time"

	"csmail/pkg/event"
)

// What an edge that was broken into reported excuses nobody once it is distrusted, and what
// others reported still does.
func TestDistrust(t *testing.T) {
	part := func(host string, write func(*scene)) func(*scene) {
		return func(s *scene) {
			from := len(s.log)
			write(s)
			for i := range s.log[from:] {
				r := &s.log[from+i]
				r.Host, r.Origin = host, event.OriginOf(host, "")
				r.Origin.Edge = event.EdgeOf(host)
			}
		}
	}
	login := func(host string, at time.Duration, user string) func(*scene) {
		return part(host, func(s *scene) { s.login(at, attacker, user) })
	}
	mails := func(host string) func(*scene) {
		return part(host, func(s *scene) {
			for day := range 4 {
				s.mail(time.Duration(day-3)*24*time.Hour, attacker)
			}
		})
	}
	named := func(host string, at time.Duration) func(*scene) {
		return part(host, func(s *scene) { s.connect(at, attacker, "mail.provider.example") })
	}
	suspicions := func(host string) func(*scene) {
		return part(host, func(s *scene) {
			for i := range 9 {
				s.kind(26*time.Hour+time.Duration(i)*time.Minute, attacker, event.RelayDenied, "Relay access denied")
			}
		})
	}
	guesses := func(host, user string) func(*scene) {
		return part(host, func(s *scene) {
			for i := range 9 {
				s.fail(26*time.Hour+time.Duration(i)*time.Minute, attacker, user, event.Dovecot)
			}
		})
	}
	for name, tt := range map[string]struct {
		script        []func(*scene)
		before, after int // offences that count
	}{
		"logins on two days":                     {[]func(*scene){login("mx7", time.Hour, "bob"), login("mx7", 25*time.Hour, "bob"), suspicions("mx1")}, 0, 9},
		"logins of another edge, too":            {[]func(*scene){login("mx7", time.Hour, "bob"), login("mx1", 25*time.Hour, "eve"), suspicions("mx1")}, 0, 0},
		"logins of another edge first":           {[]func(*scene){login("mx1", time.Hour, "bob"), login("mx7", 25*time.Hour, "bob"), suspicions("mx1")}, 0, 0},
		"logins of another edge, elsewhere":      {[]func(*scene){login("mx2", time.Hour, "bob"), login("mx7", 25*time.Hour, "bob"), suspicions("mx1")}, 0, 9},
		"logins of others alone":                 {[]func(*scene){login("mx2", time.Hour, "bob"), login("mx3", 25*time.Hour, "bob"), suspicions("mx1")}, 0, 0},
		"a stale password":                       {[]func(*scene){login("mx7", 25*time.Hour, "bob"), guesses("mx1", "bob")}, 0, 9},
		"a stale password of another edge":       {[]func(*scene){login("mx2", 25*time.Hour, "bob"), login("mx7", 25*time.Hour, "eve"), guesses("mx1", "bob")}, 0, 0},
		"mail":                                   {[]func(*scene){mails("mx7"), mails("mx1"), suspicions("mx1")}, 0, 9},
		"mail of others alone":                   {[]func(*scene){mails("mx2"), mails("mx1"), suspicions("mx1")}, 0, 0},
		"a provider's name on two days":          {[]func(*scene){named("mx7", time.Hour), named("mx7", 25*time.Hour), suspicions("mx1")}, 0, 9},
		"a provider's name by another edge, too": {[]func(*scene){named("mx7", time.Hour), named("mx1", 2*time.Hour), suspicions("mx1")}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{}
			for _, write := range tt.script {
				write(s)
			}
			g := guardOf(s, true)
			if got := notExcused(g, attacker); got != tt.before {
				t.Errorf("before: got %d offences that count, want %d", got, tt.before)
			}
			g.Distrust(event.EdgeOf("mx7"), []event.Origin{event.OriginOf("mx7", "")})
			if got := notExcused(g, attacker); got != tt.after {
				t.Errorf("after: got %d offences that count, want %d", got, tt.after)
			}
			snapshot := g.AppendSnapshot(nil)
			restored := New(Facts{}, Options{Foreign: true})
			if err := restored.Restore(snapshot); err != nil {
				t.Fatal(err)
			}
			if got := restored.AppendSnapshot(nil); !bytes.Equal(got, snapshot) {
				t.Error("a snapshot that was restored differs")
			}
		})
	}
}

// A proof of a source that was dropped for want of room is forgotten, too.
func TestDistrustEvicted(t *testing.T) {
	g := New(Facts{}, Options{Foreign: true, MaxSources: 8})
	g.now = 20000 * day
	number := g.reporters.number(&event.Record{Origin: event.Origin{Edge: 7, Host: 1}})
	other := g.reporters.number(&event.Record{Origin: event.Origin{Edge: 8, Host: 2}})
	for key, by := range map[uint64]witness{1: {number, afterwards}, 2: {other, afterwards + number}, 3: {other, afterwards}} {
		g.evicted.remember(key, proof{g.now + day, loginProof, by}, g.now, 8)
	}
	g.Distrust(7, nil)
	for key, want := range map[uint64]strength{1: noProof, 2: noProof, 3: loginProof} {
		if got := g.evicted.strengthAt(key, g.now); got != want {
			t.Errorf("source %d: got proof %d, want %d", key, got, want)
		}
	}
}

// A fault that the edge made up excuses no guesses on another host of its site any more. Until
// then it may have been a real one.
func TestDistrustFaults(t *testing.T) {
	site := event.OriginOf("site/paris", "")
	guess := func(g *Guard, s *scene) {
		for i := range s.log {
			s.log[i].Origin = site
			g.Observe(&s.log[i], false)
		}
	}
	g := New(Facts{}, Options{Foreign: true})
	s := &scene{}
	for i := range 3 {
		s.kind(time.Duration(i)*time.Second, attacker, event.AuthFault, "database down")
	}
	s.fail(10*time.Second, attacker, "bob", event.Dovecot)
	guess(g, s)
	if got := notExcused(g, attacker); got != 0 {
		t.Fatalf("before: got %d offences that count, want none", got)
	}
	g.Distrust(event.EdgeOf("mx7"), []event.Origin{site})
	s = &scene{}
	s.fail(time.Minute, attacker, "bob", event.Dovecot)
	guess(g, s)
	if got := notExcused(g, attacker); got != 1 {
		t.Errorf("after: got %d offences that count, want the one from after the word", got)
	}
}
