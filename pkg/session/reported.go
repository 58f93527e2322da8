package session

import (
	"time"

	"csmail/pkg/event"
)

// sameAttempt is how long after a failure Dovecot's lines are still about the same
// attempt. It asks one password database after the other, and delays its answer, and so
// the next attempt, by auth_failure_delay (2 s). Stamps have full seconds.
const sameAttempt = time.Second

// reported counts the attempts that one daemon has reported and another has yet to
// report. For example, Dovecot's auth process logs a wrong password; a moment later
// the login process, or Postfix, logs the same login.
type reported struct {
	attempts int
	last     int64 // time of the last attempt, a time.Time.UnixNano
	user     event.AccountHash
}

// isSameAttempt reports whether r is still about the last attempt. It never is if the
// name is empty: Dovecot looks up no user with a name that it does not accept, so there
// is no second database.
func (p *reported) isSameAttempt(r *event.Record, user event.AccountHash) bool {
	return !user.IsZero() && p.isWithin(sameAttempt, r) && p.user == user
}

// isWithin reports whether an attempt is left that is no further than d from r.
func (p *reported) isWithin(d time.Duration, r *event.Record) bool {
	return p.attempts > 0 && since(p.last, r).Abs() <= d
}

// isCrossed reports whether r is about the attempt that another daemon has just reported.
// The daemons do not wait for each other, so their lines may lie in two neighbouring
// seconds, whether the stamps have fractions or not.
func (p *reported) isCrossed(r *event.Record, user event.AccountHash) bool {
	if p.attempts == 0 {
		return false
	}
	seconds := r.Time.Unix() - time.Unix(0, p.last).Unix()
	return -1 <= seconds && seconds <= 1 && p.mayBeOf(user)
}

// mayBeOf reports whether the last attempt may be the user's. It may if one of the two
// lines names no user.
func (p *reported) mayBeOf(user event.AccountHash) bool {
	return p.user.IsZero() || user.IsZero() || p.user.Is(user)
}

// addAttempts adds the attempts of r.
func (p *reported) addAttempts(r *event.Record, user event.AccountHash) {
	p.attempts += r.Attempts
	p.last = r.Time.UnixNano()
	p.user = user
}

// addExpected adds the attempts of r, and forgets older ones that no daemon will
// report any more.
func (p *reported) addExpected(r *event.Record, user event.AccountHash) {
	if since(p.last, r) > saslDelay {
		p.attempts = 0
	}
	p.addAttempts(r, user)
}

// deductFrom deducts the reported attempts from r, and reports whether none is left.
func (p *reported) deductFrom(r *event.Record) bool {
	n := min(p.attempts, r.Attempts)
	p.attempts -= n
	r.Attempts -= n
	return r.Attempts <= 0
}

// isFault reports whether a login failed because of the login service. A warning
// (event.Retry) is no failure, because the login goes on.
func isFault(r *event.Record) bool {
	return r.Kind == event.AuthFault && r.Phase != event.Retry
}
