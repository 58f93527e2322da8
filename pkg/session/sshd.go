package session

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/event"
)

// oneLogin bounds the time that a connection stays with one sshd process before
// it has logged in: LoginGraceTime is 120 s, and process IDs come again.
const oneLogin = 10 * time.Minute

// sshKey is one sshd process before the login: it serves one connection.
type sshKey struct {
	host uint64
	pid  int
}

// sshSession counts what the lines of one connection tell. Each sort of line
// tells of the same attempts, so what has been tried is the largest count.
type sshSession struct {
	addr     netip.Addr
	first    int64 // its first line, as time.Time.UnixNano has it
	told     [sshSorts]int
	counted  int // attempts that have been accounted for
	expected int // of them, those that sshd has yet to tell of after PAM

	suspected bool // a line told of something suspect
}

// sshSort is a sort of line that tells of each attempt.
type sshSort uint8

const (
	sshModule   sshSort = iota // a PAM module's "authentication failure"
	sshPAM                     // "PAM: Authentication failure for"
	sshPassword                // "Failed password for"
	sshOther                   // a line that tells of the connection
	sshSorts
)

// sshd joins the lines of one connection: "Invalid user", PAM's, "Failed
// password", "maximum authentication attempts exceeded", and the line of its
// end. It also finds the client of a line that names none.
func (j *Joiner) sshd(r *event.Record) bool {
	k := sshKey{r.From().Host, sshProcess(r)}
	if k.pid == 0 || r.Kind == event.Penalised { // the listener's own line
		return false
	}
	s := j.ssh.get(k)
	if s != nil && since(s.first, r).Abs() > oneLogin {
		s = nil
	}
	if s != nil && !r.Addr.IsValid() {
		r.Addr = s.addr
	}
	if r.Kind == event.LoginOK {
		j.ssh.drop(k)
		return false
	}
	if s == nil || s.addr != r.Addr || r.Outcome == event.Witness {
		s = j.ssh.put(k)
		*s = sshSession{addr: r.Addr, first: r.Time.UnixNano()}
	}
	if r.Outcome == event.Witness {
		return false
	}
	return j.countSSH(s, r)
}

// sshProcess is the process that serves the connection: since 9.8 the listener
// names it where it speaks of it.
func sshProcess(r *event.Record) int {
	if child, err := strconv.Atoi(r.Session); err == nil {
		return child
	}
	return r.PID
}

// countSSH leaves r the attempts that no line told before. Something suspect
// folds into an offence, never the other way round. With keyboard-interactive
// the module speaks in a process of its own.
func (j *Joiner) countSSH(s *sshSession, r *event.Record) bool {
	if r.Kind.Class() == event.Suspect {
		told := s.counted > 0 || s.suspected
		s.suspected = true
		return told
	}
	sort := sshSortOf(r)
	if sort == sshOther {
		s.told[sort] = 1
	} else {
		s.told[sort] += r.Attempts
	}
	fresh := s.told[sort] - s.counted
	if fresh <= 0 {
		if sort != sshModule && s.expected > 0 {
			s.expected--
			j.forgetPAM(r)
		}
		return true
	}
	s.counted += fresh
	r.Attempts = fresh
	if sort == sshModule {
		s.expected += fresh
		j.expectPAM(r)
		return false
	}
	return j.isToldByPAM(r)
}

func sshSortOf(r *event.Record) sshSort {
	switch {
	case r.Kind != event.AuthFailed:
		return sshOther
	case r.Mechanism == event.PAM:
		return sshModule
	case r.Reason == "PAM":
		return sshPAM
	case strings.HasPrefix(r.Reason, "failed "):
		return sshPassword
	}
	return sshOther
}
