package guard

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

const (
	intruder = "203.0.113.9"
	home     = "192.0.2.1"
)

// guessAlice has the intruder guess for an hour, and then know the password.
func (s *scene) guessAlice(at time.Duration) {
	for i := range 12 {
		s.fail(at+time.Duration(i)*5*time.Minute, intruder, "alice", event.Dovecot)
	}
	s.login(at+time.Hour, intruder, "alice")
}

// A login after a break-in proves nothing while the account's owner is at home elsewhere:
// what excuses proven sources excuses nothing there. The honest twin, who has moved and
// could not spell his password at first, is proven.
func TestLoginAfterABreakIn(t *testing.T) {
	const hours, days = time.Hour, 24 * time.Hour
	tests := map[string]struct {
		build func(*scene)
		limit time.Duration // login_proves
		want  Action        // of relay attempts two days later
	}{
		"the owner logged in at home before": {func(s *scene) {
			s.login(0, home, "alice")
			s.guessAlice(hours)
			s.login(2*days, intruder, "alice")
		}, 0, Ban},
		"the owner logs in at home after it": {func(s *scene) {
			s.guessAlice(0)
			s.login(30*hours, home, "alice@example.org")
			s.login(2*days, intruder, "alice")
		}, 0, Ban},
		"a login of which the log names no account": {func(s *scene) {
			s.login(0, home, "alice")
			s.guessAlice(hours)
			s.nameless(2*days, intruder)
		}, 0, Ban},
		"the password is used again and again": {func(s *scene) {
			s.login(0, home, "alice")
			s.guessAlice(hours)
			for i := range 40 {
				s.login(26*hours+time.Duration(i)*10*time.Minute, intruder, "alice")
			}
			s.login(2*days, intruder, "alice")
		}, 0, Ban},
		"the twin has no other home": {func(s *scene) {
			s.login(0, home, "bob")
			s.guessAlice(hours)
			s.login(2*days, intruder, "alice")
		}, 0, Hold},
		"the twin left the other home long ago": {func(s *scene) {
			s.login(0, home, "alice")
			s.guessAlice(5 * hours)
			s.login(2*days, intruder, "alice")
		}, 6 * hours, Hold},
		"another account logs in there": {func(s *scene) {
			s.login(0, home, "alice")
			s.guessAlice(hours)
			s.login(2*days, intruder, "carol")
		}, 0, Hold},
		"another account, of the same name in another domain": {func(s *scene) {
			s.login(0, home, "alice@example.net")
			for i := range 12 {
				s.fail(time.Duration(i)*5*time.Minute, intruder, "alice@example.org", event.Dovecot)
			}
			s.login(hours, intruder, "alice@example.org")
			s.login(2*days, intruder, "alice@example.org")
		}, 0, Hold},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := Options{}
			if tt.limit > 0 {
				o.LoginProves = tt.limit
			}
			g, _ := told(o, func(s *scene) {
				tt.build(s)
				for i := range 3 {
					s.kind(2*days+time.Duration(i+1)*time.Second, intruder, event.RelayDenied, "")
				}
			})
			now := sceneStart.Add(2*days + 10*time.Second)
			f := found(intruder, 3, now)
			f.First, f.Kinds = sceneStart.Add(2*days), Kinds(event.KindSet(0).With(event.RelayDenied))
			if v := g.Decide(f, now); v.Action != tt.want {
				t.Errorf("got %s (%s): %s, want %s", v.Action, v.Rule, v.Reason, tt.want)
			}
		})
	}
}

// A break-in is remembered over a restart, and not after a person's word for its source.
func TestBreakInIsRemembered(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		s.login(0, home, "alice")
		s.guessAlice(time.Hour)
	})
	at := stamp(now.Add(30 * time.Hour))
	proves := func(g *Guard) bool {
		return !g.broken.loggedIn(keyOf(netip.MustParseAddr(intruder)), g.key.Account("alice"), at, g.limits.login)
	}
	snapshot := g.AppendSnapshot(nil)
	restored := New(Facts{}, Options{})
	if err := restored.Restore(snapshot); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(restored.AppendSnapshot(nil), snapshot) {
		t.Error("the state changes by a restart")
	}
	if proves(g) || proves(restored) {
		t.Errorf("a login after a break-in proves: got %t, after a restart %t, want false", proves(g), proves(restored))
	}
	restored.Forgive(netip.MustParseAddr(intruder), now.Add(time.Hour))
	if !proves(restored) {
		t.Error("a login proves nothing although a person spoke for its source")
	}
}

// More break-ins than are remembered take no more memory.
func TestManyBreakIns(t *testing.T) {
	var b broken
	key := event.HashKey{1}
	for i := range 3*maxBroken + 7 {
		b.note(uint64(i), key.Account(fmt.Sprint("user", i)), 1)
	}
	if b.n > maxBroken || len(b.in) > maxBroken || len(b.homes) > maxBroken || b.n != 7 {
		t.Errorf("got %d break-ins of %d sources and %d accounts, want 7", b.n, len(b.in), len(b.homes))
	}
}
