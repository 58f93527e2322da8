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

// Told says what the lines before have told of a record.
type Told uint8

const (
	// First is the first line to tell of it, or of that much of it.
	First Told = iota
	// Again is one more refusal of a kind that the same SMTP session has had: an
	// event of its own, but no more evidence about the client.
	Again
	// Folded is a line about attempts of which earlier lines have told.
	Folded
)

// Joiner remembers the open sessions. Use it from one goroutine at a time.
type Joiner struct {
	smtp     *memory[processKey, smtpSession]
	logins   *memory[loginKey, loginSession]
	sasl     *memory[netip.Addr, loginSession] // what Postfix has yet to tell of; Dovecot may log under another host
	screened *memory[netip.Addr, int64]        // when postscreen last caught a client
	messages *recent
	ssh      *memory[sshKey, sshSession]
	pam      *memory[pamKey, pamSession]

	host, program hash
}

type smtpSession struct {
	addr     netip.Addr
	attempts int    // logins that have been accounted for
	kinds    uint64 // a bit for each kind of refusal that the session has had
}

type loginSession struct {
	addr     netip.Addr
	attempts int   // failed logins that the auth process told of
	last     int64 // the time of the last, as time.Time.UnixNano has it
	user     string
}

// isSame tells whether r is still about the last attempt of s.
func (s *loginSession) isSame(r *event.Record) bool {
	return s.attempts > 0 && s.user == r.User && since(s.last, r).Abs() <= sameAttempt
}

func (s *loginSession) count(r *event.Record) {
	s.attempts += r.Attempts
	s.last = r.Time.UnixNano()
	if s.user != r.User {
		s.user = strings.Clone(r.User)
	}
}

// since is how long r comes after a time.
func since(at int64, r *event.Record) time.Duration { return time.Duration(r.Time.UnixNano() - at) }

// New returns a Joiner that knows no session.
func New() *Joiner {
	return &Joiner{
		smtp:     newMemory[processKey, smtpSession](maxOpen),
		logins:   newMemory[loginKey, loginSession](maxOpen),
		sasl:     newMemory[netip.Addr, loginSession](maxOpen),
		screened: newMemory[netip.Addr, int64](maxOpen),
		messages: &recent{most: maxOpen},
		ssh:      newMemory[sshKey, sshSession](maxOpen),
		pam:      newMemory[pamKey, pamSession](maxOpen),
	}
}

// Join takes the records in the order of their logging. It lowers the attempts
// of r by those that earlier lines told; if nothing is left, r is Folded.
func (j *Joiner) Join(r *event.Record) Told {
	folded := false
	switch r.Service {
	case event.Postfix:
		if j.isRefusedAgain(r) {
			return Again
		}
		folded = j.postfix(r) || j.isToldByPAM(r)
	case event.Dovecot:
		folded = j.pamOrDovecot(r)
	case event.SSHD:
		folded = j.sshd(r)
	case event.Postscreen:
		folded = j.postscreen(r)
	}
	if folded {
		return Folded
	}
	return First
}

// isRefusedAgain knows a refusal by smtpd for which the same session was refused
// before: a client with a hundred recipients gets a hundred of them. (What came
// too early folds, see isKnownPipelining.)
func (j *Joiner) isRefusedAgain(r *event.Record) bool {
	if r.Code == "" || r.PID == 0 || r.Kind == event.Pipelining || !strings.HasSuffix(r.Program, "/smtpd") {
		return false
	}
	return j.openSMTP(j.processKey(r.Host, r.Program, r.PID), r).isKnown(r.Kind)
}

// isKnown is false for the first refusal of a kind.
func (s *smtpSession) isKnown(k event.Kind) bool {
	known := s.kinds&(1<<k) != 0
	s.kinds |= 1 << k
	return known
}

// postscreen folds what one connection did wrong into one offence: a client that
// talks too early also pipelines, and what it sends is no SMTP.
func (j *Joiner) postscreen(r *event.Record) bool {
	if r.Kind.Class() != event.Hostile || !r.Addr.IsValid() {
		return false
	}
	if first := j.screened.get(r.Addr); first != nil && since(*first, r).Abs() <= oneConnection {
		return true
	}
	*j.screened.put(r.Addr) = r.Time.UnixNano()
	return false
}

func (j *Joiner) postfix(r *event.Record) bool {
	switch {
	case r.Testimony == event.MailAccepted:
		if k, ok := j.messageKey(r.Host, r.Session); ok {
			j.messages.put(k, r.Addr)
		}
	case r.Kind == event.ContentRejected && !r.Addr.IsValid():
		r.Addr = j.clientOf(r)
	}
	if r.PID == 0 {
		// Without a process ID nobody can tell what the session's end counts again.
		return j.isToldByDovecot(r) || (r.Testimony == event.Disconnected && r.Kind == event.AuthFailed)
	}
	k := j.processKey(r.Host, r.Program, r.PID)
	switch {
	case r.Testimony == event.Disconnected:
		return j.endSMTP(k, r)
	case r.Testimony == event.Connected:
		j.smtp.drop(k)
	case r.Kind == event.Pipelining:
		// Postfix logs each command that came too early, and each that it refused
		// for it.
		return j.openSMTP(k, r).isKnown(event.Pipelining)
	case isLogin(r):
		j.openSMTP(k, r).attempts += r.Attempts
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

// clientOf returns the client of a message, or the zero Addr.
func (j *Joiner) clientOf(r *event.Record) netip.Addr {
	if k, ok := j.messageKey(r.Host, r.Session); ok {
		return j.messages.get(k)
	}
	return netip.Addr{}
}

func (j *Joiner) openSMTP(k processKey, r *event.Record) *smtpSession {
	s := j.smtp.get(k)
	if s == nil {
		s = j.smtp.put(k)
	}
	if s.addr != r.Addr {
		*s = smtpSession{addr: r.Addr}
	}
	return s
}

func (j *Joiner) endSMTP(k processKey, r *event.Record) bool {
	s := j.smtp.get(k)
	if s == nil {
		return false
	}
	ended := *s
	j.smtp.drop(k)
	if r.Kind != event.AuthFailed || ended.addr != r.Addr {
		return false
	}
	r.Attempts -= ended.attempts
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
	k := loginKey{j.host.of(r.Host), r.Session}
	s := j.logins.get(k)
	if s == nil {
		k.session = strings.Clone(k.session)
		s = j.logins.put(k)
		s.addr = r.Addr
	}
	switch {
	case s.addr != r.Addr:
		return false
	case s.isSame(r):
		return true
	}
	s.count(r)
	return false
}

// endLogin reads the login process's count of the whole connection. Its refusals
// without a failed login fold into the auth process's line about them.
func (j *Joiner) endLogin(r *event.Record) bool {
	k := loginKey{j.host.of(r.Host), r.Session}
	s := j.logins.get(k)
	if s == nil || s.addr != r.Addr {
		return false
	}
	r.Attempts -= s.attempts
	j.logins.drop(k)
	return r.Attempts <= 0
}

// expectSASL remembers a failed login without a session: a program like Postfix
// asked, and will tell of it too.
func (j *Joiner) expectSASL(r *event.Record) bool {
	s := j.sasl.get(r.Addr)
	if s == nil {
		s = j.sasl.put(r.Addr)
	}
	if s.isSame(r) {
		return true // the next password database
	}
	if since(s.last, r) > saslDelay {
		s.attempts = 0
	}
	s.count(r)
	return false
}

// isToldByDovecot takes off what Dovecot told of the same client's login.
func (j *Joiner) isToldByDovecot(r *event.Record) bool {
	if r.Kind != event.AuthFailed || !r.Addr.IsValid() {
		return false
	}
	s := j.sasl.get(r.Addr)
	if s == nil || s.attempts == 0 || since(s.last, r).Abs() > saslDelay {
		return false
	}
	told := min(s.attempts, r.Attempts)
	s.attempts -= told
	r.Attempts -= told
	return r.Attempts <= 0
}
