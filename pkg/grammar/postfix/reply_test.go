package postfix

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

// What a client writes into its sender, recipient and HELO does not hide what it was
// refused for, and cannot pass for the server's words.
func TestRefusedTextInEnvelope(t *testing.T) {
	const relay, greylisted = "Relay access denied", "Recipient address rejected: Greylisted"
	tests := map[string]struct {
		code, refused, said, from, to, helo string
		want                                event.Kind
	}{
		"plain":                                 {"554 5.7.1", "r@a.example", relay, "s@b.example", "r@a.example", "h", event.RelayDenied},
		"envelope in the recipient":             {"554 5.7.1", `"x; from=<"@a.example`, relay, "s@b.example", `"x; from=<"@a.example`, "h", event.RelayDenied},
		"end in sender, envelope in HELO":       {"554 5.7.1", "r@a.example", relay, `"a>: b"@c.example`, "r@a.example", ">: x; from=<", event.RelayDenied},
		"envelope in sender":                    {"554 5.7.1", "r@a.example", relay, "x; from=<y>: z", "r@a.example", "h>: ", event.RelayDenied},
		"end in the recipient":                  {"554 5.7.1", `"a>: b"@a.example`, relay, "s@b.example", `"a>: b"@a.example`, "h", event.RelayDenied},
		"quotes in the envelope only":           {"554 5.7.1", "a>: b@a.example", relay, "s@b.example", `"a>: b"@a.example`, "h", event.RelayDenied},
		"greylisting in the recipient":          {"554 5.7.1", `"a>: ` + greylisted + `"@a.example`, relay, "s@b.example", `"a>: ` + greylisted + `"@a.example`, "h", event.RelayDenied},
		"greylisting and envelope in recipient": {"554 5.7.1", "a>: " + greylisted + "; from=<a> to=<a> proto=x helo=<", relay, "s@b.example", "a>: " + greylisted + "; from=<a> to=<a> proto=x helo=<", "h", event.PolicyRejected},
		"a fault in the sender":                 {"550 5.1.1", "r@a.example", "Recipient address rejected: User unknown", "r@a.example>: Temporary lookup failure; from=<r@a.example> to=<r@a.example> proto=x", "r@a.example", "h>: ", event.RecipientUnknown},
		"a long HELO":                           {"554 5.7.1", "r@a.example", relay, `"a>: b"@c.example`, "r@a.example", strings.Repeat("h", 900), event.RelayDenied},
		"a long recipient, cut":                 {"451 4.3.0", "a>: Temporary lookup failure; from=<a> to=<a> proto=SMTP " + strings.Repeat("x", 440), "", "s@b.example", "a>: Temporary lookup failure" + strings.Repeat("x", 440), "h", event.PolicyRejected},
		"HELO refused, its end in the HELO":     {"504 5.5.2", "x>: y", "Helo command rejected: need fully-qualified hostname", "s@b.example", "r@a.example", "x>: y", event.HeloRejected},
		"client refused, its end in the HELO":   {"554 5.7.1", "unknown[192.0.2.1]", "Client host rejected: Access denied", "s@b.example", "r@a.example", "unknown>: x; to=<", event.AccessDenied},
		"a server quoted":                       {"450 4.1.1", "r@a.example", "Recipient address rejected: unverified address: host mx.example[198.51.100.1] said: 450 <r@a.example>: later", "s@b.example", "r@a.example", "h", event.NoKind},
	}
	for name, tt := range tests {
		reply := tt.code + " <" + tt.refused + ">: " + tt.said
		if tt.said == "" {
			reply = reply[:510]
		}
		line := "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: " + reply + "; from=<" + tt.from + "> to=<" + tt.to + "> proto=ESMTP helo=<" + tt.helo + ">"
		e, _, _ := read(t, line)
		if e.Kind != tt.want || tt.want != event.NoKind && e.Addr.String() != "192.0.2.1" {
			t.Errorf("%s: got %q of %s, want %q of 192.0.2.1", name, e.Kind, e.Addr, tt.want)
		}
	}
}

// Lines without a sender, or with a recipient that was only asked for.
func TestEnvelopeWithoutSender(t *testing.T) {
	const unknown = "Recipient address rejected: User unknown in local recipient table"
	for line, want := range map[string]event.Event{
		"VRFY from unknown[192.0.2.1]: 550 5.1.1 <r>: " + unknown + "; to=<r> proto=SMTP helo=<h>":                 {Recipient: "r", Helo: "h", Reason: unknown},
		"VRFY from unknown[192.0.2.1]: 550 5.1.1 <r; to=<x>: " + unknown + "; to=<r; to=<x> proto=SMTP":            {Recipient: "r; to=<x", Reason: unknown},
		"RCPT from unknown[192.0.2.1]: 550 5.1.1 <r>: " + unknown + "; from=<> to=<r> proto=SMTP helo=<; to=<s>":   {Recipient: "r", Helo: "; to=<s", Reason: unknown},
		"CONNECT from unknown[192.0.2.1]: 554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: x; proto=SMTP":     {Reason: "Client host rejected: x"},
		"MAIL from unknown[192.0.2.1]: 553 5.7.1 <s>: Sender address rejected: not logged in; from=<s> proto=SMTP": {Sender: "s", Reason: "Sender address rejected: not logged in"},
	} {
		e, outcome, _ := read(t, "NOQUEUE: reject: "+line)
		if outcome != event.Noted || e.Sender != want.Sender || e.Recipient != want.Recipient || e.Helo != want.Helo || e.Reason != want.Reason {
			t.Errorf("%s: got %s, sender %q, recipient %q, helo %q, reason %q", line, outcome, e.Sender, e.Recipient, e.Helo, e.Reason)
		}
	}
}
