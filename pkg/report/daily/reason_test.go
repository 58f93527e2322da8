package daily

import (
	"net/netip"
	"strings"
	"testing"

	"csmail/pkg/event"
)

func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		"554 5.7.1 Service unavailable; Client host [203.0.113.9] blocked using zen.example.org; https://example.org/q/203.0.113.9; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>": "blocked using zen.example.org",
		"550 5.7.1 Service unavailable; client [203.0.113.9] blocked using zen.example.org; from=<a@b.example>, to=<c@d.example>, proto=ESMTP, helo=<x>":                                      "blocked using zen.example.org",
		"450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.9]; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>":                                                 "cannot find your hostname",
		"450 4.7.1 Client host rejected: cannot find your reverse hostname, [203.0.113.9]":                                                                                                    "cannot find your reverse hostname",
		"554 5.7.1 <c@d.example>: Relay access denied; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>":                                                                              "Relay access denied",
		"550 5.1.1 <x>: evil>: nope@example.org>: Recipient address rejected: User unknown in virtual mailbox table; from=<>":                                                                 "Recipient address rejected: User unknown in virtual mailbox table",
		"450 4.1.8 <a@b.example>: Sender address rejected: Domain not found; from=<a@b.example>":                                                                                              "Sender address rejected: Domain not found",
		"550 5.1.1 <u@example.org>: Recipient address rejected: undeliverable address: host mx[203.0.113.1] said: 550 no":                                                                     "Recipient address rejected: undeliverable address",
		"504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname; proto=SMTP helo=<localhost>":                                                                            "Helo command rejected: need fully-qualified hostname",
		"550 5.7.1 Client 203.0.113.9 is dynamic (2001:db8::1), see https://example.org/why":                                                                                                  "Client ADDR is dynamic (ADDR)",
		"550 5.7.1 Blocked. Please see https://example.org":                                                                                                                                   "Blocked",
		"550 5.7.1 Rejected (https://example.org/why)":                                                                                                                                        "Rejected",
		`554 5.7.1 Service unavailable; Sender address ["x] blocked using other.example"@d.example] blocked using dbl.example; reason`:                                                        "blocked using dbl.example",
		"550 5.7.1":             "(no reason)",
		"all server ports busy": "all server ports busy",
	} {
		if got := Reason(text, false); got != want {
			t.Errorf("Reason(%q):\n got %q\nwant %q", text, got, want)
		}
	}
	if got, want := Reason("5.7.1 spam; from=<>", true), "milter: spam"; got != want {
		t.Errorf("a mail filter's: got %q, want %q", got, want)
	}
}

func TestIsTemporary(t *testing.T) {
	for text, want := range map[string]bool{
		"450 4.7.1 later": true, "421 too busy": true, "4.7.1 later": true, "all screening ports busy": true, "too many connections": true,
		"550 5.7.1 no": false, "5.7.1 no": false, "4 of your friends": false, "": false,
	} {
		if got := IsTemporary(text); got != want {
			t.Errorf("IsTemporary(%q) = %t, want %t", text, got, want)
		}
	}
}

func TestTroubleText(t *testing.T) {
	for text, want := range map[string]string{
		"hostname a.b.example does not resolve to address 203.0.113.9: Name or service not known": "hostname does not resolve to its address: Name or service not known",
		"unknown[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6":                    "CLIENT: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
		"non-SMTP command from a.example[2001:db8::1]:4711: GET / HTTP/1.1":                       "non-SMTP command from CLIENT: GET / HTTP/1.1",
	} {
		if got := troubleText(text); got != want {
			t.Errorf("troubleText(%q) = %q, want %q", text, got, want)
		}
	}
}

// The answers of a server to its recipients count together.
func TestBounceReason(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"host mx[198.51.100.1] said: 550 5.1.1 <Bob@x.example>: Recipient address rejected: User unknown (in reply to RCPT TO command)", "550 5.1.1 Recipient address rejected: User unknown"},
		{"host mx[198.51.100.1] said: 550 no mailbox <Bob@x.example> here", "550 no mailbox RECIPIENT here"},
		{"host mx[198.51.100.1] said: 450 4.2.0 <Bob@x.example>: Recipient address rejected: Greylisted", "450 4.2.0 Recipient address rejected: Greylisted"},
		{"host mx[198.51.100.1] said: 550 5.1.1 <carol@x.example>: no", "550 5.1.1 <carol@x.example>: no"},
		{"connect to mx.example[2001:db8::1]:25: Connection timed out", "connect to mx.example[ADDR]:25: Connection timed out"},
	} {
		if got := bounceReason(tt.text, "Bob@x.example"); got != tt.want {
			t.Errorf("bounceReason(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := bounceReason("550 <>: x", ""); got != "550 <>: x" {
		t.Errorf("without a recipient: got %q", got)
	}
}

// A reason that is known is the one that would be found again, whichever words share its
// place.
func TestKnownReasons(t *testing.T) {
	texts := []string{
		"", "554 5.7.1 <a@b>: Relay access denied; from=<x@y> to=<a@b>", "554 5.7.1 <c@d.example>: Relay access denied; from=<> to=<c@d.example>", "550 5.1.1 <a@b>: Recipient address rejected: User unknown",
		"Relay access denied", "Relay access denie!", "450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.7]; from=<a@b>", "blocked using zen.example", strings.Repeat("x", 300), strings.Repeat("x", 300) + "y",
	}
	f := NewFigures()
	for round := range 3 {
		for i := range texts {
			for _, filter := range []bool{false, true} {
				text := texts[(i*7+round)%len(texts)]
				reason := Reason(text, filter)
				before := total(f, clip(reason))
				f.refuse(&event.Flow{Kind: event.FlowRefusal, Action: event.Reject, Stage: "RCPT", Text: text, Filter: filter}, netip.Addr{}, "")
				if got := total(f, clip(reason)); got != before+1 {
					t.Errorf("%.80q, of a filter: %v: %d refusals have the reason %.80q; want %d", text, filter, got, reason, before+1)
				}
			}
		}
	}
}

func total(f *Figures, reason string) int {
	if known := f.Details("reject")["RCPT"][reason]; known != nil {
		return known.Total
	}
	return 0
}
