package daily

import (
	"hash/maphash"

	"csmail/pkg/event"
)

// Logins counts the logins to the mail system that csmail's own events report. A Tracker
// counts the others, which Postfix logs at the end of a session.
//
// A Dovecot proxy and the server behind it both log a login that the proxy passed on, with
// the same session ID (imap-proxy.c, x-session-id). If both log to one place, the line
// that comes first counts.
type Logins struct {
	counter
	seed   maphash.Seed
	passed map[uint64]bool // by the hash of the session ID: whether the proxy logged it
	order  fifo[uint64]
}

// maxPassed is the number of logins that are remembered. The two lines about one are
// seldom a second apart.
const maxPassed = 1024

// NewLogins returns a counter of logins. Zone and At of the options are as for a Tracker.
func NewLogins(o Options) *Logins {
	return &Logins{counter: newCounter(o), seed: maphash.MakeSeed(), passed: map[uint64]bool{}}
}

// Add takes the record of an event. Folded events report attempts a second time, so they
// must be left out.
func (l *Logins) Add(r *event.Record) {
	isFailure := r.Kind == event.AuthFailed && r.Service != event.SSHD
	if !isFailure && (r.Kind != event.LoginOK || r.Service != event.Dovecot) {
		return
	}
	isKnown := !isFailure && l.isKnown(r)
	figures := l.at(r.Time)
	switch {
	case figures == nil:
		return
	case isFailure:
		figures.login(l.hour(r.Time), 0, r.Attempts)
		return
	case !isKnown:
		figures.login(l.hour(r.Time), 1, 0)
	}
	figures.addUser(r.User)
}

// isKnown reports whether the proxy or the server behind it, whichever the line is not of,
// logged the same login before.
func (l *Logins) isKnown(r *event.Record) bool {
	if r.Session == "" {
		return false
	}
	session, isProxy := maphash.String(l.seed, r.Session), r.Cause == event.Relayed
	before, ok := l.passed[session]
	if ok && before != isProxy {
		delete(l.passed, session)
		return true
	}
	if !ok {
		l.order.push(session)
	}
	l.passed[session] = isProxy
	if l.order.len() > maxPassed {
		oldest, _ := l.order.pop()
		delete(l.passed, oldest)
	}
	return false
}
