package guard

import (
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// on sets the host of all records from a place in the log on.
func (s *scene) on(host string, from int) {
	for i := range s.log[from:] {
		s.log[from+i].Host = host
	}
}

// excused has a guard of several hosts observe a log, and returns how many of the offences
// of a source it excuses, and by which rules.
func excused(foreign bool, addr string, script func(*scene)) (left int) {
	s := &scene{}
	script(s)
	g := New(Facts{}, Options{Foreign: foreign})
	for i := range s.log {
		g.Observe(&s.log[i], false)
	}
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

// Times that a host makes up are no second day.
func TestForeignProofOfYesterday(t *testing.T) {
	w := witness{}.seen(true, health.Host(7), 100*day+5)
	if w = w.seen(false, health.Host(7), 100*day+9); w.isNew() {
		t.Error("twice on one day: got a proof that weighs everywhere, want one of its host")
	}
	if w = w.seen(false, health.Host(7), 101*day); !w.isNew() {
		t.Error("on two days: got a proof of its host, want one that weighs everywhere")
	}
}
