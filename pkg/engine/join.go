package engine

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/session"
)

// Join is the first half of an Engine: it joins the lines of one attempt. Each host is
// joined by itself, so the Join of a host needs only that host's lines, and each of many
// hosts may have a Join of its own.
//
// It takes the Records that a [Reader] for each log has parsed and completed. A Judge
// needs only those of its Results that [Result.Travels]. Use it from one goroutine at a
// time.
type Join struct {
	sessions *session.Joiner
}

// NewJoin returns a Join without sessions. The key is the secret for the hashes of names
// that clients send.
func NewJoin(key event.HashKey) *Join { return &Join{session.NewJoiner(key)} }

// Take takes the next Record of the log. The Result points to it and has no Findings.
func (j *Join) Take(r *event.Record) (result Result) {
	j.takeTo(&result, r)
	return result
}

// takeTo is Take that writes a Result, which may hold anything, where it will stay.
func (j *Join) takeTo(result *Result, r *event.Record) {
	status := j.sessions.Join(r)
	*result = Result{Record: r, Earlier: j.sessions.Earlier()}
	switch status {
	case session.Folded:
		result.Folded = true
	case session.Copy:
		result.Folded, result.Copy = true, true
	case session.Repeat:
		result.Repeated = true
	case session.Withheld:
		result.Withheld = true
	case session.LoggedIn:
		result.LoggedIn = true
	}
}

// Expire releases the offences that have been withheld for long enough by now. Take does
// so too, by the time of its Record. The Result has no line of its own.
func (j *Join) Expire(now time.Time) Result {
	j.sessions.Expire(now)
	return j.earlier()
}

// End releases all offences that are withheld, as at the end of a log that is read at the
// time asked. The Result has no line of its own.
func (j *Join) End(asked time.Time) Result {
	j.sessions.ReleaseAll(asked)
	return j.earlier()
}

// earlier returns the decisions about earlier records as a Result without a line.
func (j *Join) earlier() Result {
	return Result{Record: &event.Record{}, Earlier: j.sessions.Earlier()}
}

// Waits reports whether an offence waits for the end of its session, so that time alone
// may release it.
func (j *Join) Waits() bool { return j.sessions.Waiting() }

// AppendSnapshot appends the whole state to b.
func (j *Join) AppendSnapshot(b []byte) []byte { return j.sessions.AppendSnapshot(b) }

// Restore replaces the state by that of AppendSnapshot. After an error the Join must not
// be used further.
func (j *Join) Restore(b []byte) error { return j.sessions.Restore(b) }
