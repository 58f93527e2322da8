package authpolicy

import (
	"hash/fnv"
	"io"
	"log"
	"strings"

	"csmail/pkg/event"
)

// Record returns a report as a line of Dovecot's auth process, so that the log's lines
// about the same attempt join it and it counts once. The host is that of Dovecot's log
// lines.
//
// Versions before 2.4 do not report why a login failed, so a failed backend looks like a
// wrong password. The log's line about the same attempt is stepped first (the daemon
// delays reports by two seconds), and the guard's breaker for outages protects against
// bans.
func (r Report) Record(host string) event.Record {
	e := event.Event{
		Time: r.At, Service: event.Dovecot, Program: "dovecot/auth", Host: host, Attempts: 1,
		Addr: r.Addr, User: r.User, Session: r.Session, Kind: r.kind(), Password: r.Password, Reason: "auth policy report", Message: "auth policy report: " + r.Protocol,
	}
	return event.Record{Outcome: event.Noted, Event: e}
}

func (r Report) kind() event.Kind {
	switch {
	case r.Success:
		return event.LoginOK
	case r.Policy:
		return event.OwnRefusal
	case r.FailType == "internal":
		return event.AuthFault
	case r.FailType == "disabled", r.FailType == "expired":
		return event.LoginRefused
	}
	return event.AuthFailed
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// The lengths of a pwhash, in hexadecimal digits: 12 bits are four of them (Dovecot's
// default), a whole SHA-512 is 128. Of fewer bits too many passwords would share a mark.
const (
	minHash = 4
	maxHash = 128
)

// mark returns the mark of the password. Only PLAIN and LOGIN send the password. With
// CRAM-MD5, SCRAM and the like Dovecot has no password to hash, and pwhash is the same
// for every attempt on an account (auth_policy_create_json in src/auth/auth-policy.c,
// 2.3.19). So without the mechanism's name there is no mark.
func (q *request) mark() event.PasswordMark {
	if !strings.EqualFold(q.Mechanism, "PLAIN") && !strings.EqualFold(q.Mechanism, "LOGIN") {
		return 0
	}
	if len(q.PasswordHash) < minHash || len(q.PasswordHash) > maxHash || strings.Trim(q.PasswordHash, "0123456789abcdefABCDEF") != "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(q.PasswordHash)) // never fails
	sum := h.Sum32()
	return max(event.PasswordMark(sum^sum>>16), 1)
}
