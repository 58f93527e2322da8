package postfix

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

// What lacks one word of a format, or has another in its place, is none of it: no
// address is taken from it.
func TestAlmost(t *testing.T) {
	for _, message := range []string{
		"warning: unknown[192.0.2.1]: SASL LOGIN",
		"warning: unknown[192.0.2.1]: SASL LOGIN authentication failing: x",
		"warning: Illegal address syntax from unknown[192.0.2.1]: MAIL command",
		"warning: Illegal address syntax from unknown in MAIL command: <x>",
		"warning: Connection rate limit exceeded: many from unknown[192.0.2.1] for service smtpd",
		"warning: Connection rate limit exceeded: 31 of unknown[192.0.2.1] for service smtpd",
		"00ADB3C0899: client=unknown",
		"00ADB3C0899: client=unknown[192.0.2.1",
		"00ADB: client=unknown[192.0.2.1]",
		"00ADB3C0899ADB3C0899A: client=unknown[192.0.2.1]",
		"00AD{B3C0899: client=unknown[192.0.2.1]",
		"00AD[B3C0899: client=unknown[192.0.2.1]",
		"00ADB3C0899 client=unknown[192.0.2.1]",
		"lost connection after AUTH unknown[192.0.2.1]",
		"lost connection after AUTH from unknown[192.0.2.1] again",
		"lost connection after AUTH from unknown",
		"00ADB3C0899: hold",
		"lost connection after A[B from unknown[192.0.2.1]",
		"lost connection after A]B from unknown[192.0.2.1]",
		"lost connection after A:B from unknown[192.0.2.1]",
		"lost connection after A;B from unknown[192.0.2.1]",
		"lost connection after " + strings.Repeat("A", 61) + " from unknown[192.0.2.1]",
		"improper command pipelining after EHLO: unknown[192.0.2.1]",
		"improper command pipelining after EHLO from unknown[192.0.2.1] QUIT",
		"SSL_accept error from unknown: -1",
		"connect from unknown[192.0.2.1] again",
		"connect from unknown[192.0.2.1x]",
		"connect from unknown[192.0.2.1]x25",
		"connect from unknown[192.0.2.1]:25x",
		"connect from a]b[192.0.2.1]",
		"connect from a:b[192.0.2.1]",
		"connect from a,b[192.0.2.1]",
		"connect from a\x7fb[192.0.2.1]",
		"connect from " + strings.Repeat("a", 256) + "[192.0.2.1]",
		"client=unknown[192.0.2.1]",
		"reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <r@example.net>: Relay access denied",
		"NOQUEUE: reject: RCPT unknown[192.0.2.1]: 554 5.7.1 <r@example.net>: Relay access denied",
		"NOQUEUE: reject: RCPT of unknown[192.0.2.1]: 554 5.7.1 <r@example.net>: Relay access denied",
		"NOQUEUE: reject: RCPT from unknown[192.0.2.1] 554 5.7.1 <r@example.net>: Relay access denied",
		"NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 250 2.0.0 Ok",
		"NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 399 x",
		"NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 600 x",
		"NOQUEUE: hangup: RCPT unknown[192.0.2.1]: x",
		"NOQUEUE: hangup: RCPT from unknown[192.0.2.1] x",
		"NOQUEUE: hangup: RCPT from unknown: x",
		"NOQUEUE: milter-reject: RCPT unknown[192.0.2.1]: 550 5.7.1 x",
		"NOQUEUE: news: RCPT from unknown[192.0.2.1]: 554 5.7.1 x",
		"warning: Connection rate limit exceeded: 1234567 from unknown[192.0.2.1] for service smtpd",
		"warning: Connection rate limit exceeded: 3: from unknown[192.0.2.1] for service smtpd",
		"warning: Connection rate limit exceeded:  from unknown[192.0.2.1] for service smtpd",
		"warning: unknown[192.0.2.1] x header instead of SMTP command: y",
		"warning: unknown[192.0.2.1] sent x",
		"warning: unknown[192.0.2.1]: something new",
		"warning: NOQUEUE: null BDAT request from unknown",
		"warning: NOQUEUE: null BDAT request from unknown[192.0.2.1] again",
		"warning: NOQUEUE: something new",
		"warning: hostname a:b does not resolve to address 192.0.2.1",
		"warning: hostname a.example 192.0.2.1",
		"warning: hostname a.example does not resolve to address 192.0.2.1 x",
		"warning: 192.0.2.1: address not listed for hostname a[b",
		"warning: 192.0.2.1: a.example verification failed: x",
		"warning: 192.0.2.1: hostname a.example",
		"warning: 192.0.2.1: hostname a[b verification failed: x",
		"unknown[192.0.2.1]: something new",
	} {
		t.Run(message, func(t *testing.T) {
			if e, outcome, _ := read(t, message); outcome != event.Missed {
				t.Errorf("got %s, kind %s, %s", outcome, e.Kind, e.Addr)
			}
		})
	}
}

// A queue ID has 6 to 20 characters.
func TestQueueIDs(t *testing.T) {
	for _, id := range []string{"00ADB3", "4Zk1Yq2Lz3z9v", "00ADB3C0899ADB3C0899", "zzzzzzZZZZZZ"} {
		e, _, testimony := read(t, id+": client=unknown[192.0.2.1]")
		if testimony != event.MailAccepted || e.Session != id {
			t.Errorf("%s: %d, session %q", id, testimony, e.Session)
		}
	}
	for message, want := range map[string]string{
		"NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <r@x>: Relay access denied":       "",
		"4Zk1Yq2Lz3z9v: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <r@x>: Relay access denied": "4Zk1Yq2Lz3z9v",
		"warning: 4Zk1Yq2Lz3z9v: malformed BDAT command syntax from unknown[192.0.2.1]: x":          "4Zk1Yq2Lz3z9v",
		"warning: NOQUEUE: malformed BDAT command syntax from unknown[192.0.2.1]: x":                "",
	} {
		if e, outcome, _ := read(t, message); outcome != event.Noted || e.Session != want {
			t.Errorf("%s: %s, session %q, want outcome %s, Session %q", message, outcome, e.Session, event.Noted, want)
		}
	}
	for _, part := range []string{"header", "body", "mime-header", "nested-header"} {
		e, outcome := readAs(t, "postfix/cleanup", "4Zk1Yq2Lz3z9v: reject: "+part+" x from c.example[192.0.2.1]; from=<a> to=<b> proto=SMTP helo=<d>: 5.7.1 no")
		if outcome != event.Noted || e.Session != "4Zk1Yq2Lz3z9v" || e.Attempts != 1 || e.Reason != "reject: "+part || e.Addr.IsValid() {
			t.Errorf("cleanup, %s: %s, session %q, %d attempts, %q, %s", part, outcome, e.Session, e.Attempts, e.Reason, e.Addr)
		}
	}
}

// What a client claimed stays in its field.
func TestEnvelope(t *testing.T) {
	for envelope, want := range map[string]string{
		"from=<a> to=<b> proto=ESMTP helo=<h>":                                       "a b h",
		"from=<a> to=<b> proto=ESMTP helo=<h> sasl_method=<LOGIN> sasl_username=<u>": "a b h",
		"from=<> to=<b> proto=SMTP helo=<h> sasl_username=<u>":                       " b h",
		"from=<a> proto=ESMTP helo=<h>":                                              "a  h",
		"proto=ESMTP helo=<[192.0.2.9]>":                                             "  [192.0.2.9]",
		"proto=SMTP":                                                                 "  ",
	} {
		e, _, _ := read(t, "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <b>: Relay access denied; "+envelope)
		if got := strings.Join([]string{e.Sender, e.Recipient, e.Helo}, " "); got != want || e.Kind != event.RelayDenied {
			t.Errorf("%s: %s, %q, want %q", envelope, e.Kind, got, want)
		}
	}
}

// A temporary refusal whose words Postfix has not is the admin's own: greylisting
// mostly.
func TestTemporaryRefusals(t *testing.T) {
	for _, reply := range []string{
		"450 4.7.1 come again", "451 come again",
		"450 4.7.1 Client host rejected: come again",
		"450 4.7.1 <h>: Helo command rejected: come again",
		"450 4.1.8 <a>: Sender address rejected: come again",
		"450 4.2.0 <b>: Recipient address rejected: come again",
	} {
		message := "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: " + reply + "; from=<a> to=<b> proto=ESMTP helo=<h>"
		if e, outcome, _ := read(t, message); outcome != event.Benign {
			t.Errorf("%s: got %s, %s, want %s", reply, outcome, e.Kind, event.Benign)
		}
	}
}

func TestPolicyServers(t *testing.T) {
	for _, name := range []string{
		"postgrey", "policyd-spf", "policy-spf", "spf-policy", "postfwd", "postfwd2", "postfwd3", "policyd", "sqlgrey", "greyfix",
	} {
		var e event.Event
		for _, program := range []string{name, "postfix/" + name} {
			outcome, _, ok := Parse(program, "action=reject, client_address=192.0.2.1", &e)
			if !ok || outcome != event.Benign {
				t.Errorf("%s: got %t, %s, want ok true, outcome %s", program, ok, outcome, event.Benign)
			}
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"[192.0.2.1] 99", "[192.0.2.1]:", "[192.0.2]:99", "192.0.2.1:99", "[192.0.2.1:99"} {
		var e event.Event
		if outcome, _, _ := Parse("postfix/postscreen", "PREGREET 14 after 0.1 from "+endpoint+": EHLO x", &e); outcome != event.Missed {
			t.Errorf("%s: got %s, %s, want %s", endpoint, outcome, e.Addr, event.Missed)
		}
	}
}

// The same for the daemons that speak for smtpd.
func TestAlmostScreened(t *testing.T) {
	for _, message := range [][2]string{
		{"postfix/postscreen", "NOQUEUE: reject: RCPT from [192.0.2.1]:4711 550 5.5.1 Protocol error; from=<a>, to=<b>, proto=SMTP, helo=<c>"},
		{"postfix/postscreen", "NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 250 2.0.0 Ok; from=<a>, to=<b>, proto=SMTP, helo=<c>"},
		{"postfix/postscreen", "NOQUEUE: reject: RCPT [192.0.2.1]:4711: 550 5.5.1 Protocol error; from=<a>, to=<b>, proto=SMTP, helo=<c>"},
		{"postfix/postscreen", "NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 550 5.7.1 Service unavailable; client [192.0.2.1] not wanted; from=<a>, to=<b>"},
		{"postfix/postscreen", "PREGREET 11 after 0.05: EHLO x"},
		{"postfix/tlsproxy", "TLS handshake failed for service=smtpd"},
		{"postfix/tlsproxy", "SSL_accept error from [192.0.2.1]:4711 x"},
	} {
		if e, outcome := readAs(t, message[0], message[1]); outcome != event.Missed {
			t.Errorf("%s: got %s, %s, want %s", message[1], outcome, e.Kind, event.Missed)
		}
	}
	if e, outcome := readAs(t, "postfix/cleanup", "milter-reject: END-OF-MESSAGE from a.example[192.0.2.1]: 5.7.1 no"); outcome != event.Benign {
		t.Errorf("cleanup without a queue ID: %s, %s, want %s", outcome, e.Kind, event.Benign)
	}
}
