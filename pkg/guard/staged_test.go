package guard

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// unchecked is a login that we could not check, as the log of a service of ours has it.
func (s *scene) unchecked(at time.Duration, addr, user string) {
	s.put(at, addr, event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault, User: user}})
}

// somebodyLogsIn is the life of a host.
func (s *scene) somebodyLogsIn(every, until time.Duration) {
	for at := time.Duration(0); at < until; at += every {
		s.login(at, fmt.Sprintf("198.51.100.%d", 1+at/every%50), fmt.Sprint("user", at/every%50))
	}
}

// guesses are one a minute, at five accounts.
func (s *scene) guesses(until time.Duration) {
	for at := 5 * time.Second; at < until; at += time.Minute {
		s.fail(at, attacker, fmt.Sprint("victim", at/time.Minute%5), event.Dovecot)
	}
}

// Where a client finds a user name that our own database fails on, he has faults of
// ours logged as he likes, from as many addresses as he has. What he does from yet
// another one counts: nobody whom we know has met a fault.
func TestStagedFaults(t *testing.T) {
	for name, every := range map[string]time.Duration{"busy host": 20 * time.Second, "small host": 25 * time.Minute} {
		for form, names := range map[string]string{"one name": "\xff", "many names": "\xff%d", "no name": ""} {
			t.Run(name+", "+form, func(t *testing.T) {
				var s scene
				s.busy(0, 2*time.Hour)
				s.somebodyLogsIn(every, 2*time.Hour)
				for at := time.Duration(0); at < 2*time.Hour; at += 20 * time.Second {
					user := names
					if form == "many names" {
						user = fmt.Sprintf(names, at)
					}
					s.unchecked(at, "203.0.113.1", user)
					s.unchecked(at+time.Second, "203.0.113.2", user)
				}
				s.guesses(2 * time.Hour)
				s.expect(t, onlyAttacker)
			})
		}
	}
}

// Webmail is a host that we trust, but it says what its visitors typed.
func TestStagedFaultsByWebmail(t *testing.T) {
	var s scene
	s.busy(0, 2*time.Hour)
	s.somebodyLogsIn(25*time.Minute, 2*time.Hour)
	for at := time.Duration(0); at < 2*time.Hour; at += time.Minute {
		s.login(at, "127.0.0.1", "visitor")
		s.unchecked(at+time.Second, "127.0.0.1", fmt.Sprint("\xff", at))
	}
	s.guesses(2 * time.Hour)
	s.expect(t, onlyAttacker)
}

// Mail to a recipient that the database fails on is looked up without a client.
func TestStagedFaultsByMail(t *testing.T) {
	var s scene
	s.busy(0, 2*time.Hour)
	s.somebodyLogsIn(25*time.Minute, 2*time.Hour)
	for at := time.Second; at < 2*time.Hour; at += 30 * time.Second {
		s.unchecked(at, "", fmt.Sprint("\xff", at))
	}
	s.guesses(2 * time.Hour)
	s.expect(t, onlyAttacker)
}

// Two own accounts tell of one outage a day, however their names are written, and
// whatever else tells it.
func TestStagedSpellings(t *testing.T) {
	for name, put := range map[string]func(s *scene, at time.Duration, addr, user string){
		"wrong passwords": func(s *scene, at time.Duration, addr, user string) { s.fail(at, addr, user, event.Dovecot) },
		"faults":          (*scene).unchecked,
	} {
		t.Run(name, func(t *testing.T) {
			var s scene
			s.busy(0, 2*time.Hour)
			s.somebodyLogsIn(20*time.Second, 2*time.Hour)
			for at := time.Duration(0); at < 2*time.Hour; at += 10 * time.Second {
				for i, addr := range []string{"203.0.113.1", "203.0.113.2"} {
					s.login(at, addr, fmt.Sprint("own", i))
					put(&s, at+time.Second, addr, fmt.Sprintf("own%d@%d.example", i, at))
				}
			}
			s.guesses(2 * time.Hour)
			s.expect(t, onlyAttacker)
		})
	}
}

// A client meets a fault of its own making right before each guess. It excuses no
// guess at another's account, and none once somebody else gets in.
func TestOwnFaultBeforeEachGuess(t *testing.T) {
	for name, user := range map[string]string{"a name of its own": "\xff", "no name": ""} {
		t.Run(name, func(t *testing.T) {
			var s scene
			s.busy(0, 2*time.Hour)
			s.somebodyLogsIn(20*time.Second, 2*time.Hour)
			for at := time.Duration(0); at < 2*time.Hour; at += time.Minute {
				s.unchecked(at+7*time.Second, attacker, user)
				s.fail(at+8*time.Second, attacker, fmt.Sprint("victim", at/time.Minute%5), event.Dovecot)
			}
			s.expect(t, onlyAttacker)
		})
	}
}

// An outage of which clients tell is over when somebody gets in.
func TestClaimIsRefuted(t *testing.T) {
	var o outage
	o.set(2*minute, 30*minute, 2)
	o.works(9, noon-20)
	o.fails(1, 1, noon, true)
	o.fails(2, 2, noon+5, true)
	for at, want := range map[uint32]bool{noon - 30: false, noon - 10: true, noon + 5: true, noon + 60: true, noon + 20*minute: true, noon + 31*minute: false} {
		if got := o.covers(at); got != want {
			t.Errorf("%d s after noon: %t", int64(at)-noon, got)
		}
	}
	o.works(9, noon+30)
	for at, want := range map[uint32]bool{noon: true, noon + 30: true, noon + 31: false, noon + 60: false} {
		if got := o.covers(at); got != want {
			t.Errorf("after a login, %d s after noon: %t", int64(at)-noon, got)
		}
	}
}

// Real outages of which only clients' lines tell: the users meet them, and nobody
// gets in. A newcomer's failures in them do not count; nor before anybody is known.
func TestRealFaults(t *testing.T) {
	for name, known := range map[string]bool{"known users": true, "log begins in it": false} {
		t.Run(name, func(t *testing.T) {
			var s scene
			s.busy(0, 4*time.Hour)
			if known {
				s.users(time.Hour, 3)
			}
			for at := time.Hour; at < 3*time.Hour; at += 5 * time.Minute {
				for i := range 3 {
					s.unchecked(at+time.Duration(i)*time.Second, fmt.Sprintf("192.0.2.%d", 1+i), fmt.Sprint("user", i))
				}
				for i := range 3 {
					s.fail(at+time.Minute+time.Duration(i)*20*time.Second, "192.0.2.77", fmt.Sprint("new", i), event.Dovecot)
				}
			}
			for i := range 3 {
				s.login(3*time.Hour+time.Minute, fmt.Sprintf("192.0.2.%d", 1+i), fmt.Sprint("user", i))
			}
			s.attack(2 * time.Hour)
			s.expect(t, onlyAttacker)
		})
	}
}
