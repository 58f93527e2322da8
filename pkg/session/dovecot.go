package session

import (
	"net/netip"

	"csmail/pkg/event"
)

// loginSession is one connection to a login process of Dovecot. Once it has ended, it
// holds the attempts that the auth process has yet to report: the two write their
// lines without waiting for each other.
type loginSession struct {
	addr netip.Addr
	reported
	faulted bool // the last attempt met a fault of the login service
	ended   bool

	// explained is whether lines of the auth process count though the session has ended,
	// in place of the end, which waits for them.
	explained bool
}

// joinDovecot counts a PAM module's line, which is the first about its login, and
// deducts what it reported from Dovecot's own lines.
func (j *Joiner) joinDovecot(r *event.Record) Status {
	j.noteDovecot(r.From().Host)
	switch {
	case r.Mechanism == event.PAM:
		if r.Addr.IsValid() && j.modules.isNext(r, j.accountOf(r)) {
			return Folded
		}
		if r.Addr.IsValid() {
			j.expectPAM(r)
		}
	case j.joinLogin(r):
		return Folded
	case len(j.earlier.Excused) > 0: // it counts as much as the end that it explains, which the others have seen
	case j.joinRelayed(r) || j.deductPAM(r) || j.pam.deductBehind(r, j.remote.get(r.Addr)):
		return Folded
	case j.waitForReason(r):
		return Withheld
	}
	return New
}

func (j *Joiner) joinLogin(r *event.Record) bool {
	switch {
	case r.Kind.Class() == event.Success || r.Kind == event.NoKind || !r.Addr.IsValid():
		return false
	case r.Kind == event.AuthFault && !isFault(r):
		return false
	case r.Program != "dovecot/auth":
		return j.joinLoginProcess(r)
	case r.Session == "":
		return j.expectSASL(r)
	}
	return j.countLogin(r)
}

// joinLoginProcess joins a line of the login process.
func (j *Joiner) joinLoginProcess(r *event.Record) bool {
	if r.Kind == event.AuthFault && !isMidway(r) && r.Phase != event.End {
		return false // a fault of another sort, before the end: "Internal login failure (pid=1 id=2)"
	}
	if !isMidway(r) {
		return j.endLogin(r)
	}
	s := openLogin(j.logins, j.ended, r)
	switch {
	case s == nil:
		return false
	case s.ended:
		return s.deductFrom(r)
	}
	s.addAttempts(r, j.accountOf(r))
	return false
}

// isMidway reports whether a line of the login process is about one attempt. The others
// are about the whole connection, at its end. A proxy logs each login that the server
// behind it refused (client-common-auth.c, client_proxy_log_failure), and at the end that
// there were some, without a number: "(proxy dest auth failed)".
func isMidway(r *event.Record) bool { return r.Session != "" && r.Phase == event.Attempt }

// openLogin returns the session of r, or nil if a client with another address has the
// same session ID.
func openLogin(open, ended *fifoMap[loginKey, loginSession], r *event.Record) *loginSession {
	k := loginKeyOf(r)
	s := findLogin(k, open, ended)
	if s == nil {
		s = open.put(k)
		s.addr = r.Addr
	}
	if s.addr != r.Addr {
		return nil
	}
	return s
}

// findLogin returns the session of a key in the first of the maps that has it, nil if none
// does.
func findLogin(k loginKey, maps ...*fifoMap[loginKey, loginSession]) *loginSession {
	for _, m := range maps {
		if s := m.get(k); s != nil {
			return s
		}
	}
	return nil
}

// countLogin counts a line of the auth process. If a second database does not know the
// user either, that is no second attempt. If a database that might have known the user
// did not answer, the attempt is a fault.
func (j *Joiner) countLogin(r *event.Record) bool {
	k := loginKeyOf(r)
	j.daemonsOf(k.host).explains = true
	s := openLogin(j.logins, j.ended, r)
	switch {
	case s == nil:
		return false
	case s.ended && s.attempts > 0 && !s.explained:
		return s.deductFrom(r)
	case s.isSameAttempt(r, j.accountOf(r)):
		if s.faulted {
			excuse(r)
		}
		s.faulted = s.faulted || isFault(r)
		return true
	}
	if s.ended {
		if part, ok := j.crossed.explain(k, r); ok {
			j.earlier.Excused = append(j.earlier.Excused, part)
		} else { // a proxy connects anew for its client's next attempt
			s.ended, s.explained, s.attempts = false, false, 0
		}
	}
	s.addAttempts(r, j.accountOf(r))
	s.faulted = isFault(r)
	j.pam.expectEnd(r)
	return false
}

// endKeyOf returns the key of a login connection, for the line at its end that names no
// session (an admin's own login_log_format_elements, or Dovecot before 2.2).
func endKeyOf(r *event.Record) pamKey {
	return pamKey{clientKeyOf(r.From().Host, r.Addr), event.NoService}
}

// expectEnd remembers an attempt that the auth process reported, since the end of the
// connection counts it again.
func (p pamSessions) expectEnd(r *event.Record) { p.getOrPut(endKeyOf(r)).addExpected(r) }

// deductEnd deducts the client's attempts that the auth process reported from r, and
// reports whether none is left.
func (p pamSessions) deductEnd(r *event.Record) bool {
	s := p.get(endKeyOf(r))
	return s != nil && s.deductFrom(r, loginStays)
}

// excuse turns a failed login into one that the login service could not check.
func excuse(r *event.Record) {
	if r.Kind == event.AuthFailed {
		r.Kind = event.AuthFault
	}
}

// endLogin joins the login process's count of the whole connection. Its refusals
// without a failed login fold into the auth process's line about them. A session that
// ends a second time is a line that the log holds twice.
func (j *Joiner) endLogin(r *event.Record) bool {
	if r.Session == "" {
		return (isAttempt(r) || r.Kind == event.AuthFault) && j.pam.deductEnd(r)
	}
	k := loginKeyOf(r)
	s := findLogin(k, j.logins, j.ended)
	if s != nil && s.ended && s.addr == r.Addr {
		if since(s.last, r).Abs() <= endAgain {
			return true
		}
		s = nil // the ID is used again
	}
	if s != nil && s.addr != r.Addr || s == nil && !isAttempt(r) {
		return false
	}
	isFolded := false
	if s != nil {
		r.Attempts = max(r.Attempts-s.attempts, 0) // a proxy's end counts one, whatever their number
		isFolded = r.Attempts == 0
		j.logins.drop(k)
	}
	j.rememberEnd(k, r, isFolded)
	return isFolded
}

// rememberEnd keeps a connection after its end: the auth process may log its attempts
// only then, and the log may hold the end twice.
func (j *Joiner) rememberEnd(k loginKey, r *event.Record, isFolded bool) {
	s := j.ended.put(k)
	s.addr, s.ended = r.Addr, true
	s.last = r.Time.UnixNano()
	if !isFolded && isAttempt(r) {
		s.addAttempts(r, j.accountOf(r))
	}
}

// isAttempt reports whether the end of a connection counts attempts.
func isAttempt(r *event.Record) bool {
	return r.Kind == event.AuthFailed || r.Kind == event.AuthAborted || r.Kind == event.LoginRefused
}
