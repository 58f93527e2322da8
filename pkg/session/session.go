// Package session joins the lines of one attempt, so that one attempt counts
// once. Postfix logs a failed login when it happens and counts it again when the
// session ends; Dovecot's auth process logs it, then its login process counts
// it; and where Postfix asks Dovecot, both do. The first line to tell of an
// attempt counts, the later ones carry only what is left. The package also finds
// the client of a message by its queue ID. It goes by the times of the events,
// not by a clock; it is synchronous, bounded in memory, and does no I/O.
package session

import (
	"net/netip"
	"strings"
	"time"

	"csmail/pkg/event"
)

const (
	// maxOpen bounds the sessions of each sort that are remembered. A Postfix
	// host runs at most default_process_limit (100) smtpd processes a service; a
	// log may hold many hosts. The oldest goes first.
	maxOpen = 20000

	// sameAttempt is how long after a failure Dovecot still speaks of the same
	// attempt: it asks one password database after the other, and delays its
	// answer, and so the next attempt, by auth_failure_delay (2 s). Stamps have
	// full seconds.
	sameAttempt = time.Second

	// saslDelay bounds the time from Dovecot's line to Postfix's about the same
	// login: Dovecot's penalty holds an answer back for up to 15 s.
	saslDelay = 20 * time.Second

	// oneConnection is how long postscreen's tests take: the greet wait is 6 s
	// (postscreen_greet_wait), and what follows is soon over.
	oneConnection = 10 * time.Second
)

// Joiner remembers the open sessions. Use it from one goroutine at a time.
type Joiner struct {
	smtp     *memory[smtpKey, smtpSession]
	logins   *memory[loginKey, loginSession]
	sasl     *memory[netip.Addr, saslSession] // Dovecot may log under another host than Postfix
	screened *memory[netip.Addr, time.Time]   // when postscreen last caught a client
	messages *memory[messageKey, netip.Addr]
	ssh      *memory[sshKey, sshSession]
	pam      *memory[pamKey, pamSession]
}

// smtpKey is one smtpd process: it serves one client at a time.
type smtpKey struct {
	host, program string
	pid           int
}

// loginKey is Dovecot's session of one connection.
type loginKey struct{ host, session string }

// messageKey is one message in the queue of a host.
type messageKey struct{ host, queueID string }

type smtpSession struct {
	addr     netip.Addr
	attempts int // logins that have been accounted for

	pipelined bool
}

type loginSession struct {
	addr     netip.Addr
	attempts int // failed logins that the auth process told of
	last     time.Time
	user     string
}

type saslSession struct {
	attempts int // failed logins that Postfix has yet to tell of
	last     time.Time
	user     string
}

// New returns a Joiner that knows no session.
func New() *Joiner {
	return &Joiner{
		smtp:     newMemory[smtpKey, smtpSession](maxOpen),
		logins:   newMemory[loginKey, loginSession](maxOpen),
		sasl:     newMemory[netip.Addr, saslSession](maxOpen),
		screened: newMemory[netip.Addr, time.Time](maxOpen),
		messages: newMemory[messageKey, netip.Addr](maxOpen),
		ssh:      newMemory[sshKey, sshSession](maxOpen),
		pam:      newMemory[pamKey, pamSession](maxOpen),
	}
}

// Join takes the records in the order of their logging. It lowers the attempts
// of r by those that earlier lines told, and reports true if nothing is left: r
// is folded into them.
func (j *Joiner) Join(r *event.Record) bool {
	switch r.Service {
	case event.Postfix:
		return j.postfix(r) || j.isToldByPAM(r)
	case event.Dovecot:
		return j.pamOrDovecot(r)
	case event.SSHD:
		return j.sshd(r)
	case event.Postscreen:
		return j.postscreen(r)
	}
	return false
}

// postscreen folds what one connection did wrong into one offence: a client that
// talks too early also pipelines, and what it sends is no SMTP.
func (j *Joiner) postscreen(r *event.Record) bool {
	if r.Kind.Class() != event.Hostile || !r.Addr.IsValid() {
		return false
	}
	first, known := j.screened.get(r.Addr)
	if known && r.Time.Sub(*first).Abs() <= oneConnection {
		return true
	}
	at := r.Time // the record is only lent
	j.screened.drop(r.Addr)
	j.screened.put(r.Addr, &at)
	return false
}

func (j *Joiner) postfix(r *event.Record) bool {
	switch {
	case r.Testimony == event.MailAccepted:
		addr := r.Addr // the record is only lent
		j.messages.put(messageKey{strings.Clone(r.Host), strings.Clone(r.Session)}, &addr)
	case r.Kind == event.ContentRejected && !r.Addr.IsValid():
		if addr, ok := j.messages.get(messageKey{r.Host, r.Session}); ok {
			r.Addr = *addr
		}
	}
	if r.PID == 0 {
		// Without a process ID nobody can tell what the session's end counts again.
		return j.isToldByDovecot(r) || (r.Testimony == event.Disconnected && r.Kind == event.AuthFailed)
	}
	k := smtpKey{r.Host, r.Program, r.PID}
	switch {
	case r.Testimony == event.Disconnected:
		return j.endSMTP(k, r)
	case r.Testimony == event.Connected:
		j.smtp.drop(k)
	case r.Kind == event.Pipelining:
		return j.isKnownPipelining(k, r)
	case isLogin(r):
		j.countSMTP(k, r)
		return j.isToldByDovecot(r)
	}
	return false
}

// isLogin knows the lines of a login that smtpd also counts as auth=0/1, those
// among them in which no password was tried: the client gave up or went away, or
// we would not let it.
func isLogin(r *event.Record) bool {
	switch r.Kind {
	case event.AuthFailed, event.AuthFault, event.AuthAborted, event.AuthRateLimited, event.OwnRefusal:
		return true
	case event.LostConnection:
		return strings.HasSuffix(r.Reason, " after AUTH")
	}
	return false
}

func (j *Joiner) countSMTP(k smtpKey, r *event.Record) {
	j.openSMTP(k, r).attempts += r.Attempts
}

// isKnownPipelining is true but for the first time in a session: Postfix logs
// each command that came too early, and each that it refused for it.
func (j *Joiner) isKnownPipelining(k smtpKey, r *event.Record) bool {
	s := j.openSMTP(k, r)
	known := s.pipelined
	s.pipelined = true
	return known
}

func (j *Joiner) openSMTP(k smtpKey, r *event.Record) *smtpSession {
	s, known := j.smtp.get(k)
	if !known {
		k.host, k.program = strings.Clone(k.host), strings.Clone(k.program)
		s = &smtpSession{}
		j.smtp.put(k, s)
	}
	if s.addr != r.Addr {
		*s = smtpSession{addr: r.Addr}
	}
	return s
}

func (j *Joiner) endSMTP(k smtpKey, r *event.Record) bool {
	s, known := j.smtp.get(k)
	j.smtp.drop(k)
	if !known || r.Kind != event.AuthFailed || s.addr != r.Addr {
		return false
	}
	r.Attempts -= s.attempts
	return r.Attempts <= 0
}

func (j *Joiner) dovecot(r *event.Record) bool {
	switch {
	case r.Kind.Class() == event.Success || r.Kind == event.NoKind || !r.Addr.IsValid():
		return false
	case r.Program != "dovecot/auth":
		return j.endLogin(r)
	case r.Session == "":
		return j.expectSASL(r)
	}
	return j.countLogin(r)
}

// countLogin counts a line of the auth process. A second database that does not
// know the user either is no second attempt.
func (j *Joiner) countLogin(r *event.Record) bool {
	k := loginKey{r.Host, r.Session}
	s, known := j.logins.get(k)
	if !known {
		k.host, k.session = strings.Clone(k.host), strings.Clone(k.session)
		s = &loginSession{addr: r.Addr}
		j.logins.put(k, s)
	}
	if s.addr != r.Addr {
		return false
	}
	if s.attempts > 0 && s.user == r.User && r.Time.Sub(s.last).Abs() <= sameAttempt {
		return true
	}
	s.attempts += r.Attempts
	s.last, s.user = r.Time, strings.Clone(r.User)
	return false
}

// endLogin reads the login process's count of the whole connection. Its refusals
// without a failed login fold into the auth process's line about them.
func (j *Joiner) endLogin(r *event.Record) bool {
	k := loginKey{r.Host, r.Session}
	s, known := j.logins.get(k)
	if !known || s.addr != r.Addr {
		return false
	}
	j.logins.drop(k)
	r.Attempts -= s.attempts
	return r.Attempts <= 0
}

// expectSASL remembers a failed login without a session: a program like Postfix
// asked, and will tell of it too.
func (j *Joiner) expectSASL(r *event.Record) bool {
	s, known := j.sasl.get(r.Addr)
	if !known {
		s = &saslSession{}
		j.sasl.put(r.Addr, s)
	}
	if s.attempts > 0 && s.user == r.User && r.Time.Sub(s.last).Abs() <= sameAttempt {
		return true // the next password database
	}
	if r.Time.Sub(s.last) > saslDelay {
		s.attempts = 0
	}
	s.attempts += r.Attempts
	s.last, s.user = r.Time, strings.Clone(r.User)
	return false
}

// isToldByDovecot takes off what Dovecot told of the same client's login.
func (j *Joiner) isToldByDovecot(r *event.Record) bool {
	if r.Kind != event.AuthFailed || !r.Addr.IsValid() {
		return false
	}
	s, known := j.sasl.get(r.Addr)
	if !known || s.attempts == 0 || r.Time.Sub(s.last).Abs() > saslDelay {
		return false
	}
	told := min(s.attempts, r.Attempts)
	s.attempts -= told
	r.Attempts -= told
	return r.Attempts <= 0
}
