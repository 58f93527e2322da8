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
		"450 4.7.1 Client host rejected: come again",
		"450 4.7.1 <h>: Helo command rejected: come again",
		"450 4.1.8 <a>: Sender address rejected: come again",
		"450 4.2.0 <b>: Recipient address rejected: come again",
	} {
		message := "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: " + reply + "; from=<a> to=<b> proto=ESMTP helo=<h>"
		if e, outcome, _ := read(t, message); outcome != event.Benign {
			t.Errorf("%s: %s, %s", reply, outcome, e.Kind)
		}
	}
}

func TestPolicyServers(t *testing.T) {
	for _, name := range []string{
		"postgrey", "policyd-spf", "policy-spf", "spf-policy", "postfwd", "postfwd2", "postfwd3", "policyd", "sqlgrey", "greyfix",
	} {
		var e event.Event
		outcome, _, ok := Parse("postfix/"+name, "action=reject, client_address=192.0.2.1", &e)
		if !ok || outcome != event.Benign {
			t.Errorf("%s: %t, %s", name, ok, outcome)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"[192.0.2.1] 99", "[192.0.2.1]:", "[192.0.2]:99", "192.0.2.1:99", "[192.0.2.1:99"} {
		var e event.Event
		if outcome, _, _ := Parse("postfix/postscreen", "PREGREET 14 after 0.1 from "+endpoint+": EHLO x", &e); outcome != event.Missed {
			t.Errorf("%s: %s, %s", endpoint, outcome, e.Addr)
		}
	}
}
