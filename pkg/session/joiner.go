// Package session joins the lines of one attempt, so that one attempt counts once.
//
// Postfix logs a failed login when it happens and counts it again when the session ends.
// Dovecot's auth process logs it, then its login process counts it. Where Postfix asks
// Dovecot, both log it, and PAM modules log it before any of them. The first line about
// an attempt counts, and the later ones carry only the rest. For example, of
//
//	postfix/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: …
//	postfix/smtpd[42]: disconnect from unknown[192.0.2.1] ehlo=1 auth=0/3 commands=1/4
//
// the first counts one attempt and the second two. The package also finds the client of a
// message by its queue ID. It goes by the times of the events, not by a clock. It is
// synchronous, bounded in memory, keeps no client text, and does no I/O.
//
// Each host is joined by itself: a log of many hosts gives for each host the same result
// as the host's own log. However the lines of different clients are interleaved, each
// client counts as much as it would alone. The lines do not show everything:
//   - Hosts that log under one name share process IDs: an end may count again.
//   - Dovecot names no session for Postfix's logins. Two failures of one user from one
//
// address within a second are one until Postfix has reported both; those of two users
// that take turns are more than two if each asks two databases.
//   - Where the clocks of Postfix's and Dovecot's hosts differ by more than a second, or
//
// Dovecot runs on another host, and Postfix's line comes first, both count.
//   - In a log that holds each line twice, a line with a stamp without microseconds
//
// counts again, unless its connection, or one to smtpd or sshd before, shows that it is a
// copy.
package session

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// maxOpen is the number of sessions of each sort that are remembered. A Postfix host runs
// at most default_process_limit (100) smtpd processes a service, and a log may hold many
// hosts. At the limit the oldest is dropped.
const maxOpen = 20000

// Status says which part of a record is news.
type Status uint8

const (
	// New is the first line about an attempt, or about that much of it.
	New Status = iota
	// Repeat is one more refusal of a kind that the same SMTP session has had: an
	// event of its own, but no more evidence about the client.
	Repeat
	// Folded is a line about attempts that earlier lines have reported.
	Folded
	// Copy is a line that the log holds a second time, word for word.
	Copy
	// Withheld is an offence that counts only if its session ends without a login, the end
	// of one that counts only if no other line explains it, or a line of sshd that counts
	// only if it is no copy; see [Earlier].
	Withheld
	// LoggedIn is an offence in a session that has logged in, which excuses it.
	LoggedIn
)

// Joiner remembers the open sessions. Use it from one goroutine at a time.
type Joiner struct {
	loginHosts

	key      event.HashKey
	smtp     *fifoMap[processKey, smtpSession]
	ends     *fifoMap[processKey, smtpEnd]
	logins   *fifoMap[loginKey, loginSession]
	ended    *fifoMap[loginKey, loginSession] // ended or never opened; kept apart, because a client can have any number
	relayed  *fifoMap[uint64, relayed]        // by the hash of the session's ID
	sasl     *fifoMap[clientKey, saslClient]
	screened *fifoMap[connectionKey, screening]
	messages *messages
	ssh      *fifoMap[sshKey, sshSession]
	pam      pamSessions
	modules  modules
	copies   copies
	withheld *fifoMap[withheldKey, withheld]
	crossed  crossedEnds
	doubted  doubted

	earlier      Earlier
	settling     []withheld // scratch memory of settle
	withholdings uint64     // number of offences withheld so far
}

// since returns the time from at to r, in which at is a time.Time.UnixNano.
func since(at int64, r *event.Record) time.Duration { return time.Duration(r.Time.UnixNano() - at) }

// NewJoiner returns a Joiner that knows no session. The key is the secret under which
// it hashes the names that clients send; a snapshot brings its own.
func NewJoiner(key event.HashKey) *Joiner {
	ssh := newFIFOMap[sshKey, sshSession](maxOpen)
	return &Joiner{
		key:        key,
		smtp:       newFIFOMap[processKey, smtpSession](maxOpen),
		ends:       newFIFOMap[processKey, smtpEnd](maxEnds),
		logins:     newFIFOMap[loginKey, loginSession](maxOpen),
		ended:      newFIFOMap[loginKey, loginSession](maxOpen),
		relayed:    newFIFOMap[uint64, relayed](maxOpen),
		sasl:       newFIFOMap[clientKey, saslClient](maxOpen),
		screened:   newFIFOMap[connectionKey, screening](maxScreened),
		messages:   &messages{most: maxOpen},
		ssh:        ssh,
		pam:        pamSessions{newFIFOMap[pamKey, pamSession](maxOpen)},
		modules:    modules{newFIFOMap[clientKey, moduleReports](maxOpen)},
		withheld:   newFIFOMap[withheldKey, withheld](maxWithheld),
		crossed:    crossedEnds{newFIFOMap[loginKey, event.Record](maxWithheld)},
		doubted:    newDoubted(ssh),
		loginHosts: loginHosts{hosts: newFIFOMap[uint64, hostDaemons](maxHosts), remote: newFIFOMap[netip.Addr, uint64](maxOpen)},
	}
}

// Fresh returns a Joiner with the same key that knows no session.
func (j *Joiner) Fresh() *Joiner { return NewJoiner(j.key) }

// Join takes the records in the order of their logging. It lowers the attempts of r by
// those that earlier lines reported, and returns Folded if none is left. A line that
// names no client may get its address. Decisions about earlier records are in Earlier.
func (j *Joiner) Join(r *event.Record) Status {
	j.earlier.reset()
	if j.Waiting() {
		j.expire(r.Time)
	}
	if r.Message != "" && (r.Outcome == event.Noted || r.Testimony == event.MailAccepted && j.isTwice(r.From().Host)) {
		if s := j.compare(r); s != New {
			return s
		}
	}
	folded := false
	switch r.Service {
	case event.Postfix:
		return j.joinPostfix(r)
	case event.Dovecot:
		return j.joinDovecot(r)
	case event.SSHD:
		folded = j.joinSSHD(r)
	case event.Postscreen:
		folded = j.joinPostscreen(r)
	}
	if folded {
		return Folded
	}
	return New
}
