package daily

import "csmail/pkg/event"

// Logins counts the logins to the mail system that csmail's own events report. A Tracker
// counts the others, which Postfix logs at the end of a session.
type Logins struct{ counter }

// NewLogins returns a counter of logins. Zone and At of the options are as for a Tracker.
func NewLogins(o Options) *Logins { return &Logins{newCounter(o)} }

// Add takes an event. Folded events, which report attempts a second time, must be left
// out.
func (l *Logins) Add(e *event.Event) {
	isFailure := e.Kind == event.AuthFailed && e.Service != event.SSHD
	if !isFailure && (e.Kind != event.LoginOK || e.Service != event.Dovecot) {
		return
	}
	figures := l.at(e.Time)
	if figures == nil {
		return
	}
	if isFailure {
		figures.login(l.hour(e.Time), 0, e.Attempts)
		return
	}
	figures.login(l.hour(e.Time), 1, 0)
	figures.addUser(e.User)
}
