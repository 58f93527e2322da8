package guard

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// try is a failed login with a password of which the mark is known; 0: it is not.
func (s *scene) try(at time.Duration, addr, user string, p event.PasswordMark) {
	s.put(at, addr, event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFailed, User: user, Password: p}})
}

// A password that is sent again and again is one guess. Everything else counts.
func TestOnePasswordIsOneGuess(t *testing.T) {
	const client = "192.0.2.1"
	minutely := func(n int, try func(i int, at time.Duration)) {
		for i := range n {
			try(i, time.Duration(i)*time.Minute)
		}
	}
	for name, c := range map[string]struct {
		build func(*scene)
		want  Action
	}{
		"a phone with one old password": {func(s *scene) {
			minutely(60, func(_ int, at time.Duration) { s.try(at, client, "bob", 7) })
		}, Hold},
		"two phones, two old passwords of one account": {func(s *scene) {
			minutely(60, func(i int, at time.Duration) { s.try(at, client, "bob", event.PasswordMark(7+i%2)) })
		}, Hold},
		"two people of one house": {func(s *scene) {
			minutely(60, func(i int, at time.Duration) { s.try(at, client, fmt.Sprint("user", i%2), event.PasswordMark(7+i%2)) })
		}, Hold},
		"several attempts in a line": {func(s *scene) {
			minutely(10, func(_ int, at time.Duration) {
				s.put(at, client, event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFailed, User: "bob", Password: 7, Attempts: 3}})
			})
		}, Hold},
		"a guess each time": {func(s *scene) {
			minutely(60, func(i int, at time.Duration) { s.try(at, client, "bob", event.PasswordMark(7+i)) })
		}, Ban},
		"ten guesses, each six times": {func(s *scene) {
			minutely(60, func(i int, at time.Duration) { s.try(at, client, "bob", event.PasswordMark(7+i%10)) })
		}, Ban},
		"an old password, and ten guesses beside it": {func(s *scene) {
			minutely(60, func(i int, at time.Duration) {
				p := event.PasswordMark(7)
				if i%6 == 0 {
					p += event.PasswordMark(i)
				}
				s.try(at, client, "bob", p)
			})
		}, Ban},
		"one password on many accounts": {func(s *scene) { // the marks are salted with the account; these are worse
			minutely(60, func(i int, at time.Duration) { s.try(at, client, fmt.Sprint("user", i), 7) })
		}, Ban},
		"nothing is known of the passwords": {func(s *scene) {
			minutely(60, func(_ int, at time.Duration) { s.try(at, client, "bob", 0) })
		}, Ban},
		"nothing is known of every third": {func(s *scene) {
			minutely(60, func(i int, at time.Duration) { s.try(at, client, "bob", event.PasswordMark(7*min(i%3, 1))) })
		}, Ban},
		"no account": {func(s *scene) {
			minutely(60, func(_ int, at time.Duration) { s.try(at, client, "", 7) })
		}, Ban},
		"an old password, and other offences": {func(s *scene) {
			minutely(60, func(i int, at time.Duration) {
				s.try(at, client, "bob", 7)
				if i%5 == 0 {
					s.kind(at, client, event.NonSMTP, "")
				}
			})
		}, Ban},
	} {
		t.Run(name, func(t *testing.T) {
			g, now := told(Options{}, c.build)
			f := found(client, 10, now)
			if v := g.Decide(f, now); v.Action != c.want {
				t.Errorf("got %s (%s): %s, want %s", v.Action, v.Rule, v.Reason, c.want)
			}
		})
	}
}

// After a hundred tries of one old password the right one is no break-in; after eleven
// guesses it may be.
func TestRepeatedPasswordIsNoBreakIn(t *testing.T) {
	for name, c := range map[string]struct {
		marks int
		want  bool
	}{"one old password": {1, false}, "twenty guesses": {20, true}} {
		g, _ := told(Options{}, func(s *scene) {
			for i := range 40 {
				s.try(time.Duration(i)*time.Minute, "192.0.2.1", "bob", event.PasswordMark(1+i%c.marks))
			}
			s.login(time.Hour, "192.0.2.1", "bob")
		})
		if got := g.Guessed().N > 0; got != c.want {
			t.Errorf("%s: a break-in: got %t, want %t", name, got, c.want)
		}
	}
}

// The mark of a folded line goes to the failure it is about, and to no other.
func TestFoldedLineBringsTheMark(t *testing.T) {
	g := New(Facts{}, Options{})
	observe := func(at time.Duration, p event.PasswordMark, folded bool) {
		s := &scene{}
		s.try(at, "192.0.2.1", "bob", p)
		g.Observe(&s.log[0], folded)
	}
	for i := range 12 { // the log's line, then the report of the same attempt
		at := time.Duration(i) * time.Minute
		observe(at, 0, false)
		observe(at+2*time.Second, 7, true)
	}
	now := sceneStart.Add(12 * time.Minute)
	if v := g.Decide(found("192.0.2.1", 10, now), now); v.Action != Hold || v.Rule != Stale {
		t.Errorf("got %s, %s: %s, want a hold", v.Action, v.Rule, v.Reason)
	}
	g = New(Facts{}, Options{})
	for i := range 12 { // the first of two within seconds has no mark, and gets none
		at := time.Duration(i) * time.Minute
		observe(at, 0, false)
		observe(at+time.Second, 7, false)
		observe(at+3*time.Second, 7, true)
	}
	if v := g.Decide(found("192.0.2.1", 10, now), now); v.Action != Ban {
		t.Errorf("got %s, %s: %s, want a ban", v.Action, v.Rule, v.Reason)
	}
}
