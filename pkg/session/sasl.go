package session

import (
	"strings"
	"time"

	"csmail/pkg/event"
)

// saslDelay bounds the time from Dovecot's line to Postfix's about the same login:
// Dovecot's penalty holds an answer back for up to 15 s.
const saslDelay = 20 * time.Second

// saslClient is a client that logs in at Postfix, which asks Dovecot about it. Both
// report a failure.
type saslClient struct {
	dovecot reported // reported by Dovecot, not yet by Postfix
	postfix reported // reported by Postfix first, since the two do not wait for each other
	fault   reported // logins that Dovecot could not check
	failed  int64    // time of the last failed login, a time.Time.UnixNano; 0: none
}

// penaltyLasts is how long after a failed login Dovecot may hold the client's next one
// back for longer than Postfix waits for an answer. The penalty makes 15 s of the
// fourth failure (AUTH_PENALTY_MAX_SECS in src/auth/auth-penalty.h, 2.3), Postfix
// gives up after 10 s (AUTH_TIMEOUT in src/xsasl/xsasl_dovecot_server.c, 3.7), and a
// client may try a second time meanwhile.
const penaltyLasts = 30 * time.Second

// isPenalised reports whether Postfix lost its connection to Dovecot over a client that
// failed to log in just before. That is one guess too many, not a fault of the server.
// For example, a bot that guesses four times in ten seconds causes it.
func (s *saslClient) isPenalised(r *event.Record) bool {
	return s.failed != 0 && since(s.failed, r).Abs() <= penaltyLasts &&
		strings.HasPrefix(r.Reason, "Connection lost to authentication server")
}

// noteFailure remembers the time of a failed login.
func (s *saslClient) noteFailure(r *event.Record) { s.failed = max(s.failed, r.Time.UnixNano()) }

// expectSASL remembers a line of Dovecot about a login without a session. Another program
// asked, for example Postfix, and will report the login too.
func (j *Joiner) expectSASL(r *event.Record) bool {
	j.noteRemoteLogin(r)
	s, user := j.sasl.getOrPut(clientKeyOf(r.From().Host, r.Addr)), j.accountOf(r)
	switch {
	case s.fault.isSameAttempt(r, user):
		excuse(r)
		s.fault.last = r.Time.UnixNano()
		return true
	case s.dovecot.isSameAttempt(r, user): // the next password database
		if isFault(r) {
			s.fault.addExpected(r, user)
		}
		return true
	case isFault(r):
		// Without expectEnd: otherwise a client without an account at Dovecot could hide
		// guesses there behind faults that it caused at Postfix.
		s.fault.addExpected(r, user)
		return false
	case s.postfix.isCrossed(r, user):
		return true
	}
	s.noteFailure(r)
	s.dovecot.addExpected(r, user)
	j.pam.expectEnd(r)
	return false
}

// deductDovecot deducts the attempts of the client's logins that Dovecot reported from a
// line of Postfix, and reports whether none is left.
func (j *Joiner) deductDovecot(r *event.Record) bool {
	isFailure := r.Kind == event.AuthFailed
	if !isFailure && r.Kind != event.AuthFault || !r.Addr.IsValid() {
		return false
	}
	k := clientKeyOf(j.checkedBy(r), r.Addr)
	s, user := j.sasl.get(k), j.accountOf(r)
	if s == nil && isFailure {
		s = j.sasl.insert(k)
	}
	if s == nil {
		return false
	}
	if !isFailure {
		// Postfix itself reports that the login could not be checked. That excuses no
		// other.
		if !s.useFault(r, user) && s.isPenalised(r) {
			r.Kind = event.AuthFailed
		}
		return false
	}
	isReported := s.dovecot.isWithin(saslDelay, r)
	if !(isReported && s.dovecot.user.Is(user)) && s.useFault(r, user) {
		excuse(r)
		return true
	}
	s.noteFailure(r)
	if isReported {
		return s.dovecot.deductFrom(r)
	}
	s.postfix.addExpected(r, user)
	return false
}

// useFault reports whether r is about a login that Dovecot could not check. One line of
// Postfix uses the fault up, unless it names the same user, because one user may have
// several connections.
func (s *saslClient) useFault(r *event.Record, user event.AccountHash) bool {
	isLeft := s.fault.isWithin(saslDelay, r) && s.fault.mayBeOf(user)
	if isLeft {
		s.fault.attempts--
	}
	return isLeft || !user.IsZero() && s.fault.user == user && since(s.fault.last, r).Abs() <= saslDelay
}
