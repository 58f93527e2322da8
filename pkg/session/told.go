package session

import (
	"strings"
	"time"

	"csmail/pkg/event"
)

// sameAttempt is how long after a failure Dovecot still speaks of the same
// attempt: it asks one password database after the other, and delays its
// answer, and so the next attempt, by auth_failure_delay (2 s). Stamps have
// full seconds.
const sameAttempt = time.Second

// told counts what one daemon told of, of which another has yet to.
type told struct {
	attempts int
	last     int64 // the time of the last, as time.Time.UnixNano has it
	user     string
}

// isSame tells whether r is still about the last attempt. A user whose name
// Dovecot does not take is looked up in no database, so in no second one.
func (t *told) isSame(r *event.Record) bool {
	return r.User != "" && t.user == r.User && t.isWithin(sameAttempt, r)
}

// isWithin tells whether something is left to tell that is no further from r.
func (t *told) isWithin(d time.Duration, r *event.Record) bool {
	return t.attempts > 0 && since(t.last, r).Abs() <= d
}

// isCrossed tells whether r is about the attempt that another daemon has just told
// of. The daemons do not wait for each other; no more than the turn of a second
// may lie between their lines, whether the stamps have fractions or not.
func (t *told) isCrossed(r *event.Record) bool {
	seconds := r.Time.Unix() - time.Unix(0, t.last).Unix()
	return t.attempts > 0 && -1 <= seconds && seconds <= 1 && t.isOf(r)
}

// isOf tells whether r may be about the same user: some lines name none.
func (t *told) isOf(r *event.Record) bool {
	return t.user == "" || r.User == "" || isSameUser(t.user, r.User)
}

// isSameUser reports whether two daemons may mean one account by their names.
func isSameUser(a, b string) bool { return a == b || event.AccountOf(a).Is(event.AccountOf(b)) }

func (t *told) count(r *event.Record) {
	t.attempts += r.Attempts
	t.last = r.Time.UnixNano()
	if t.user != r.User {
		t.user = strings.Clone(r.User)
	}
}

// take takes off r what was told; it is true if nothing is left.
func (t *told) take(r *event.Record) bool {
	n := min(t.attempts, r.Attempts)
	t.attempts -= n
	r.Attempts -= n
	return r.Attempts <= 0
}

// isFault knows a line by which a login failed for a fault of ours. After a
// warning the login goes on.
func isFault(r *event.Record) bool {
	return r.Kind == event.AuthFault && !strings.HasPrefix(r.Reason, "Warning: ")
}
