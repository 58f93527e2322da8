package session

import (
	"slices"
	"time"

	"csmail/pkg/event"
)

// Dovecot's auth process logs why a login failed, if auth_verbose is on, and its login
// process counts the failed logins of the connection when it ends. The two do not wait for
// each other, so the end may stand first:
//
//	dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 0 secs) (auth_failed): user=<bob>, …, session=<S>
//	dovecot: auth(bob,192.0.2.66,sasl:plain)<S>: policy: Authentication failure due to policy server refusal: CrowdSec decision 7 …
//
// Only the second line shows that csmail refused the login, so that it is no offence. So an
// end with failed logins that no line has explained waits for the lines of the auth
// process. Each of them counts in place of one of its attempts. What is left after
// crossedFor counts. An end waits only on a host whose auth process has explained the failed
// login before it, so that nothing waits where auth_verbose is off, as by default.

// crossedFor is how long the end of a connection waits. The lines are written within
// moments of each other, but a log's stamps may have full seconds.
const crossedFor = 3 * time.Second

// crossedEnds are ends of connections that wait for their reasons. They share no text with
// the log.
type crossedEnds struct {
	*fifoMap[loginKey, event.Record]
}

// waitForReason withholds the end of a connection that counts failed logins, and reports
// whether it does.
func (j *Joiner) waitForReason(r *event.Record) bool {
	if r.Kind != event.AuthFailed || r.Phase != event.End || r.Session == "" || r.Attempts <= 0 {
		return false
	}
	k := loginKeyOf(r)
	s := j.ended.get(k)
	if s == nil || s.addr != r.Addr || s.attempts == 0 || !j.daemonsOf(k.host).explains {
		return false
	}
	if old := j.crossed.get(k); old != nil {
		j.releaseEnd(k, old, r.Time)
	}
	if j.crossed.len() >= j.crossed.most {
		if oldest, w, ok := j.crossed.first(); ok {
			j.releaseEnd(oldest, w, r.Time)
		}
	}
	s.attempts, s.explained = 0, true
	w := j.crossed.insert(k)
	w.Outcome, w.Line, w.Event = r.Outcome, r.Line, r.Event
	boundText(&w.Event)
	w.Detach()
	w.Time = r.Time.UTC()
	return true
}

// explain lets a line of the auth process count in place of an end that waits for it, and
// returns the part of the end that does not count any more. It reports whether there is
// such an end.
func (c crossedEnds) explain(k loginKey, r *event.Record) (part event.Record, ok bool) {
	w := c.get(k)
	if w == nil {
		return event.Record{}, false
	}
	part = *w
	part.Attempts = min(w.Attempts, r.Attempts)
	if w.Attempts -= part.Attempts; w.Attempts <= 0 {
		c.drop(k)
	}
	return part, true
}

// expireEnds makes the ends count that have waited long enough by a time: the auth process
// of their host may not explain failed logins any more. If it is the end of the log, all of
// them have waited long enough.
func (j *Joiner) expireEnds(now time.Time, isEnd bool) {
	for {
		k, w, ok := j.crossed.first()
		if !ok {
			return
		}
		until := w.Time.Add(crossedFor)
		switch {
		case !isEnd && until.After(now):
			return
		case !isEnd:
			j.daemonsOf(k.host).explains = false
		case until.After(now):
			until = now
		}
		j.releaseEnd(k, w, until)
	}
}

// releaseEnd makes an end count from a time on. Lines that explain it later do not count.
func (j *Joiner) releaseEnd(k loginKey, w *event.Record, at time.Time) {
	if s := j.ended.get(k); s != nil && s.explained {
		s.explained = false
		s.attempts, s.last, s.user = w.Attempts, w.Time.UnixNano(), j.accountOf(w)
	}
	j.earlier.Released = append(j.earlier.Released, Release{*w, at})
	j.crossed.drop(k)
}

// sortReleased puts offences of both waits in the order of their times.
func (o *Earlier) sortReleased() {
	slices.SortStableFunc(o.Released, func(a, b Release) int { return a.At.Compare(b.At) })
}
