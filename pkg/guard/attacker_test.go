package guard

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// anonymous is a login of which the log names no user: "disconnect … auth=1/2".
func (s *scene) anonymous(at time.Duration, addr string) {
	s.put(at, addr, event.Record{Testimony: event.Disconnected, Event: event.Event{Service: event.Postfix, Kind: event.LoginOK}})
}

// A customer guesses at another's account and logs in to his own in the same
// session. That login speaks for somebody who mistyped, once, and for no guess.
func TestOwnLoginIsNoOthers(t *testing.T) {
	var s scene
	s.busy(0, 4*time.Hour)
	for i := range 180 {
		at := time.Duration(i) * time.Minute
		s.fail(at, attacker, "alice", event.Postfix)
		s.anonymous(at+2*time.Second, attacker)
	}
	s.expect(t, onlyAttacker)
}

// Who mistyped and then got in is forgiven, also where the log names no user.
func TestMistypedThenAnonymous(t *testing.T) {
	var s scene
	s.busy(0, 26*time.Hour)
	for _, day := range []time.Duration{0, 25 * time.Hour} {
		for i := range 5 {
			s.fail(day+time.Duration(i)*20*time.Second, "192.0.2.7", "bob", event.Postfix)
		}
		s.anonymous(day+2*time.Minute, "192.0.2.7")
	}
	s.expect(t, func(strictness) []string { return nil })
}

// Two addresses of an attacker's log in to accounts of his own, and then fail on
// them, over and over. After the first time that is no outage, and what he does from
// a third address counts.
func TestStagedOutage(t *testing.T) {
	var s scene
	s.busy(0, time.Hour)
	for at := time.Duration(0); at < time.Hour; at += 20 * time.Second {
		s.login(at, fmt.Sprintf("198.51.100.%d", 1+at/time.Minute), "somebody")
	}
	for at := time.Duration(0); at < time.Hour; at += time.Minute {
		for i, addr := range []string{"203.0.113.1", "203.0.113.2"} {
			s.login(at+time.Second, addr, fmt.Sprint("own", i))
			s.fail(at+2*time.Second, addr, fmt.Sprint("own", i), event.Dovecot)
		}
	}
	for i := range 40 {
		s.fail(5*time.Second+time.Duration(i)*time.Minute, attacker, fmt.Sprint("victim", i%5), event.Dovecot)
	}
	s.expect(t, onlyAttacker)
}

// The same with three that brought mail for days and then miss recipients.
func TestStagedTableOutage(t *testing.T) {
	var s scene
	proven := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
	for _, addr := range proven {
		for day := range time.Duration(3) {
			s.mail(day*24*time.Hour, addr)
		}
	}
	start := 72 * time.Hour
	s.busy(start, start+time.Hour)
	for at := start; at < start+time.Hour; at += time.Minute {
		for _, addr := range proven {
			s.kind(at+time.Second, addr, event.RecipientUnknown, "")
		}
		s.kind(at+30*time.Second, attacker, event.RecipientUnknown, "")
	}
	s.expect(t, func(how strictness) []string {
		if !how.suspects {
			return nil
		}
		return []string{attacker}
	})
}

// withdrawn is the end of a session in which no message came after all.
func (s *scene) withdrawn(at time.Duration, addr string, messages int) {
	s.put(at, addr, event.Record{Testimony: event.Undelivered, Withdrawn: messages, Event: event.Event{Service: event.Postfix}})
}

// A client names an existing recipient each day and leaves, or sends what a filter
// refuses: that proves nothing. One message that came does.
func TestMailThatNeverCame(t *testing.T) {
	harvest := func(came bool) *scene {
		s := new(scene)
		for day := range 5 {
			at := time.Duration(day) * 24 * time.Hour
			s.busy(at, at+10*time.Minute)
			if came {
				s.mail(at, attacker)
			}
			s.mail(at, attacker)
			s.mail(at+time.Second, attacker)
			s.withdrawn(at+2*time.Second, attacker, 2)
		}
		for i := range 8 {
			s.kind(96*time.Hour+time.Duration(i+1)*time.Minute, attacker, event.RecipientUnknown, "")
		}
		return s
	}
	harvest(false).expect(t, func(how strictness) []string {
		if !how.suspects {
			return nil
		}
		return []string{attacker}
	})
	harvest(true).expect(t, func(strictness) []string { return nil })
}

// A botnet cannot shelter behind the cap on clients that got in today by naming a
// recipient first.
func TestCapCountsMailThatCame(t *testing.T) {
	var s scene
	s.busy(0, 2*time.Hour)
	var bots []string
	for i := range 20 {
		bot := fmt.Sprintf("203.0.113.%d", 100+i)
		at := time.Duration(i) * time.Minute
		s.mail(at, bot)
		s.withdrawn(at+time.Second, bot, 1)
		for k := range 12 {
			s.fail(at+time.Minute+time.Duration(k)*2*time.Second, bot, fmt.Sprint("victim", k), event.Dovecot)
		}
		bots = append(bots, bot)
	}
	s.expect(t, func(strictness) []string { return bots })
}
