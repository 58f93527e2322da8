package guard

import (
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
