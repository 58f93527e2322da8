package session_test

import (
	"fmt"
	"net/netip"

	"csmail/pkg/event"
	"csmail/pkg/session"
)

// Postfix and Dovecot both log a failed login over SMTP. The second report of it is
// folded, so that the attempt counts once.
func ExampleJoiner_Join() {
	joiner := session.NewJoiner(event.HashKey{})
	line := func(program string, service event.Service) *event.Record {
		return &event.Record{Outcome: event.Noted, Event: event.Event{
			Service: service, Program: program, Kind: event.AuthFailed, Attempts: 1,
			Addr: netip.MustParseAddr("192.0.2.7"), User: "alice@example.org",
		}}
	}
	fmt.Println(joiner.Join(line("dovecot/auth", event.Dovecot)) == session.New)
	fmt.Println(joiner.Join(line("postfix/smtpd", event.Postfix)) == session.Folded)
	// Output:
	// true
	// true
}
