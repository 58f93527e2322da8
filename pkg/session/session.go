// Package session joins the lines of one attempt, so that one attempt counts
// once. Postfix logs a failed login when it happens and counts it again when the
// session ends; Dovecot's auth process logs it, then its login process counts
// it; and where Postfix asks Dovecot, both do. The first line to tell of an
// attempt counts, the later ones carry only what is left. The package also finds
// the client of a message by its queue ID. It goes by the times of the events,
// not by a clock; it is synchronous, bounded in memory, and does no I/O.
//
// However the lines of different clients lie in each other, each client counts what
// it would alone. What the lines cannot tell:
//   - Hosts that log under one name share process IDs: an end may count again.
//   - Dovecot names no session for Postfix's logins. Two failures of one user from one
//     address within a second are one until Postfix tells of both; those of two users
//     that take turns are more than two if each asks two databases.
//   - Where the clocks of Postfix's and Dovecot's hosts differ by more than a second, and
//     Postfix's line comes first, both count.
//   - What postscreen catches of one address within ten seconds is one offence.
package session

import (
	"net/netip"
	"strings"
	"time"

	"csmail/pkg/event"
)

// maxOpen bounds the sessions of each sort that are remembered. A Postfix
// host runs at most default_process_limit (100) smtpd processes a service; a
// log may hold many hosts. The oldest goes first.
const maxOpen = 20000

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
	ended    *memory[loginKey, loginSession] // those whose end came first; apart, since a client can have any number
	sasl     *memory[netip.Addr, saslClient] // Dovecot may log under another host than Postfix
	screened *memory[netip.Addr, int64]      // when postscreen last caught a client
	refused  *memory[endpoint, refusals]     // what postscreen refused in one connection
	messages *recent
	ssh      *memory[sshKey, sshSession]
	pam      *memory[pamKey, pamSession]
}

type smtpSession struct {
	addr     netip.Addr
	attempts int    // logins that have been accounted for
	messages int    // that were taken without a login
	kinds    uint64 // a bit for each kind of refusal that the session has had
}

// since is how long r comes after a time.
func since(at int64, r *event.Record) time.Duration { return time.Duration(r.Time.UnixNano() - at) }

// New returns a Joiner that knows no session.
func New() *Joiner {
	return &Joiner{
		smtp:     newMemory[processKey, smtpSession](maxOpen),
		logins:   newMemory[loginKey, loginSession](maxOpen),
		ended:    newMemory[loginKey, loginSession](maxOpen),
		sasl:     newMemory[netip.Addr, saslClient](maxOpen),
		screened: newMemory[netip.Addr, int64](maxOpen),
		refused:  newMemory[endpoint, refusals](maxOpen),
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
		if folded = j.postscreen(r); !folded && j.isScreenedAgain(r) {
			return Again
		}
	}
	if folded {
		return Folded
	}
	return First
}

// isRefusedAgain knows a refusal by smtpd for which the same session was refused
// before: a client with a hundred recipients gets a hundred of them, and since
// 3.10 one line that is too long is many. (What came too early folds, see postfix.)
func (j *Joiner) isRefusedAgain(r *event.Record) bool {
	isRefusal := r.Code != "" && r.Kind != event.Pipelining || r.Kind == event.ProtocolError
	if !isRefusal || r.PID == 0 || !strings.HasSuffix(r.Program, "/smtpd") {
		return false
	}
	return j.openSMTP(processKeyOf(r), r).isKnown(r.Kind)
}

// isKnown is false for the first refusal of a kind.
func (s *smtpSession) isKnown(k event.Kind) bool {
	known := s.kinds&(1<<k) != 0
	s.kinds |= 1 << k
	return known
}

func (j *Joiner) postfix(r *event.Record) bool {
	switch {
	case r.Testimony == event.MailAccepted:
		if k, ok := messageKeyOf(r); ok {
			j.messages.put(k, r.Addr)
		}
	case r.Kind == event.ContentRejected && !r.Addr.IsValid():
		r.Addr = j.clientOf(r)
	}
	if r.PID == 0 {
		// Without a process ID nobody can tell what the session's end counts again.
		if r.Testimony.EndsSession() {
			return r.Kind == event.AuthFailed
		}
		return j.isToldByDovecot(r)
	}
	k := processKeyOf(r)
	switch {
	case r.Testimony.EndsSession():
		return j.endSMTP(k, r)
	case r.Testimony == event.MailAccepted && r.Kind == event.NoKind:
		j.openSMTP(k, r).messages++
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
	if k, ok := messageKeyOf(r); ok {
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
	if ended.addr != r.Addr {
		return false
	}
	if r.Testimony == event.Undelivered {
		r.Withdrawn = ended.messages
	}
	if r.Kind != event.AuthFailed {
		return false
	}
	r.Attempts -= ended.attempts
	return r.Attempts <= 0
}
