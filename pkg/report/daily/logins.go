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
	passed []passedRow
}

// passedRow holds some of the latest logins, the latest first: the hash of each session's
// ID, its lowest bit set if the proxy logged it. 0 stands for none.
type passedRow [4]uint64

// passedRows is the number of rows, for a thousand logins. The two lines about one are
// seldom a second apart.
const passedRows = 256

// NewLogins returns a counter of logins. Zone and At of the options are as for a Tracker.
func NewLogins(o Options) *Logins {
	return &Logins{counter: newCounter(o), seed: maphash.MakeSeed(), passed: make([]passedRow, passedRows)}
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
	hash := maphash.String(l.seed, r.Session)
	row, login := &l.passed[hash%passedRows], hash&^1|2
	if r.Cause == event.Relayed {
		login++
	}
	for i, before := range row {
		switch before {
		case login:
			return false
		case login ^ 1:
			row[i] = 0
			return true
		}
	}
	*row = passedRow{login, row[0], row[1], row[2]}
	return false
}
