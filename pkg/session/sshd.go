package session

import (
	"net/netip"
	"strconv"
	"time"

	"csmail/pkg/event"
)

// oneLogin bounds the time that a connection stays with one sshd process before
// it has logged in: LoginGraceTime is 120 s, and process IDs are used again.
const oneLogin = 10 * time.Minute

// sshKey is one sshd process before the login: it serves one connection.
type sshKey struct {
	host uint64
	pid  int
}

// sshSession counts the attempts that the lines of one connection report. Lines of each
// sort report the same attempts, so the number of attempts is the largest count. For
// example, "Invalid user x" and "Failed password for invalid user x" are one attempt.
type sshSession struct {
	addr     netip.Addr
	first    int64                // time of its first line, a time.Time.UnixNano
	modules  [otherModules]uint64 // hashes of the names of PAM modules other than pam_unix
	reported [sshSorts]int
	counted  int // attempts counted so far
	expected int // of these, the ones that PAM reported and sshd has yet to report

	suspected bool // a line reported something suspect
}

// sshSort is a sort of line that reports each attempt.
type sshSort uint8

const (
	sshModule   sshSort = iota // pam_unix's "authentication failure" and, at the end, "PAM 2 more authentication failures"
	sshModule2                 // another PAM module's; a stack asks one module after the other about each login
	sshModule3                 // a third one's
	sshPAM                     // "PAM: Authentication failure for"
	sshPassword                // "Failed password for"
	sshOther                   // a line about the connection
	sshSorts
)

// joinSSHD joins the lines of one connection: "Invalid user", PAM's, "Failed
// password", "maximum authentication attempts exceeded", and the line of its
// end. It also finds the client of a line that names none.
func (j *Joiner) joinSSHD(r *event.Record) bool {
	k := sshKey{r.From().Host, sshProcess(r)}
	if k.pid == 0 || r.Kind == event.Penalised { // a line of the listener itself
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

// sshProcess returns the process that serves the connection. Since OpenSSH 9.8 the
// listener names it in its own lines about the connection.
func sshProcess(r *event.Record) int {
	if child, err := strconv.Atoi(r.Session); err == nil {
		return child
	}
	return r.PID
}

// countSSH leaves r the attempts that no line has reported yet, and reports whether none
// is left. A suspect line folds into an offence, never the other way round. With
// keyboard-interactive authentication the PAM module logs in a process of its own.
func (j *Joiner) countSSH(s *sshSession, r *event.Record) bool {
	if r.Kind.Class() == event.Suspect {
		isKnown := s.counted > 0 || s.suspected
		s.suspected = true
		return isKnown
	}
	sort := s.sortOf(r)
	if sort == sshOther {
		s.reported[sort] = 1
	} else {
		s.reported[sort] += r.Attempts
	}
	fresh := s.reported[sort] - s.counted
	if fresh <= 0 {
		if !sort.isModule() && s.expected > 0 {
			s.expected--
			j.pam.forget(r)
		}
		return true
	}
	s.counted += fresh
	r.Attempts = fresh
	if sort.isModule() {
		s.expected += fresh
		j.expectPAM(r)
		return false
	}
	return j.deductPAM(r)
}

// otherModules is the number of PAM modules of one stack that are distinguished from
// pam_unix.
const otherModules = int(sshModule3 - sshModule)

// sortOf returns the sort of a line, by which it is counted.
func (s *sshSession) sortOf(r *event.Record) sshSort {
	switch {
	case r.Kind != event.AuthFailed:
		return sshOther
	case r.Mechanism == event.PAM:
		return s.moduleOf(r)
	case r.Phase == event.Attempt && r.Mechanism == "": // "PAM: Authentication failure", which names no method
		return sshPAM
	case r.Phase == event.Attempt:
		return sshPassword
	}
	return sshOther
}

// moduleOf returns the sort of a PAM module's line: one for each module of the stack.
func (s *sshSession) moduleOf(r *event.Record) sshSort {
	name := moduleName(r)
	if name == "" || name == "pam_unix" {
		return sshModule
	}
	hash := textHash(name)
	for i, known := range s.modules {
		if known == 0 || known == hash {
			s.modules[i] = hash
			return sshModule + 1 + sshSort(i)
		}
	}
	return sshModule3
}

// isModule reports whether a PAM module logs such lines, before sshd does.
func (sort sshSort) isModule() bool { return sort <= sshModule3 }
