package expression

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func failure(addr, user string, after time.Duration) *event.Event {
	return &event.Event{
		Time: start.Add(after), Service: event.Postfix, Program: "postfix/smtpd", Kind: event.AuthFailed, Attempts: 1,
		Addr: netip.MustParseAddr(addr), User: user,
		Message: "warning: unknown[" + addr + "]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
	}
}
