package postfix

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

// What honest programs send at the wrong time is no offence, whichever daemon
// reports it; what bots send is.
func TestEarly(t *testing.T) {
	const (
		smtpd  = "unknown[192.0.2.1]"
		screen = "[192.0.2.1]:4711"
	)
	cut := strings.Repeat("x", 83) // a hundred characters are shown
	tests := map[string]event.Kind{
		// a TLS hello
		"improper command pipelining after CONNECT from " + smtpd + `: \026\003\001\002\000\001\000\001\374\003\003`: event.ProtocolError,
		"improper command pipelining after CONNECT from " + smtpd + `: \22\3\1\2\0\1\0\1\252\3\3`:                    event.ProtocolError,
		"improper command pipelining after STARTTLS from " + smtpd + `: \026\003\001\000\310\001`:                    event.ProtocolError,
		"improper command pipelining after CONNECT from " + smtpd + `: \003\000\000/*\340\000\000\000`:               event.Pipelining,
		"warning: non-SMTP command from " + smtpd + `: \026\003\001\002\000\001\000\001\374\003\003`:                 event.ProtocolError,
		"warning: non-SMTP command from " + smtpd + `: \22\3\1\2`:                                                    event.ProtocolError,
		"warning: non-SMTP command from " + smtpd + ": ????":                                                         event.ProtocolError,
		"warning: non-SMTP command from " + smtpd + ": ????w?":                                                       event.ProtocolError,
		"warning: non-SMTP command from " + smtpd + ": ?":                                                            event.NonSMTP,
		"warning: non-SMTP command from " + smtpd + ": ???????????????????":                                          event.NonSMTP,
		"warning: non-SMTP command from " + smtpd + ": GET / HTTP/1.1":                                               event.NonSMTP,
		"warning: non-SMTP command from " + smtpd + `: \026\002\001`:                                                 event.NonSMTP,
		// an account search
		"improper command pipelining after CONNECT from " + smtpd + `: EHLO we-guess.mozilla.org\r\n`:               event.ProtocolError,
		"improper command pipelining after CONNECT from " + smtpd + `: EHLO we-guess.mozilla.org\r\nAUTH LOGIN\r\n`: event.Pipelining,
		"improper command pipelining after CONNECT from " + smtpd + `: EHLO we-guess.mozilla.org.example\r\n`:       event.Pipelining,
		"improper command pipelining after MAIL from " + smtpd + `: EHLO we-guess.mozilla.org\r\n`:                  event.Pipelining,
		// a monitor's visit, and nothing behind QUIT
		"improper command pipelining after QUIT from " + smtpd + ": ":                                    event.ProtocolError,
		"improper command pipelining after QUIT from " + smtpd + ":":                                     event.ProtocolError,
		"improper command pipelining after QUIT from " + smtpd:                                           event.ProtocolError,
		"improper command pipelining after QUIT from " + smtpd + `: \r\n`:                                event.ProtocolError,
		"improper command pipelining after QUIT from " + smtpd + `: QUIT\r\n`:                            event.ProtocolError,
		"improper command pipelining after QUIT from " + smtpd + `: MAIL FROM:<a@example.com>\r\n`:       event.Pipelining,
		"improper command pipelining after EHLO from " + smtpd + ": ":                                    event.Pipelining,
		"improper command pipelining after EHLO from " + smtpd:                                           event.Pipelining,
		"improper command pipelining after CONNECT from " + smtpd + `: EHLO xymonnet\r\nQUIT\r\n`:        event.ProtocolError,
		"improper command pipelining after CONNECT from " + smtpd + `: QUIT\r\n`:                         event.ProtocolError,
		"improper command pipelining after EHLO from " + smtpd + `: QUIT\r\n`:                            event.ProtocolError,
		"improper command pipelining after HELO from " + smtpd + `: quit\r\n`:                            event.ProtocolError,
		"improper command pipelining after RCPT from " + smtpd + `: QUIT\r\n`:                            event.Pipelining,
		"improper command pipelining after AUTH from " + smtpd + `: QUIT\r\n`:                            event.Pipelining,
		"improper command pipelining after CONNECT from " + smtpd + `: EHLO x\r\nAUTH LOGIN\r\nQUIT\r\n`: event.Pipelining,
		"improper command pipelining after CONNECT from " + smtpd + `: EHLO User\r\n`:                    event.Pipelining,
		// a load balancer's header
		"improper command pipelining after CONNECT from " + smtpd + `: PROXY TCP4 192.0.2.9 192.0.2.2 44520 25\r\n`:                  event.ProtocolError,
		"improper command pipelining after CONNECT from " + smtpd + `: PROXY TCP4 192.0.2.9 192.0.2.2 44520 25\r\nMAIL FROM:<a>\r\n`: event.Pipelining,
		"improper command pipelining after EHLO from " + smtpd + `: PROXY TCP4 192.0.2.9 192.0.2.2 44520 25\r\n`:                     event.Pipelining,
		"PREGREET 41 after 0 from " + screen + `: PROXY TCP4 192.0.2.9 192.0.2.2 44520 25\r\n`:                                       event.ProtocolError,
		"PREGREET 20 after 0 from " + screen + `: \r\n\r\n\000\r\nQUIT\n!\021\000\f\313\000q\a`:                                      event.ProtocolError,
		// the same at postscreen
		"PREGREET 517 after 0 from " + screen + `: \026\003\001\002\000\001\000\001\374\003\003`: event.ProtocolError,
		"PREGREET 156 after 0.05 from " + screen + `: \22\3\1\0\151\1\0\0\147`:                   event.ProtocolError,
		"PREGREET 24 after 0 from " + screen + `: EHLO xymonnet\r\nQUIT\r\n`:                     event.ProtocolError, // shown whole
		"PREGREET 96 after 0 from " + screen + `: EHLO ` + cut + `\r\nQUIT\r\n`:                  event.ProtocolError,
		"PREGREET 140 after 0 from " + screen + `: EHLO ` + cut + `\r\nQUIT\r\n`:                 event.Pregreet,
		"PREGREET 21 after 0 from " + screen + `: EHLO xymonnet\r\nQUIT\r\n`:                     event.ProtocolError,
		"PREGREET 6 after 0 from " + screen + `: QUIT\r\n`:                                       event.ProtocolError,
		"PREGREET 11 after 0 from " + screen + `: EHLO User\r\n`:                                 event.Pregreet,
		"PREGREET 2 after 0 from " + screen + `: \r\n`:                                           event.Pregreet,
		"PREGREET 42 after 0 from " + screen + `: \003\000\000/*\340\000\000\000`:                event.Pregreet,
		"PREGREET 14 after 0 from " + screen + `: EHLO ylmf-pc\r\n`:                              event.Pregreet,
		"COMMAND PIPELINING from " + screen + ` after EHLO: QUIT\r\n`:                            event.ProtocolError,
		"COMMAND PIPELINING from " + screen + ` after CONNECT: EHLO we-guess.mozilla.org\r\n`:    event.ProtocolError,
		"COMMAND PIPELINING from " + screen + ` after ????: \001\374\003\003`:                    event.ProtocolError,
		"COMMAND PIPELINING from " + screen + ` after \026\003\001: \001\374\003\003`:            event.ProtocolError,
		"COMMAND PIPELINING from " + screen + ` after QUIT: `:                                    event.ProtocolError,
		"COMMAND PIPELINING from " + screen + ` after QUIT:`:                                     event.ProtocolError,
		"COMMAND PIPELINING from " + screen + ` after EHLO: MAIL FROM:<a@example.com>\r\n`:       event.Pipelining,
		"COMMAND PIPELINING from " + screen + ` after DATA: QUIT\r\n`:                            event.Pipelining,
		"NON-SMTP COMMAND from " + screen + ` after CONNECT: \026\003\001\002`:                   event.ProtocolError,
		"NON-SMTP COMMAND from " + screen + " after CONNECT: ???? ":                              event.ProtocolError,
		"NON-SMTP COMMAND from " + screen + " after CONNECT: GET / HTTP/1.1":                     event.NonSMTP,
		"BARE NEWLINE from " + screen + " after ????":                                            event.ProtocolError,
		"BARE NEWLINE from " + screen + ` after \026\003\001\002\000`:                            event.ProtocolError,
		"BARE NEWLINE from " + screen + " after CONNECT":                                         event.BareNewline,
		"BARE NEWLINE from " + screen + " after EHLO x":                                          event.BareNewline,
		"DNSBL rank 5 for " + screen:                                                             event.DNSBLListed,
	}
	for message, want := range tests {
		program := "postfix/smtpd"
		if message[0] < 'a' {
			program = "postfix/postscreen"
		}
		e, outcome := readAs(t, program, message)
		if outcome != event.Noted || e.Kind != want || e.Addr.String() != "192.0.2.1" || e.Attempts != 1 {
			t.Errorf("%s: got %s, %s, %s, want %s", message, outcome, e.Kind, e.Addr, want)
		}
	}
}
