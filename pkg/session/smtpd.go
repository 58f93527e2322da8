package session

import (
	"strings"
	"time"

	"csmail/pkg/event"
)

const (
	// maxEnds is the number of sessions that are remembered after their end.
	maxEnds = 1024

	// endAgain bounds the time between two lines about the end of one session, in a log
	// that holds each line twice, for example because two syslog daemons write it.
	endAgain = 2 * time.Second
)

// smtpSession is what one smtpd process has logged about its client.
type smtpSession struct {
	addr     address
	attempts int           // logins counted so far
	messages int           // messages accepted without a login
	kinds    event.KindSet // of the session's refusals so far
	waiting  uint64        // one bit for each kind of offence that is withheld
	begun    int64         // second of its connect line, Unix time; 0: not in the log
	twice    bool          // its connect line is in the log twice
	loggedIn bool
	aside    bool // its next message is thrown away or put on hold: smtpd said so before the first recipient
}

// smtpEnd is a session that has ended. A log that holds each line twice logs its end
// again.
type smtpEnd struct {
	addr address
	at   int64 // a time.Time.UnixNano
}

// joinPostfix joins a line of Postfix, whichever daemon logged it.
func (j *Joiner) joinPostfix(r *event.Record) Status {
	switch {
	case r.Testimony == event.MailAccepted:
		if k, ok := messageKeyOf(r); ok {
			j.messages.put(k, r.Addr, takenBy(r, j.smtp))
		}
	case r.Testimony == event.Discarded && r.Session == "" && isSMTPD(r):
		j.openSMTP(processKeyOf(r), r).aside = true
	case r.Testimony == event.Discarded, r.Kind == event.ContentRejected && !isSMTPD(r): // which refuses single recipients
		j.messages.reject(r, j.smtp)
	case r.Kind == event.ContentRejected && !r.Addr.IsValid():
		if !j.smtp.get(processKeyOf(r)).reject(r) {
			return New
		}
	case r.Cause == event.WholeMessage:
		j.smtp.get(processKeyOf(r)).withdraw(r)
	}
	if r.PID != 0 && isWithholdable(r) {
		return j.joinOffence(r)
	}
	if j.joinSMTP(r) || j.deductPAM(r) {
		return Folded
	}
	return New
}

// joinOffence joins an offence against smtpd other than a failed login.
func (j *Joiner) joinOffence(r *event.Record) Status {
	k := processKeyOf(r)
	s := j.openSMTP(k, r)
	if isRefusal(r) && r.Session == "" {
		s.aside = false // its message was refused before its first recipient
	}
	switch {
	case s.loggedIn:
		return LoggedIn
	case s.wasRefusedByUs(r):
		return Folded
	case r.Kind == event.Pipelining && s.hadKind(r.Kind):
		// Postfix logs each command that came too early, and each that it refused for it.
		return Folded
	case isRefusal(r) && s.hadKind(r.Kind):
		return Repeat
	case j.withhold(k, s, r):
		return Withheld
	}
	return New
}

// isRefusal reports whether a session can have many refusals of this sort. For example, a
// client with a hundred recipients gets a hundred, and since Postfix 3.10 one line that
// is too long is many.
func isRefusal(r *event.Record) bool {
	return r.Code != "" && r.Kind != event.Pipelining || r.Kind == event.ProtocolError
}

// isSMTPD reports whether an SMTP server of Postfix logged r, of any service in
// master.cf.
func isSMTPD(r *event.Record) bool { return strings.HasSuffix(r.Program, "/smtpd") }

// hadKind reports whether the session has had a refusal of a kind, and notes it.
func (s *smtpSession) hadKind(k event.Kind) bool {
	had := s.kinds.Has(k)
	s.kinds = s.kinds.With(k)
	return had
}

// wasRefusedByUs reports whether r is about the end of a session where csmail refused
// the client before: a refused client hangs up. It also notes refusals by csmail.
func (s *smtpSession) wasRefusedByUs(r *event.Record) bool {
	if r.Kind == event.OwnRefusal {
		s.kinds = s.kinds.With(event.OwnRefusal)
		return false
	}
	return r.Kind == event.LostConnection && s.kinds.Has(event.OwnRefusal)
}

// joinSMTP joins failed logins and lines that are no offence. It reports whether earlier
// lines reported all of r.
func (j *Joiner) joinSMTP(r *event.Record) bool {
	if r.PID == 0 {
		// Without a process ID it is unknown which lines the session's end counts again.
		if r.Testimony.EndsSession() {
			return r.Kind == event.AuthFailed
		}
		return j.deductDovecot(r)
	}
	k := processKeyOf(r)
	switch {
	case r.Testimony.EndsSession():
		return j.endSMTP(k, r)
	case r.Testimony == event.Connected:
		j.connectSMTP(k, r)
	case r.Kind == event.AuthMailOK:
		s := j.openSMTP(k, r)
		s.loggedIn = true
		j.settle(k, s, true, r.Time)
	case r.Testimony == event.MailAccepted && r.Kind == event.NoKind:
		j.openSMTP(k, r).take(r)
	case isLogin(r):
		j.noteSMTPD(r.From().Host)
		s := j.openSMTP(k, r)
		s.attempts += r.Attempts
		if s.wasRefusedByUs(r) {
			return true
		}
		return j.deductDovecot(r)
	}
	return false
}

// connectSMTP begins a session. A session of the same process that has not ended is over,
// since a process serves one client at a time. If it is the same client in the same second,
// and nothing came between, the log holds the host's lines twice: no client can hang up
// unseen and come back at once to the same process.
func (j *Joiner) connectSMTP(k processKey, r *event.Record) {
	j.noteSMTPD(r.From().Host)
	s, addr := j.smtp.get(k), addressOf(r.Addr)
	switch {
	case s != nil && s.isNew() && s.addr == addr && s.begun == r.Time.Unix():
		s.twice = true
		j.noteTwice(r.From().Host, true)
		return
	case s != nil:
		j.settle(k, s, false, r.Time)
	default:
		s = j.smtp.insert(k)
	}
	*s = smtpSession{addr: addr, begun: r.Time.Unix()}
}

// isNew reports whether nothing is known of the session but its client.
func (s *smtpSession) isNew() bool {
	return s.attempts == 0 && s.messages == 0 && s.kinds == 0 && s.waiting == 0 && !s.loggedIn && !s.aside
}

// isLogin reports whether smtpd also counts the line as auth=0/1. It does for a failed
// login, and for one where no password was tried because the client gave up, went
// away, or was not let in.
func isLogin(r *event.Record) bool {
	switch r.Kind {
	case event.AuthFailed, event.AuthFault, event.AuthAborted, event.AuthRateLimited, event.LoginRefused, event.OwnRefusal:
		return true
	case event.LostConnection:
		return r.Cause == event.LoginService
	}
	return false
}

// takenBy returns the process that takes a message of a client that has not logged in, the
// zero processKey for any other and for a message that does not count as taken.
func takenBy(r *event.Record, sessions *fifoMap[processKey, smtpSession]) processKey {
	if r.Kind != event.NoKind {
		return processKey{}
	}
	k := processKeyOf(r)
	if s := sessions.get(k); s != nil && s.aside && s.addr == addressOf(r.Addr) {
		return processKey{}
	}
	return k
}

// reject gives r, a content filter's answer to smtpd, the client of the session, and
// withdraws its message. It reports false if the session is not known.
func (s *smtpSession) reject(r *event.Record) bool {
	if s == nil {
		return false
	}
	r.Addr = s.addr.addr()
	s.withdraw(r)
	return r.Addr.IsValid()
}

// withdraw withdraws the message that r refuses, if the session of its client has one.
func (s *smtpSession) withdraw(r *event.Record) {
	if s != nil && s.messages > 0 && r.Addr.IsValid() && s.addr == addressOf(r.Addr) {
		s.messages--
		r.Withdrawn = 1
	}
}

// take counts a message that smtpd logs as accepted, unless it is one that is put aside.
func (s *smtpSession) take(r *event.Record) {
	if s.aside {
		s.aside, r.Testimony = false, event.NoTestimony
		return
	}
	s.messages++
}

// openSMTP returns the session of a process. If the process had a session with another
// client, that one has ended.
func (j *Joiner) openSMTP(k processKey, r *event.Record) *smtpSession {
	s := j.smtp.getOrPut(k)
	if addr := addressOf(r.Addr); s.addr != addr {
		j.settle(k, s, false, r.Time)
		*s = smtpSession{addr: addr}
	}
	return s
}

// endSMTP ends a session and deducts the logins that were counted from the total of its
// last line. It reports whether none is left.
func (j *Joiner) endSMTP(k processKey, r *event.Record) bool {
	j.noteSMTPD(r.From().Host)
	s := j.smtp.get(k)
	if s == nil {
		return isEndedAgain(j.ends.get(k), r)
	}
	addr := addressOf(r.Addr)
	j.settle(k, s, s.addr == addr && r.Kind == event.LoginOK, r.Time)
	ended := *s
	j.smtp.drop(k)
	if ended.addr != addr {
		return false
	}
	if ended.begun != 0 {
		j.noteTwice(r.From().Host, ended.twice)
	}
	if ended.begun != 0 && r.Kind != event.NoKind {
		*j.ends.put(k) = smtpEnd{addr, r.Time.UnixNano()}
	}
	if r.Testimony == event.Undelivered {
		r.Withdrawn = ended.messages
	}
	if r.Kind != event.AuthFailed {
		return false
	}
	r.Attempts = max(r.Attempts-ended.attempts, 0) // lines may be there twice, and the end once
	return r.Attempts == 0
}

// isEndedAgain reports whether r is the end of a session that was logged as ended before;
// e is the last end of its process. If the host logs connections, the log would hold the
// connection of a new session.
func isEndedAgain(e *smtpEnd, r *event.Record) bool {
	return r.Kind != event.NoKind && e != nil && e.addr == addressOf(r.Addr) && since(e.at, r).Abs() <= endAgain
}
