package postfix_test

import (
	"fmt"

	"csmail/pkg/event"
	"csmail/pkg/grammar/postfix"
)

// The HELO name holds what looks like the end of the line with another address. The
// address of the event stays that of the client.
func ExampleParse() {
	var e event.Event
	outcome, _, ok := postfix.Parse("postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 "+
		"<a@b.example>: Relay access denied; from=<x@c.example> to=<a@b.example> proto=ESMTP helo=<h[198.51.100.1]>", &e)
	fmt.Println(ok, outcome, e.Kind, e.Addr, e.Helo)
	// Output: true event relay-denied 192.0.2.7 h[198.51.100.1]
}
