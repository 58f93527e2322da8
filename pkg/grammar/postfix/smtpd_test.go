package postfix

import (
	"net/netip"
	"strings"
	"testing"

	"csmail/pkg/event"
)

func read(t *testing.T, message string) (event.Event, event.Outcome, event.Testimony) {
	t.Helper()
	var e event.Event
	outcome, testimony, ok := Parse("postfix/submission/smtpd", message, &e)
	if !ok {
		t.Fatal("not taken for Postfix")
	}
	return e, outcome, testimony
}

func TestEvents(t *testing.T) {
	tests := []struct {
		message string
		kind    event.Kind
		addr    string
		user    string
		n       int
	}{
		{"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", event.AuthFailed, "192.0.2.1", "", 1},
		{"warning: unknown[2001:db8::1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", event.AuthFailed, "2001:db8::1", "", 1},
		{"warning: unknown[192.0.2.1]:55729: SASL LOGIN authentication failed: UGFzc3dvcmQ6", event.AuthFailed, "192.0.2.1", "", 1},
		{"warning: host_a.example[192.0.2.1]: SASL PLAIN authentication failed:", event.AuthFailed, "192.0.2.1", "", 1},
		{"warning: unknown[::ffff:192.0.2.1]: SASL XOAUTH2 authentication failed: eyJ, sasl_username=a@example.org", event.AuthFailed, "192.0.2.1", "a@example.org", 1},
		{"warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=(unavailable)", event.AuthFailed, "192.0.2.1", "", 1},
		{"warning: unknown[192.0.2.1]: SASL x[203.0.113.6]: authentication failed: Invalid authentication mechanism: 'x', sasl_username=b, sasl_username=c", event.LoginRefused, "192.0.2.1", "b, sasl_username=c", 1},
		{"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: Connection lost to authentication server", event.AuthFault, "192.0.2.1", "", 1},
		{"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: generic failure", event.AuthFault, "192.0.2.1", "", 1},
		{"warning: unknown[192.0.2.1]: SASL LOGIN authentication aborted", event.AuthAborted, "192.0.2.1", "", 1},
		{"warning: hostname 6.6.6.6.dyn.example does not resolve to address 192.0.2.1: Name or service not known", event.HostnameMismatch, "192.0.2.1", "", 1},
		{"warning: hostname a.example does not resolve to address 2001:db8::: Name or service not known", event.HostnameMismatch, "2001:db8::", "", 1},
		{"warning: hostname a.example does not resolve to address 2001:db8::", event.HostnameMismatch, "2001:db8::", "", 1},
		{"warning: hostname a.example does not resolve to address 192.0.2.1: Temporary failure in name resolution", event.DNSFault, "192.0.2.1", "", 1},
		{"warning: 192.0.2.1: hostname a.example verification failed: Name or service not known", event.HostnameMismatch, "192.0.2.1", "", 1},
		{"warning: 2001:db8::1: address not listed for hostname a.example", event.HostnameMismatch, "2001:db8::1", "", 1},
		{"disconnect from unknown[192.0.2.1] ehlo=1 auth=0/3 commands=1/4", event.AuthFailed, "192.0.2.1", "", 3},
		{"lost connection after AUTH from unknown[192.0.2.1]", event.LostConnection, "192.0.2.1", "", 1},
		{"NOQUEUE: timeout after CONNECT from unknown[192.0.2.1]", event.LostConnection, "192.0.2.1", "", 1},
		{"bare <LF> received after DATA (12 bytes) from unknown[192.0.2.1]", event.BareNewline, "192.0.2.1", "", 1},
		{"disconnect from a.example[192.0.2.1] ehlo=1 auth=1/2 mail=1 commands=3/4", event.LoginOK, "192.0.2.1", "", 1},
		{"too many errors after AUTH from unknown[192.0.2.1]", event.TooManyErrors, "192.0.2.1", "", 1},
		{"4Zk1Yq2Lz3z9v: too many errors after RCPT from unknown[192.0.2.1]", event.ErrorLimit, "192.0.2.1", "", 1},
		{"improper command pipelining after EHLO from unknown[192.0.2.1]: QUIT from a[203.0.113.6]:", event.Pipelining, "192.0.2.1", "", 1},
		{"warning: non-SMTP command from unknown[192.0.2.1]: GET / from b[203.0.113.6]", event.NonSMTP, "192.0.2.1", "", 1},
		{"SSL_accept error from unknown[192.0.2.1]: -1", event.TLSError, "192.0.2.1", "", 1},
		{"warning: AUTH command rate limit exceeded: 31 from unknown[192.0.2.1] for service smtpd", event.AuthRateLimited, "192.0.2.1", "", 1},
		{"warning: Connection rate limit exceeded: 31 from unknown[192.0.2.1] for service smtpd", event.RateLimited, "192.0.2.1", "", 1},
		{"warning: Illegal address syntax from unknown[192.0.2.1] in MAIL command: <a[203.0.113.6]>", event.ProtocolError, "192.0.2.1", "", 1},
		{"warning: unknown[192.0.2.1]: request longer than 2048: a[203.0.113.6]...", event.ProtocolError, "192.0.2.1", "", 1},
		{"00ADB3C0899: client=a.example[192.0.2.1], sasl_method=PLAIN, sasl_username=u@example.org", event.AuthMailOK, "192.0.2.1", "u@example.org", 1},
		{"00ADB3C0899: client=a.example[192.0.2.1]:99, sasl_method=PLAIN, sasl_username=u, sasl_sender=v", event.AuthMailOK, "192.0.2.1", "u", 1},
		{"NOQUEUE: milter-reject: DATA from a.example[192.0.2.1]: 550 5.7.1 Spam; from=<b> to=<c> proto=ESMTP helo=<d>", event.ContentRejected, "192.0.2.1", "", 1},
		{"warning: unknown[unknown]: SASL LOGIN authentication failed: x", event.AuthFailed, "", "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.message, func(t *testing.T) {
			e, outcome, _ := read(t, tt.message)
			if outcome != event.Noted || e.Kind != tt.kind || e.User != tt.user || e.Attempts != tt.n {
				t.Errorf("got %s, kind %s, user %q, %d attempts", outcome, e.Kind, e.User, e.Attempts)
			}
			checkAddr(t, e.Addr, tt.addr)
		})
	}
}

func checkAddr(t *testing.T, got netip.Addr, want string) {
	t.Helper()
	if want == "" && !got.IsValid() {
		return
	}
	if got.String() != want {
		t.Errorf("address %s, want %s", got, want)
	}
}

const envelope = "; from=<s@example.com> to=<r@example.org> proto=ESMTP helo=<h.example>"

func TestRejects(t *testing.T) {
	tests := map[string]event.Kind{
		"554 5.7.1 <r@example.net>: Relay access denied":                                                              event.RelayRefused,
		"454 4.7.1 <r@example.net>: Relay access denied":                                                              event.RelayRefused,
		"450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]":                                     event.NoHostname,
		"550 Client host rejected: cannot find your reverse hostname, [192.0.2.1]":                                    event.NoHostname,
		"554 5.7.1 <a.example[192.0.2.1]>: Client host rejected: Access denied":                                       event.AccessDenied,
		"521 5.7.1 <unknown[192.0.2.1]>: Client host rejected: CrowdSec decision: ban":                                event.OwnRefusal,
		"504 5.5.2 <h>: Helo command rejected: need fully-qualified hostname":                                         event.HeloRejected,
		"501 5.5.2 <[203.0.113.6]>: Helo command rejected: invalid ip address":                                        event.HeloRejected,
		"450 4.7.1 <h>: Helo command rejected: Host not found":                                                        event.HeloDeferred,
		"550 5.7.1 <h>: Helo command rejected: Host not found":                                                        event.HeloDeferred,
		"450 4.1.8 <s@x>: Sender address rejected: Domain not found":                                                  event.SenderRejected,
		"553 5.7.1 <s@x>: Sender address rejected: not owned by user u":                                               event.SenderRejected,
		"552 5.2.2 <r@x>: Recipient address rejected: Quota exceeded (mailbox for user is full)":                      event.NoKind,
		"554 5.2.2 <r@x>: Recipient address rejected: over the limit":                                                 event.NoKind,
		"552 5.2.3 <r@x>: Recipient address rejected: too large for this mailbox":                                     event.NoKind,
		"552 <r@x>: Recipient address rejected: Mailbox is full":                                                      event.NoKind,
		"550 5.7.1 <r@x>: Recipient address rejected: Mailbox quota exceeded":                                         event.NoKind,
		"550 5.2.1 <r@x>: Recipient address rejected: this mailbox is closed":                                         event.PolicyRejected,
		"554 5.2.2 <s@x>: Sender address rejected: quota":                                                             event.PolicyRejected,
		"554 5.7.1 <quota>: Recipient address rejected: Mailbox of your own":                                          event.PolicyRejected,
		"554 5.7.1 <s@x>: Sender address rejected: Access denied":                                                     event.PolicyRejected,
		"550 5.1.1 <r@x>: Recipient address rejected: User unknown in virtual mailbox table":                          event.RecipientUnknown,
		"550 5.1.1 <r@x>: Recipient address rejected: undeliverable address: host m[203.0.113.6] said: 550 <r@x>: no": event.RecipientUnknown,
		"450 4.1.1 <r@x>: Recipient address rejected: unverified address: Address lookup failed":                      event.NoKind,
		"450 4.2.0 <r@x>: Recipient address rejected: Greylisted, see http://postgrey.example":                        event.NoKind,
		"451 4.7.1 <r@x>: Recipient address rejected: come back later":                                                event.NoKind,
		"550 5.7.23 <r@x>: Recipient address rejected: Please see http://spf.example?ip=203.0.113.6":                  event.PolicyRejected,
		"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example; see [203.0.113.6]":          event.DNSBLListed,
		"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example; Error: open resolver":       event.DNSBLFault,
		"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example; Error: blocked using up":    event.DNSBLFault,
		"554 5.7.1 Service unavailable; Sender address [s@x] blocked using bl.example; Error: open resolver":          event.DNSBLFault,
		"554 5.7.1 Service unavailable; Sender address [x] blocked using y; Error: z@x] blocked using bl.example":     event.DNSBLListed,
		"550 5.1.7 <s@x>: Sender address rejected: undeliverable address: 550 x rejected: Temporary lookup failure":   event.SenderRejected,
		"451 4.3.0 <s@x>: Sender address rejected: Temporary lookup failure":                                          event.LookupFault,
		"450 4.1.1 <r@x>: Recipient address rejected: unverified address: host m[203.0.113.6] said: 450 <r@x>: later": event.NoKind,
		"454 4.7.1 <x>: Recipient address rejected: unverified address: y>: Relay access denied":                      event.PolicyRejected,
		"503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining":                            event.Pipelining,
		"550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce":                                             event.ProtocolError,
		"451 4.3.0 <r@x>: Temporary lookup failure":                                                                   event.LookupFault,
		"451 4.3.0 Temporary lookup error":                                                                            event.LookupFault,
		"450 4.7.0 <r@x>: Recipient address rejected: defer_if_reject requested":                                      event.NoKind,
		"450 4.4.4 <r@x>: Recipient address rejected: Unable to look up mail exchanger information: try again":        event.NoKind,
		"451 4.3.5 <r@x>: Recipient address rejected: Server configuration error":                                     event.ServerFault,
		"452 4.3.1 Insufficient system storage":                                                                       event.ServerFault,
		"421 4.3.0 mx1 Server local data error":                                                                       event.ServerFault,
		"552 5.3.4 Message size exceeds fixed limit":                                                                  event.NoKind,
		"450 4.7.1 Session encryption is required":                                                                    event.NoKind,
		"bare <LF> received": event.BareNewline,
	}
	for text, want := range tests {
		for _, id := range []string{"NOQUEUE", "00ADB3C0899", "4Zk1Yq2Lz3z9v"} {
			e, outcome, _ := read(t, id+": reject: RCPT from a.example[192.0.2.1]: "+text+envelope)
			wantOutcome := event.Noted
			if want == event.NoKind {
				wantOutcome = event.Benign
			}
			if e.Kind != want || outcome != wantOutcome {
				t.Errorf("%s: got %s, %s", text, outcome, e.Kind)
			}
			checkAddr(t, e.Addr, "192.0.2.1")
			if e.Sender != "s@example.com" || e.Recipient != "r@example.org" || e.Helo != "h.example" {
				t.Errorf("%s: envelope %q, %q, %q, want Sender \"s@example.com\", Recipient \"r@example.org\", Helo \"h.example\"",
					text, e.Sender, e.Recipient, e.Helo)
			}
		}
	}
}

// A reply ends after 510 bytes, and the list's own words may be cut off with it.
func TestListedSenderCut(t *testing.T) {
	sender := "x] blocked using y; Error: " + strings.Repeat("z", 500) + "@listed.example"
	reply := ("554 5.7.1 Service unavailable; Sender address [" + sender)[:510]
	e, _, _ := read(t, "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: "+reply+"; from=<"+sender+"> to=<r@example.org> proto=ESMTP helo=<h.example>")
	if e.Kind != event.DNSBLListed {
		t.Errorf("got %s", e.Kind)
	}
}

// Anybody may log in as nobody: that proves nothing.
func TestAnonymous(t *testing.T) {
	e, outcome, testimony := read(t, "4Zk1Yq2Lz3z9v: client=a.example[192.0.2.1], sasl_method=ANONYMOUS, sasl_username=anonymous")
	if outcome != event.Witness || testimony != event.MailAccepted || e.Kind != event.NoKind {
		t.Errorf("got %s, %s", outcome, e.Kind)
	}
}

// Only DATA or BDAT that succeeded brought a message, whatever recipients there were.
func TestUndelivered(t *testing.T) {
	tests := map[string]event.Testimony{
		"": event.Disconnected,
		" ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5":        event.Disconnected,
		" ehlo=1 mail=3 rcpt=3 data=1/3 quit=1 commands=9/11":   event.Disconnected,
		" ehlo=1 mail=1 rcpt=1 bdat=2 quit=1 commands=6":        event.Disconnected,
		" ehlo=1 auth=0/1 quit=1 commands=2/3":                  event.Disconnected,
		" ehlo=1 mail=1 rcpt=1 quit=1 commands=4":               event.Undelivered,
		" ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5":    event.Undelivered,
		" ehlo=1 mail=1 rcpt=1 bdat=0/1 commands=3/4":           event.Undelivered,
		" ehlo=1 auth=0/1 mail=1 rcpt=1 data=0/1 commands=3/5":  event.Undelivered,
		" ehlo=1 auth=1 mail=1 rcpt=1 data=0/1 rset=1 commands": event.Undelivered,
	}
	for counts, want := range tests {
		if _, _, testimony := read(t, "disconnect from a.example[192.0.2.1]"+counts); testimony != want {
			t.Errorf("%q: got %d, want %d", counts, testimony, want)
		}
	}
}

func TestRelayByName(t *testing.T) {
	for client, want := range map[string]event.Kind{"unknown": event.RelayDenied, "a.example": event.RelayRefused} {
		e, _, _ := read(t, "NOQUEUE: reject: RCPT from "+client+"[192.0.2.1]: 554 5.7.1 <r@example.net>: Relay access denied"+envelope)
		if e.Kind != want {
			t.Errorf("%s: got %s", client, e.Kind)
		}
	}
	e, outcome, _ := read(t, `NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 454 4.7.1 <a>: b@example.net>: Relay access denied`+envelope)
	if outcome != event.Noted || e.Kind != event.PolicyRejected {
		t.Errorf("a recipient with brackets: %s, %s, want outcome %s, Kind %s", outcome, e.Kind, event.Noted, event.PolicyRejected)
	}
}

// What a client or an honest relay passes on must make no reject look worse,
// nor hide one of ours as a fault.
func TestClientTextDoesNotClassify(t *testing.T) {
	for _, subject := range []string{
		"a>: Relay access denied", "a>: Temporary lookup failure", "a>: Client host rejected: CrowdSec decision",
		"a>: Relay access denied; from=<b", "a>: Recipient address rejected: Greylisted",
	} {
		text := "NOQUEUE: reject: RCPT from a.example[192.0.2.1]: 550 5.1.1 <" + subject +
			">: Recipient address rejected: User unknown" + envelope
		e, outcome, _ := read(t, text)
		if outcome != event.Noted || e.Kind.Class() != event.Suspect {
			t.Errorf("%s: got %s, %s", subject, outcome, e.Kind)
		}
	}
}

func TestQuietLines(t *testing.T) {
	tests := map[string]event.Outcome{
		"connect from a.example[192.0.2.1]":        event.Witness,
		"disconnect from a.example[192.0.2.1]":     event.Witness,
		"00ADB3C0899: client=a.example[192.0.2.1]": event.Witness,
		"NOQUEUE: reject_warning: RCPT from a.example[192.0.2.1]: 554 5.7.1 <x>: Relay access denied" + envelope: event.Benign,
		"NOQUEUE: reject: ETRN from unknown[203.0.113.6]: 554 5.7.1 x... from a.example[192.0.2.1]":              event.Benign,
		"lost connection after DATA (12 bytes) from a.example[192.0.2.1]":                                        event.Benign,
		"lost connection after QUIT from a.example[192.0.2.1]":                                                   event.Benign,
		"NOQUEUE: milter-reject: DATA from a.example[192.0.2.1]: 451 4.7.1 Try again later;":                     event.Benign,
		"warning: SASL authentication failure: Password verification failed":                                     event.Benign,
		"Anonymous TLS connection established from a.example[192.0.2.1]: TLSv1.3":                                event.Benign,
		"warning: unknown[1.2.3.4x]: SASL LOGIN authentication failed: x":                                        event.Missed,
		"warning: unknown[192.0.2.01]: SASL LOGIN authentication failed: x":                                      event.Missed,
		"warning: unknown[fe80::1%eth0]: SASL LOGIN authentication failed: x":                                    event.Missed,
		"warning: hostname a.example does not resolve to address 192.0.2":                                        event.Missed,
		"warning: hostname a.example does not resolve to address 192.0.2.1x: y":                                  event.Missed,
		"warning: a b[192.0.2.1]: SASL LOGIN authentication failed: x":                                           event.Missed,
		"NOQUEUE: reject: RCPT from unknown[192.0.2":                                                             event.Missed,
		"connect from 192.0.2.1": event.Missed,
		"":                       event.Missed,
	}
	for message, want := range tests {
		if e, outcome, _ := read(t, message); outcome != want {
			t.Errorf("%q: got %s (%s), want %s", message, outcome, e.Kind, want)
		}
	}
}

func TestPrograms(t *testing.T) {
	tests := map[string]event.Outcome{
		"postfix/smtpd": event.Witness, "mx1/smtps/smtpd": event.Witness, "postfix/qmgr": event.Benign,
		"postfix/postscreen": event.Missed, "postfix/anvil": event.Benign, "postfix/nbdb_reindexd": event.Benign, "smtpd": event.Foreign, "sshd": event.Foreign, "a/b": event.Foreign,
	}
	for program, want := range tests {
		var e event.Event
		if outcome, _, _ := Parse(program, "connect from a.example[192.0.2.1]", &e); outcome != want {
			t.Errorf("%s: got %s, want %s", program, outcome, want)
		}
	}
}

// FuzzClientText states the property that everything rests on: whatever a
// client sends, in whatever field, the address is its own or none.
func FuzzClientText(f *testing.F) {
	for _, text := range []string{
		"x", "unknown[203.0.113.6]", "a>: Relay access denied; from=<b", "[203.0.113.6]", "x from unknown[203.0.113.6]: y",
		"x]: SASL LOGIN authentication failed: y", " does not resolve to address 203.0.113.6", "", "a, sasl_username=b",
	} {
		f.Add(text)
	}
	const client = "192.0.2.1"
	f.Fuzz(func(t *testing.T, text string) {
		word := strings.Join(strings.Fields(text), "")
		host := hostnameFrom(text)
		for _, message := range []string{
			"warning: unknown[" + client + "]: SASL " + word + " authentication failed: reason, sasl_username=" + text,
			"warning: unknown[" + client + "]: SASL LOGIN authentication failed: Invalid authentication mechanism: '" + word + "'",
			"warning: hostname " + host + " does not resolve to address " + client + ": Name or service not known",
			"warning: hostname " + host + " does not resolve to address " + client,
			"warning: " + client + ": hostname " + host + " verification failed: no",
			"NOQUEUE: reject: RCPT from " + host + "[" + client + "]: 554 5.7.1 <" + text + ">: Relay access denied; from=<" + text + "> to=<" + text + "> proto=ESMTP helo=<" + text + ">",
			"NOQUEUE: reject: EHLO from " + host + "[" + client + "]: 501 5.5.2 <" + text + ">: Helo command rejected: invalid ip address; proto=SMTP helo=<" + text + ">",
			"NOQUEUE: reject: ETRN " + text + "... from " + host + "[" + client + "]",
			"NOQUEUE: milter-reject: RCPT from " + host + "[" + client + "]: 550 5.7.1 " + text + "; from=<" + text + ">",
			"improper command pipelining after EHLO from " + host + "[" + client + "]: " + text,
			"warning: non-SMTP command from " + host + "[" + client + "]: " + text,
			"warning: Illegal address syntax from " + host + "[" + client + "] in MAIL command: " + text,
			"warning: " + host + "[" + client + "]: request longer than 2048: " + text + "...",
			"00ADB3C0899: client=" + host + "[" + client + "], sasl_method=" + word + ", sasl_username=" + text,
			"disconnect from " + host + "[" + client + "] auth=0/1",
			"NOQUEUE: hangup: RCPT from " + host + "[" + client + "]: <" + text + ">: x; from=<" + text + "> to=<" + text + "> proto=SMTP helo=<" + text + ">",
			"NOQUEUE: reject_warning: RCPT from " + host + "[" + client + "]: 554 5.7.1 <" + text + ">: x; from=<" + text + ">",
			"NOQUEUE: proxy-reject: END-OF-MESSAGE: 554 5.7.1 " + text + "; from=<" + text + "> to=<" + text + "> proto=SMTP helo=<" + text + ">",
			"NOQUEUE: lost connection after AUTH from " + host + "[" + client + "]",
			"SSL_accept error from " + host + "[" + client + "]: lost connection",
			"warning: NOQUEUE: malformed BDAT command syntax from " + host + "[" + client + "]: " + text,
			"warning: " + host + "[" + client + "] sent " + text + " header instead of SMTP command: " + text,
			"warning: bad ETRN " + text + "... from " + host + "[" + client + "]",
			"warning: " + client + ": address not listed for hostname " + host,
			host + "[" + client + "]: Untrusted: subject_CN=" + text + ", issuer=" + text,
			"TLS SNI " + text + " from " + host + "[" + client + "] not matched, using default chain",
			"warning: valid_hostname: invalid character 91(decimal): " + text,
			"warning: Unable to look up MX host " + host + " for Sender address " + text + ": Name or service not known",
			"warning: malformed domain name in resource data of MX record for " + host + ": " + text,
			"warning: " + host + ".bl.example: RBL lookup error: " + text,
			"warning: Connection rate limit exceeded: 31 from " + host + "[" + client + "] for service smtp",
		} {
			e, _, _ := read(t, message)
			if e.Addr.IsValid() && e.Addr.String() != client {
				t.Errorf("%q gives %s", message, e.Addr)
			}
		}
	})
}

// hostnameFrom keeps what Postfix's valid_hostname() lets through.
func hostnameFrom(text string) string {
	host := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(text))
	return "a" + host[:min(len(host), 200)]
}
