package session

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"csmail/pkg/event"
)

const (
	// withholdFor is how long an offence waits at most for its session to log in. A
	// client that keeps its session open delays its ban by no more than that.
	withholdFor = time.Minute

	// maxWithheld is the number of offences that can wait. At the limit the oldest stops
	// waiting and counts.
	maxWithheld = 4096

	// maxWithheldText is the number of bytes that are kept of each text of an offence
	// that waits.
	maxWithheldText = 2048
)

// An offence in a session that logs in does not count. For example, a user's mail program
// may say EHLO with a name without a domain, or send commands too early, and then log in.
// But the log holds the refusal before the login, which Postfix logs with the first
// message or at the end of the session:
//
//	postfix/smtps/smtpd[981]: connect from client.example[192.0.2.1]
//	postfix/smtps/smtpd[981]: NOQUEUE: reject: RCPT from client.example[192.0.2.1]: 504 5.5.2 <PC>: Helo command rejected: …
//	postfix/smtps/smtpd[981]: disconnect from client.example[192.0.2.1] ehlo=1 auth=1 mail=1 rcpt=0/1 commands=4/5
//
// So an offence in an open session is withheld. If the session logs in, the offence is
// excused. If the session ends without a login, the offence is released and counts. A
// failed login is never withheld, because a client that guesses passwords may have an
// account.

// withheldKey is one kind of offence in one session. A session has each kind once.
type withheldKey struct {
	processKey
	kind event.Kind
}

// withheld is an offence that waits for the end of its session.
type withheld struct {
	record event.Record // a copy that shares no text with the log
	number uint64       // in the order of the log
}

// Release is an offence that was withheld and counts from the time At on: the end of its
// session, or the end of its wait.
type Release struct {
	Record event.Record // as it was logged; shares no text with the log
	At     time.Time
}

// Earlier holds the decisions of a call of the Joiner about earlier records. The slices
// are valid until the next call.
type Earlier struct {
	// Released are offences that were withheld and count, in the order of their times.
	Released []Release
	// Excused are offences that were withheld and never count: their session logged in, or
	// the line of the call counts in their place.
	Excused []event.Record
	// Superseded are events that counted and no longer do, since a hostile event of the
	// same connection counts in their place. They have a host, a service, a kind,
	// attempts, an address and a time.
	Superseded []event.Record
}

func (o *Earlier) reset() {
	o.Released, o.Excused, o.Superseded = o.Released[:0], o.Excused[:0], o.Superseded[:0]
}

// add adds an offence whose session has logged in, or has ended without a login at a time.
func (o *Earlier) add(r *event.Record, loggedIn bool, at time.Time) {
	if loggedIn {
		o.Excused = append(o.Excused, *r)
		return
	}
	o.Released = append(o.Released, Release{*r, at})
}

// Earlier returns the decisions of the latest call of Join, Expire or ReleaseAll.
func (j *Joiner) Earlier() *Earlier { return &j.earlier }

// Waiting reports whether an offence is withheld, so that time alone may release it.
func (j *Joiner) Waiting() bool {
	return j.withheld.len() > 0 || j.crossed.len() > 0 || j.doubted.len() > 0
}

// Expire releases the offences that have waited long enough by now.
func (j *Joiner) Expire(now time.Time) {
	j.earlier.reset()
	j.expire(now)
}

// ReleaseAll releases all offences that wait, as at the end of a log that is read at the
// time asked. Each counts from the end of its wait, but no later than asked.
func (j *Joiner) ReleaseAll(asked time.Time) {
	j.earlier.reset()
	for {
		k, w, ok := j.withheld.first()
		if !ok {
			break
		}
		at := w.record.Time.Add(withholdFor)
		if at.After(asked) {
			at = asked
		}
		j.release(k, w, at)
	}
	j.expireEnds(asked, true)
	j.doubted.expire(asked, true, &j.earlier)
	j.earlier.sortReleased()
}

func (j *Joiner) expire(now time.Time) {
	for {
		k, w, ok := j.withheld.first()
		if !ok || now.Sub(w.record.Time) < withholdFor {
			break
		}
		j.release(k, w, w.record.Time.Add(withholdFor))
	}
	if j.crossed.len() > 0 || j.doubted.len() > 0 {
		j.expireEnds(now, false)
		j.doubted.expire(now, false, &j.earlier)
		j.earlier.sortReleased()
	}
}

// release makes an offence that was withheld count from a time on.
func (j *Joiner) release(k withheldKey, w *withheld, at time.Time) {
	if s := j.smtp.get(k.processKey); s != nil {
		s.waiting &^= 1 << k.kind
	}
	j.earlier.Released = append(j.earlier.Released, Release{w.record, at})
	j.withheld.drop(k)
}

// withhold keeps an offence until its session logs in or ends. It reports false if the
// offence counts at once: the beginning of the session is not in the log, so its end
// may not be either.
func (j *Joiner) withhold(k processKey, s *smtpSession, r *event.Record) bool {
	if s.begun == 0 {
		return false
	}
	key := withheldKey{k, r.Kind}
	if w := j.withheld.get(key); w != nil {
		if s.waiting&(1<<r.Kind) != 0 {
			w.record.Attempts += r.Attempts
			w.record.Withdrawn += r.Withdrawn
			return true
		}
		j.release(key, w, r.Time) // of an older session of the process that was dropped
	}
	if j.withheld.len() >= j.withheld.most {
		if oldest, w, ok := j.withheld.first(); ok {
			j.release(oldest, w, r.Time)
		}
	}
	s.waiting |= 1 << r.Kind
	j.withholdings++
	w := j.withheld.insert(key)
	w.record.Outcome, w.record.Line, w.record.Withdrawn, w.record.Event = r.Outcome, r.Line, r.Withdrawn, r.Event
	boundText(&w.record.Event)
	w.record.Event.Detach()
	w.record.Time, w.number = r.Time.UTC(), j.withholdings
	return true
}

// settle ends the wait of a session's offences at a time, in the order of the log.
func (j *Joiner) settle(k processKey, s *smtpSession, loggedIn bool, at time.Time) {
	if s.waiting == 0 {
		return
	}
	if bits.OnesCount64(s.waiting) == 1 { // mostly
		key := withheldKey{k, event.Kind(bits.TrailingZeros64(s.waiting))}
		if w := j.withheld.get(key); w != nil {
			j.earlier.add(&w.record, loggedIn, at)
			j.withheld.drop(key)
		}
		s.waiting = 0
		return
	}
	j.settling = j.settling[:0]
	for left := s.waiting; left != 0; left &= left - 1 {
		key := withheldKey{k, event.Kind(bits.TrailingZeros64(left))}
		if w := j.withheld.get(key); w != nil {
			j.settling = append(j.settling, *w)
			j.withheld.drop(key)
		}
	}
	s.waiting = 0
	if len(j.settling) > 1 {
		slices.SortFunc(j.settling, func(a, b withheld) int { return cmp.Compare(a.number, b.number) })
	}
	for i := range j.settling {
		j.earlier.add(&j.settling[i].record, loggedIn, at)
	}
}

// isWithholdable reports whether a line of smtpd is an offence that a login in the same
// session excuses.
func isWithholdable(r *event.Record) bool {
	class := r.Kind.Class()
	return (class == event.Hostile || class == event.Suspect) && !isLogin(r) && isSMTPD(r)
}

// boundText shortens the texts of an event that a client may have made long.
func boundText(e *event.Event) {
	for _, text := range [...]*string{&e.User, &e.ClientName, &e.Helo, &e.Sender, &e.Recipient, &e.Mechanism, &e.Reason, &e.Session, &e.Message} {
		if len(*text) > maxWithheldText {
			*text = (*text)[:maxWithheldText]
		}
	}
}
