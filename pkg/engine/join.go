package engine

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/session"
)

// Join is the first half of an Engine: it joins the lines of one attempt. All joins are
// a host's own, so the Join of a host needs the lines of that host only, and where many
// hosts are counted as one each of them has its own.
//
// It takes the Records that a [Reader] for each log has parsed and completed. Of its
// Results only those that [Result.Travels] are of use to a Judge. Use it from one
// goroutine at a time.
type Join struct {
	sessions *session.Joiner
}

// NewJoin returns a Join that knows no session. The key is the secret under which it
// hashes the names that clients send.
func NewJoin(key event.HashKey) *Join { return &Join{session.NewJoiner(key)} }

// Take takes the next Record of the log. The Result points to it and has no Findings.
func (j *Join) Take(r *event.Record) Result {
	status := j.sessions.Join(r)
	return Result{
		Record: r, Earlier: j.sessions.Earlier(),
		Folded: status == session.Folded || status == session.Copy, Repeated: status == session.Repeat,
		Copy: status == session.Copy, Withheld: status == session.Withheld, LoggedIn: status == session.LoggedIn,
	}
}

// Expire releases the offences that have been withheld for long enough by now. Take does
// so too, by the time of its Record. The Result has no line of its own.
func (j *Join) Expire(now time.Time) Result {
	j.sessions.Expire(now)
	return j.earlier()
}

// End releases all offences that are withheld, as at the end of a log that is read at a
// time. The Result has no line of its own.
func (j *Join) End(asked time.Time) Result {
	j.sessions.ReleaseAll(asked)
	return j.earlier()
}

func (j *Join) earlier() Result {
	return Result{Record: &event.Record{}, Earlier: j.sessions.Earlier()}
}

// Waits reports whether an offence waits for the end of its session, so that time alone
// may release it.
func (j *Join) Waits() bool { return j.sessions.Waiting() }

// AppendSnapshot appends the whole state to b.
func (j *Join) AppendSnapshot(b []byte) []byte { return j.sessions.AppendSnapshot(b) }

// Restore replaces the state by what AppendSnapshot wrote. On an error the Join must not
// be used further.
func (j *Join) Restore(b []byte) error { return j.sessions.Restore(b) }
