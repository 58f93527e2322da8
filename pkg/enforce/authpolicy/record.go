package authpolicy

import (
	"io"
	"log"

	"csmail/pkg/event"
)

// Record returns a report as a line of Dovecot's auth process would have it, so that
// whatever the log tells of the same attempt joins it and counts once. The host is the
// one that the log's lines of Dovecot carry.
//
// A version before 2.4 does not say why a login failed: a backend that is out of order
// looks like a wrong password there. The log's line about the same attempt is stepped
// first (the daemon holds reports back for two seconds), and the guard's breaker for what
// befalls us stands before every ban.
func (r Report) Record(host string) event.Record {
	e := event.Event{
		Time: r.At, Service: event.Dovecot, Program: "dovecot/auth", Host: host, Attempts: 1,
		Addr: r.Addr, User: r.User, Session: r.Session, Kind: r.kind(), Reason: "auth policy report", Message: "auth policy report: " + r.Protocol,
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
