package session

import (
	"net/netip"
	"strings"

	"csmail/pkg/event"
)

// loginSession is one connection to a login process of Dovecot's. Once it has
// ended, it holds the attempts that the auth process has yet to tell of: the two
// write their lines without waiting for each other.
type loginSession struct {
	addr netip.Addr
	told
	faulted bool // the last attempt met a fault of ours
	ended   bool
}

func (j *Joiner) dovecot(r *event.Record) bool {
	switch {
	case r.Kind.Class() == event.Success || r.Kind == event.NoKind || !r.Addr.IsValid():
		return false
	case r.Kind == event.AuthFault && !isFault(r):
		return false
	case r.Program != "dovecot/auth":
		return j.login(r)
	case r.Session == "":
		return j.expectSASL(r)
	}
	return j.countLogin(r)
}

// login reads a line of the login process.
func (j *Joiner) login(r *event.Record) bool {
	if r.Kind == event.AuthFault && !isMidway(r) && !isFarewell(r) {
		return false
	}
	if !isMidway(r) {
		return j.endLogin(r)
	}
	s := j.openLogin(r)
	switch {
	case s == nil:
		return false
	case s.ended:
		return s.take(r)
	}
	s.count(r)
	return false
}

// isMidway knows the login process's lines about one attempt; the others are
// about the whole connection, at its end.
func isMidway(r *event.Record) bool {
	return r.Session != "" && (strings.HasPrefix(r.Reason, "Login failed: ") || strings.HasPrefix(r.Reason, "APOP failed: ") || strings.HasPrefix(r.Reason, "Authenticate "))
}

// isFarewell knows the login process's line about the end of a connection; its
// other troubles come before that, and hold no reason why it ended ("Internal login
// failure (pid=1 id=2)", Dovecot 2.3).
func isFarewell(r *event.Record) bool {
	for _, end := range [...]string{"Disconnected", "Aborted login", "Login aborted: ", "Client has quit", "Remote closed"} {
		if strings.HasPrefix(r.Reason, end) {
			return true
		}
	}
	return strings.Contains(r.Reason, " (internal failure")
}

// openLogin returns the session of r, nil if another client's has its name.
func (j *Joiner) openLogin(r *event.Record) *loginSession {
	k := loginKey{r.From().Host, r.Session}
	s := j.loginOf(k)
	if s == nil {
		k.session = strings.Clone(k.session)
		s = j.logins.put(k)
		s.addr = r.Addr
	}
	if s.addr != r.Addr {
		return nil
	}
	return s
}

// loginOf returns the session of a name, nil if there is none.
func (j *Joiner) loginOf(k loginKey) *loginSession {
	if s := j.logins.get(k); s != nil {
		return s
	}
	return j.ended.get(k)
}

// countLogin counts a line of the auth process. A second database that does not
// know the user either is no second attempt; and none is left if one that might
// have known him did not answer.
func (j *Joiner) countLogin(r *event.Record) bool {
	s := j.openLogin(r)
	switch {
	case s == nil:
		return false
	case s.ended && s.attempts > 0:
		return s.take(r)
	case s.isSame(r):
		if s.faulted {
			excuse(r)
		}
		s.faulted = s.faulted || isFault(r)
		return true
	}
	s.count(r)
	s.faulted = isFault(r)
	j.expectEnd(r)
	return false
}

// endKey is what is known of a login connection whose line at its end names no
// session (login_log_format_elements of the admin's own, or Dovecot before 2.2).
func endKey(r *event.Record) pamKey { return pamKey{r.Addr, event.NoService} }

// expectEnd remembers what the auth process told, which the end of the connection
// counts again.
func (j *Joiner) expectEnd(r *event.Record) { j.pamOf(endKey(r)).expect(r) }

// isToldByAuth takes off what the auth process told of the client's logins.
func (j *Joiner) isToldByAuth(r *event.Record) bool {
	s := j.pam.get(endKey(r))
	return s != nil && s.take(r, loginStays)
}

// excuse makes a failed login one that we could not check.
func excuse(r *event.Record) {
	if r.Kind == event.AuthFailed {
		r.Kind = event.AuthFault
	}
}

// endLogin reads the login process's count of the whole connection. Its refusals
// without a failed login fold into the auth process's line about them.
func (j *Joiner) endLogin(r *event.Record) bool {
	if r.Session == "" {
		return (isAttempt(r) || r.Kind == event.AuthFault) && j.isToldByAuth(r)
	}
	k := loginKey{r.From().Host, r.Session}
	s := j.loginOf(k)
	if s != nil && s.addr != r.Addr {
		return false
	}
	folded := s != nil
	if folded {
		r.Attempts -= s.attempts
		folded = r.Attempts <= 0
		j.logins.drop(k)
		j.ended.drop(k)
	}
	if !folded && isAttempt(r) {
		k.session = strings.Clone(k.session)
		s = j.ended.put(k)
		s.addr, s.ended = r.Addr, true
		s.count(r)
	}
	return folded
}

// isAttempt knows the ends of a connection that count attempts.
func isAttempt(r *event.Record) bool {
	return r.Kind == event.AuthFailed || r.Kind == event.AuthAborted || r.Kind == event.LoginRefused
}
