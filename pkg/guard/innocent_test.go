package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// Each of these gives no wrong ban, and the one attacker inside is banned.
func TestInnocent(t *testing.T) {
	scenes := map[string]func(*scene){
		"resolver down for three hours, large host": func(s *scene) {
			s.busy(0, time.Hour)
			for i, at := 0, time.Hour+10*time.Second; at < 4*time.Hour; i, at = i+1, at+5*time.Second {
				s.nameless(at, fmt.Sprintf("192.0.2.%d", 1+i%250))
				s.nameless(at, fmt.Sprintf("198.51.100.%d", 1+i%250))
			}
			s.busy(4*time.Hour, 5*time.Hour)
			s.attack(2 * time.Hour)
		},
		"resolver down for ten minutes, large host": func(s *scene) {
			s.busy(0, time.Hour)
			for i := range 120 {
				s.nameless(time.Hour+time.Duration(5*i)*time.Second, fmt.Sprintf("192.0.2.%d", 1+i))
			}
			s.busy(70*time.Minute, 2*time.Hour)
			s.attack(time.Hour)
		},
		"resolver down for three hours, small host": func(s *scene) {
			for at := time.Duration(0); at < time.Hour; at += 15 * time.Minute {
				s.connect(at, "198.51.100.1", "mail.example")
				s.connect(at+5*time.Minute, "198.51.100.2", "mx.example")
			}
			for i := range 40 {
				s.nameless(time.Hour+time.Duration(i)*4*time.Minute, fmt.Sprintf("192.0.2.%d", 1+i%4))
			}
			s.connect(4*time.Hour, "198.51.100.1", "mail.example")
			s.connect(4*time.Hour+5*time.Minute, "198.51.100.2", "mx.example")
			s.attack(2 * time.Hour)
		},
		"auth server down": func(s *scene) {
			s.users(time.Hour, 30)
			for i := range 600 {
				at := time.Hour + time.Duration(i)*10*time.Second
				s.put(at, fmt.Sprintf("192.0.2.%d", 1+i%30), event.Record{Event: event.Event{Service: event.Postfix, Kind: event.AuthFault}})
				s.fail(at+time.Second, fmt.Sprintf("192.0.2.%d", 1+i%60), fmt.Sprint("user", i%60), event.Postfix)
				s.kind(at+2*time.Second, fmt.Sprintf("192.0.2.%d", 1+i%60), event.TooManyErrors, "too many errors after AUTH")
			}
			s.attack(90 * time.Minute)
		},
		"auth server down without a word": func(s *scene) {
			s.users(time.Hour, 30)
			for i := range 600 {
				s.fail(time.Hour+time.Duration(i)*10*time.Second, fmt.Sprintf("192.0.2.%d", 1+i%60), "", event.Dovecot)
			}
			for i := range 30 { // its end
				s.login(160*time.Minute+time.Duration(i)*time.Second, fmt.Sprintf("192.0.2.%d", 1+i), fmt.Sprint("user", i))
			}
			s.attack(90 * time.Minute)
		},
		"user database down": func(s *scene) {
			s.users(time.Hour, 5)
			s.busy(0, time.Hour)
			for i := range 120 {
				at := time.Hour + time.Duration(i)*time.Minute
				s.put(at, "", event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}})
				s.fail(at+time.Second, fmt.Sprintf("192.0.2.%d", 1+i%20), fmt.Sprint("user", i%20), event.Postfix)
				s.put(at+time.Second, fmt.Sprintf("198.51.100.%d", 201+i%40), event.Record{Event: event.Event{Service: event.Postfix, Kind: event.LookupFault}})
				s.kind(at+2*time.Second, fmt.Sprintf("198.51.100.%d", 201+i%40), event.RecipientUnknown, "")
			}
			s.attack(90 * time.Minute)
		},
		"greylisting": func(s *scene) {
			s.busy(0, 2*time.Hour)
			for i := range 100 {
				addr, at := fmt.Sprintf("192.0.2.%d", 1+i), time.Duration(i)*time.Minute
				s.connect(at, addr, "list.example")
				s.kind(at+time.Second, addr, event.ErrorLimit, "too many errors after RCPT")
				s.kind(at+2*time.Second, addr, event.LostConnection, "lost connection after CONNECT")
				s.mail(at+10*time.Minute, addr)
			}
			s.attack(time.Hour)
		},
		"a block list that refuses us": func(s *scene) {
			s.busy(0, time.Hour)
			for i := range 400 {
				at := time.Hour + time.Duration(i)*10*time.Second
				s.connect(at, fmt.Sprintf("192.0.2.%d", 1+i%250), "mail.example")
				s.put(at, fmt.Sprintf("192.0.2.%d", 1+i%250), event.Record{Event: event.Event{Service: event.Postfix, Kind: event.DNSBLFault}})
			}
			s.attack(90 * time.Minute)
		},
		"a block list that refuses us, seen by postscreen": func(s *scene) {
			s.busy(0, time.Hour)
			for i := range 1000 {
				s.put(time.Hour+time.Duration(i)*10*time.Second, fmt.Sprintf("192.0.2.%d", 1+i%250),
					event.Record{Event: event.Event{Service: event.Postscreen, Kind: event.DNSBLListed}})
			}
			s.busy(4*time.Hour, 5*time.Hour)
			s.attack(90 * time.Minute)
		},
		"monitoring every minute": func(s *scene) {
			s.busy(0, 2*time.Hour)
			for i := range 24 * 60 {
				at := time.Duration(i) * time.Minute
				s.kind(at, "192.0.2.1", event.LostConnection, "lost connection after CONNECT")
				s.kind(at, "192.0.2.1", event.TLSError, "")
				s.put(at, "192.0.2.1", event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.NoAuth}})
				s.put(at, "192.0.2.1", event.Record{Event: event.Event{Service: event.Postscreen, Kind: event.Hangup}})
			}
			s.attack(time.Hour)
		},
		"a stale password for a week behind a NAT": func(s *scene) {
			s.login(0, "192.0.2.1", "phone")
			for i := range 7 * 24 * 12 {
				at := time.Hour + time.Duration(i)*5*time.Minute
				s.fail(at, "192.0.2.1", "phone", event.Dovecot)
				s.fail(at+time.Second, "192.0.2.1", "", event.Postfix)
				s.login(at+2*time.Second, "192.0.2.1", fmt.Sprint("user", i%10))
			}
			s.attack(24 * time.Hour)
		},
		"a stale password that never was right here, behind a NAT": func(s *scene) {
			for i := range 7 * 24 * 12 {
				at := time.Duration(i) * 5 * time.Minute
				if i%2 == 1 {
					s.fail(at+time.Second, "192.0.2.1", "phone", event.Dovecot)
				}
				s.login(at, "192.0.2.1", fmt.Sprint("user", i%10))
			}
			s.attack(24 * time.Hour)
		},
		"wrong five times, then right": func(s *scene) {
			for user, addr := range map[string]string{"bob@example.org": "192.0.2.1", "": "192.0.2.2"} {
				s.mistype(addr, user, user)
			}
			s.mistype("192.0.2.3", "eve", "EVE@example.org")
			s.mistype("192.0.2.4", "joe@example.org", "")
			s.attack(0)
		},
		"the Docker gateway as everybody": func(s *scene) {
			for i := range 500 {
				s.connect(time.Duration(i)*time.Second, "172.17.0.1", "unknown")
				s.fail(time.Duration(i)*time.Second, "172.17.0.1", fmt.Sprint("user", i), event.Postfix)
			}
			s.attack(0)
		},
		"a provider that mistakes recipients": func(s *scene) {
			for i := range 20 {
				s.mail(time.Duration(i)*36*time.Hour, "192.0.2.1")
			}
			for i := range 200 {
				s.kind(30*24*time.Hour+time.Duration(i)*time.Second, "192.0.2.1", event.RecipientUnknown, "")
			}
			s.attack(time.Hour)
		},
		"a backup MX": func(s *scene) {
			s.facts.Relays = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
			for i := range 200 {
				s.kind(time.Duration(i)*time.Second, "192.0.2.1", event.RecipientUnknown, "")
				s.kind(time.Duration(i)*time.Second, "192.0.2.1", event.RelayDenied, "")
			}
			s.attack(time.Hour)
		},
		"privacy addresses of a good user": func(s *scene) {
			s.busy(0, time.Hour)
			for i := range 60 {
				at, addr := time.Duration(i)*time.Hour, fmt.Sprintf("2001:db8:1:2::%x", 0x1000+i)
				s.fail(at, addr, "bob", event.Dovecot)
				s.fail(at+time.Second, addr, "bob", event.Dovecot)
				s.kind(at+2*time.Second, addr, event.HostnameMismatch, "")
				s.login(at+3*time.Second, addr, "bob")
			}
			s.attack(time.Hour)
		},
		"a traveller whose name does not resolve": func(s *scene) {
			s.busy(0, time.Hour)
			s.kind(10*time.Minute, "192.0.2.1", event.HostnameMismatch, "")
			s.connect(10*time.Minute, "192.0.2.1", "unknown")
			s.login(10*time.Minute+20*time.Second, "192.0.2.1", "bob")
			s.attack(time.Hour)
		},
	}
	for name, build := range scenes {
		t.Run(name, func(t *testing.T) {
			var s scene
			build(&s)
			s.expect(t, onlyAttacker)
		})
	}
}

// users have n users log in from addresses of their own until a time.
func (s *scene) users(until time.Duration, n int) {
	for i := range n {
		for at := time.Duration(i) * time.Second; at < until; at += 10 * time.Minute {
			s.login(at, fmt.Sprintf("192.0.2.%d", 1+i), fmt.Sprint("user", i))
		}
	}
}

func (s *scene) mistype(addr, wrong, right string) {
	for i := range 5 {
		s.fail(time.Duration(i)*20*time.Second, addr, wrong, event.Postfix)
		s.kind(time.Duration(i)*20*time.Second+time.Second, addr, event.LostConnection, "lost connection after AUTH")
	}
	s.login(3*time.Minute, addr, right)
}

// Each of these looks like an outage and is none.
func TestGuilty(t *testing.T) {
	bots := make([]string, 400)
	for i := range bots {
		bots[i] = fmt.Sprintf("2001:db8:%x::1", i+1)
	}
	t.Run("400 bots guess while users log in", func(t *testing.T) {
		var s scene
		for i := range 8 * 400 {
			s.fail(time.Duration(i)*time.Second, bots[i%400], fmt.Sprint("victim", i/400), event.Dovecot)
			if i%20 == 0 {
				s.login(time.Duration(i)*time.Second, fmt.Sprintf("192.0.2.%d", 1+i/20%50), fmt.Sprint("user", i/20%50))
			}
			if i%700 == 0 { // a good user mistypes
				s.fail(time.Duration(i)*time.Second, "192.0.2.1", "user0", event.Dovecot)
			}
		}
		s.expect(t, func(strictness) []string { return bots })
	})
	t.Run("bots hammer one account each while users log in", func(t *testing.T) {
		var s scene
		for i := range 8 * 400 {
			s.fail(time.Duration(i)*time.Second, bots[i%400], fmt.Sprint("victim", i%400), event.Dovecot)
			s.login(time.Duration(i)*time.Second, "192.0.2.1", "user")
		}
		s.expect(t, func(strictness) []string { return bots })
	})
	t.Run("an attacker's own names fail", func(t *testing.T) {
		var s scene
		s.busy(0, 3*time.Hour)
		for i := range 100 {
			at := 10*time.Minute + time.Duration(i)*time.Minute
			s.put(at, attacker, event.Record{Event: event.Event{Service: event.Postfix, Kind: event.DNSFault, ClientName: "a.example"}})
			s.nameless(at, attacker)
			s.nameless(at, "203.0.113.67") // whom nothing holds for the first one's DNS
		}
		s.expect(t, func(how strictness) []string {
			if !how.suspects {
				return nil
			}
			return []string{attacker, "203.0.113.67"}
		})
	})
	t.Run("an attacker meets faults of his own making", func(t *testing.T) {
		var s scene
		for i := range 60 {
			at := time.Duration(i) * time.Minute
			s.put(at, attacker, event.Record{Event: event.Event{Service: event.Postfix, Kind: event.AuthFault}})
			s.login(at+2*time.Second, "192.0.2.1", "user")
			s.fail(at+5*time.Second, attacker, fmt.Sprint("victim", i%5), event.Postfix)
			s.fail(at+5*time.Second, "203.0.113.67", fmt.Sprint("victim", i%5), event.Postfix)
		}
		s.expect(t, func(strictness) []string { return []string{attacker, "203.0.113.67"} })
	})
	t.Run("guesses at ten accounts in an outage", func(t *testing.T) {
		var s scene
		s.users(time.Hour, 5)
		for i := range 120 {
			at := time.Hour + time.Duration(i)*time.Minute
			s.put(at, "", event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}})
			s.fail(at, "192.0.2.9", fmt.Sprint("user", i%9), event.Dovecot) // an office: nine accounts
			s.fail(at, attacker, fmt.Sprint("victim", i%10), event.Dovecot)
		}
		s.expect(t, onlyAttacker)
	})
}
