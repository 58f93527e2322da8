package session

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

const (
	// pamDelay bounds the time from a PAM module's line to the daemon's about
	// the same login: the module holds a failure back for 2 s and more
	// (pam_fail_delay(3)), Dovecot for up to 15 s.
	pamDelay = 20 * time.Second

	// loginStays bounds the time from a failed login to the end of a Dovecot
	// login connection, which its login process logs: it lets one be idle for
	// three minutes (CLIENT_LOGIN_TIMEOUT_MSECS, login-common).
	loginStays = 200 * time.Second
)

// pamKey is what a PAM module tells of a login: no session, no process that
// others name. Without a service it is what Dovecot's auth process told (endKey).
type pamKey struct {
	addr    netip.Addr
	service event.Service
}

type pamSession struct {
	attempts int   // failed logins that the daemon has yet to tell of
	last     int64 // the time of the last, as time.Time.UnixNano has it
}

// pamOrDovecot counts a PAM module's line, which is the first about its login,
// and takes what it told off Dovecot's own.
func (j *Joiner) pamOrDovecot(r *event.Record) bool {
	if r.Mechanism == event.PAM {
		if r.Addr.IsValid() {
			j.expectPAM(r)
		}
		return false
	}
	return j.dovecot(r) || j.isToldByPAM(r)
}

// pamKeyOf: Postfix has no PAM of its own, it asks Dovecot.
func pamKeyOf(r *event.Record) pamKey {
	if r.Service == event.SSHD {
		return pamKey{r.Addr, event.SSHD}
	}
	return pamKey{r.Addr, event.Dovecot}
}

func (j *Joiner) expectPAM(r *event.Record) {
	if !r.Addr.IsValid() {
		return
	}
	j.pamOf(pamKeyOf(r)).expect(r)
}

func (j *Joiner) pamOf(k pamKey) *pamSession {
	s := j.pam.get(k)
	if s == nil {
		s = j.pam.put(k)
	}
	return s
}

// expect counts r, and forgets what nobody will tell of any more.
func (s *pamSession) expect(r *event.Record) {
	if since(s.last, r) > loginStays {
		s.attempts = 0
	}
	s.attempts += r.Attempts
	s.last = r.Time.UnixNano()
}

// take takes off r what was told within a time; it is true if nothing is left.
func (s *pamSession) take(r *event.Record, within time.Duration) bool {
	if s.attempts == 0 || since(s.last, r).Abs() > within {
		return false
	}
	told := min(s.attempts, r.Attempts)
	s.attempts -= told
	r.Attempts -= told
	return r.Attempts <= 0
}

// forgetPAM takes one attempt back that the daemon has told of by now.
func (j *Joiner) forgetPAM(r *event.Record) {
	if s := j.pam.get(pamKeyOf(r)); s != nil && s.attempts > 0 {
		s.attempts--
	}
}

// isToldByPAM takes off what a PAM module told of the same client's logins.
func (j *Joiner) isToldByPAM(r *event.Record) bool {
	if r.Kind != event.AuthFailed || !r.Addr.IsValid() || r.Testimony.EndsSession() {
		return false
	}
	within := pamDelay
	if r.Service == event.Dovecot && r.Program != "dovecot/auth" {
		within = loginStays
	}
	s := j.pam.get(pamKeyOf(r))
	return s != nil && s.take(r, within)
}
