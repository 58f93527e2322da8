package postfix

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

func readAs(t *testing.T, program, message string) (event.Event, event.Outcome) {
	t.Helper()
	var e event.Event
	outcome, _, ok := Parse(program, message, &e)
	if !ok {
		t.Fatal("not taken for Postfix")
	}
	return e, outcome
}

func TestPostscreen(t *testing.T) {
	const client = "[192.0.2.1]:4711"
	tests := map[string]event.Kind{
		"PREGREET 14 after 0.04 from " + client + ": EHLO [203.0.113.6]:1\\r\\n":                                     event.Pregreet,
		"PREGREET 27 after 0.04 from " + client + ": EHLO we-guess.mozilla.org\\r\\n":                                event.ProtocolError,
		"PREGREET 25 after 0.04 from " + client + ": EHLO we-guess.mozilla.org":                                      event.ProtocolError,
		"PREGREET 55 after 0.04 from " + client + ": EHLO we-guess.mozilla.org\\r\\nMAIL FROM:<a@example.com>\\r\\n": event.Pregreet,
		"PREGREET 39 after 0.04 from " + client + ": EHLO we-guess.mozilla.org.example.com\\r\\n":                    event.Pregreet,
		"PREGREET 99 after 0.04 from " + client + ": EHLO we-guess.mozilla.org\\r\\n":                                event.ProtocolError, // shown whole
		"DNSBL rank 5 for " + client: event.DNSBLListed,
		"BLACKLISTED " + client:      event.Denylisted,
		"DENYLISTED " + client:       event.Denylisted,
		"HANGUP after 0.4 from " + client + " in tests before SMTP handshake":            event.Hangup,
		"HANGUP after 12 from " + client + " in tests after SMTP handshake":              event.Hangup,
		"COMMAND TIME LIMIT from " + client + " after CONNECT":                           event.Hangup,
		"COMMAND COUNT LIMIT from " + client + " after RSET":                             event.CommandLimit,
		"COMMAND LENGTH LIMIT from " + client + " after CONNECT":                         event.CommandLimit,
		"COMMAND PIPELINING from " + client + " after [203.0.113.6]:1: QUIT\\r\\n":       event.Pipelining,
		"NON-SMTP COMMAND from " + client + " after CONNECT: GET / from [203.0.113.6]:1": event.NonSMTP,
		"BARE NEWLINE from " + client + " after EHLO":                                    event.BareNewline,
		"DATA without valid RCPT from " + client:                                         event.ProtocolError,
		"BDAT without valid RCPT from " + client:                                         event.ProtocolError,
		"NOQUEUE: reject: RCPT from " + client + ": 550 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.example; from=<s@example.com>, to=<r@example.org>, proto=ESMTP, helo=<[203.0.113.6]>": event.DNSBLListed,
		"NOQUEUE: reject: RCPT from " + client + ": 450 4.7.1 Service unavailable; client [192.0.2.1] blocked using bl.example; from=<s@example.com>, to=<r@example.org>, proto=ESMTP, helo=<h>":             event.DNSBLListed,
		"NOQUEUE: reject: RCPT from " + client + ": 550 5.5.1 Protocol error; from=<s@example.com>, to=<r@example.org>, proto=ESMTP, helo=<h>":                                                               event.ProtocolError,
		"NOQUEUE: reject: RCPT from " + client + ": 550 5.3.2 Service currently unavailable; from=<s@example.com>, to=<r@example.org>, proto=ESMTP, helo=<h>":                                                event.Denylisted,
	}
	for message, want := range tests {
		e, outcome := readAs(t, "postfix/postscreen", message)
		if outcome != event.Noted || e.Kind != want || e.Addr.String() != "192.0.2.1" || e.Service != event.Postscreen {
			t.Errorf("%s: got %s, %s, %s", message, outcome, e.Kind, e.Addr)
		}
	}
	e, _ := readAs(t, "postfix/postscreen", "NOQUEUE: reject: RCPT from [2001:db8::1]:4711: 550 5.5.1 Protocol error; from=<s>, to=<r>, proto=SMTP, helo=<h>")
	if e.Session != "4711" {
		t.Errorf("the connection is %q, expected its port", e.Session)
	}
	e, _ = readAs(t, "haproxy/postscreen", "PREGREET 1 after 0 from [2001:db8::1]:4711: x")
	checkAddr(t, e.Addr, "2001:db8::1")
}

func TestPostscreenQuiet(t *testing.T) {
	tests := map[string]event.Outcome{
		"CONNECT from [192.0.2.1]:4711 to [198.51.100.1]:25":                        event.Benign,
		"[192.0.2.1]4711: discarding EHLO keywords: CHUNKING":                       event.Benign,
		"[192.0.2.1]:4711: replacing command \"x from [203.0.113.6]:1\" with \"y\"": event.Benign,
		"[192.0.2.1]:4711: x":             event.Missed,
		"PASS NEW [192.0.2.1]:4711":       event.Benign,
		"PASS OLD [192.0.2.1]:4711":       event.Benign,
		"ALLOWLISTED [192.0.2.1]:4711":    event.Benign,
		"WHITELIST VETO [192.0.2.1]:4711": event.Benign,
		"DISCONNECT [192.0.2.1]:4711":     event.Benign,
		"NOQUEUE: reject: CONNECT from [192.0.2.1]:4711: all server ports busy":                                                         event.Benign,
		"NOQUEUE: reject: CONNECT from [192.0.2.1]:4711: too many connections":                                                          event.Benign,
		"reject: connect from [192.0.2.1]:4711: all screening ports busy":                                                               event.Benign,
		"NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 450 4.3.2 Service currently unavailable; from=<a>, to=<b>, proto=ESMTP, helo=<c>": event.Benign,
		"using backwards-compatible default setting respectful_logging=no for client [192.0.2.1]:4711":                                  event.Benign,
		"table hash:/etc/postfix/postscreen_access has changed -- restarting":                                                           event.Benign,
		"timeout sending connection to service smtpd":                                                                                   event.Benign,
		"warning: dnsblog reply timeout 10s for bl.example":                                                                             event.Benign,
		"cache btree:/var/lib/postfix/postscreen_cache full cleanup: retained=1 dropped=0":                                              event.Benign,
		"PREGREET 11 after 0.05 from [192.0.2.1x]:4711: y":                                                                              event.Missed,
		"PREGREET 11 after 0.05 from 192.0.2.1: y":                                                                                      event.Missed,
		"DENYLISTED [192.0.2.1]":     event.Missed,
		"DENYLISTED [192.0.2.1]:25x": event.Missed,
		"NEWS from [192.0.2.1]:4711": event.Missed,
	}
	for message, want := range tests {
		if e, outcome := readAs(t, "postfix/postscreen", message); outcome != want {
			t.Errorf("%s: got %s, %s", message, outcome, e.Kind)
		}
	}
}

func TestCleanupAndTLSProxy(t *testing.T) {
	tests := []struct {
		program, message string
		outcome          event.Outcome
		kind             event.Kind
		addr             string
	}{
		{"postfix/cleanup", "4Zk1Yq2Lz3z9v: message-id=<unknown[203.0.113.6]>", event.Benign, event.NoKind, ""},
		{"postfix/cleanup", "4Zk1Yq2Lz3z9v: milter-reject: END-OF-MESSAGE from a.example[192.0.2.1]: 5.7.1 Spam [203.0.113.6]; from=<a>", event.Noted, event.ContentRejected, "192.0.2.1"},
		{"postfix/cleanup", "4Zk1Yq2Lz3z9v: milter-reject: END-OF-MESSAGE from a.example[192.0.2.1]: 4.7.1 Try again later; from=<a>", event.Witness, event.NoKind, ""},
		{"postfix/cleanup", "4Zk1Yq2Lz3z9v: reject: header Subject: x from b[203.0.113.6]; from=<a> to=<b> from c.example[192.0.2.1]; helo=<d>: 5.7.1 no", event.Noted, event.ContentRejected, ""},
		{"postfix/cleanup", "4Zk1Yq2Lz3z9v: warning: header Subject: x from c.example[192.0.2.1]; from=<a>", event.Benign, event.NoKind, ""},
		{"postfix/cleanup", "warning: milter inet:localhost:1: connect failed", event.Benign, event.NoKind, ""},
		{"postfix/tlsproxy", "SSL_accept error from [192.0.2.1]:4711: lost connection", event.Noted, event.TLSError, "192.0.2.1"},
		{"postfix/tlsproxy", "TLS handshake failed for service=smtpd peer=[192.0.2.1]:4711", event.Noted, event.TLSError, "192.0.2.1"},
		{"postfix/tlsproxy", "TLS handshake failed for service=smtpd peer=[2001:db8::1]:4711", event.Noted, event.TLSError, "2001:db8::1"},
		{"postfix/tlsproxy", "TLS handshake failed for service=smtpd peer=[192.0.2.1]:4711x", event.Missed, event.NoKind, ""},
		{"postfix/tlsproxy", "TLS handshake failed for service=smtpd peer=a.example[192.0.2.1]:4711", event.Missed, event.NoKind, ""},
		{"postfix/tlsproxy", "CONNECT from [192.0.2.1]:4711", event.Benign, event.NoKind, ""},
		{"postfix/dnsblog", "addr 192.0.2.1 listed by domain list.example as 127.0.0.2", event.Benign, event.NoKind, ""},
		{"postfix/dnsblog", "addr 192.0.2.1 listed by domain list.example as 127.0.0.255", event.Benign, event.NoKind, ""},
		{"postfix/dnsblog", "addr 192.0.2.1 listed by domain list.example as 127.255.255.254", event.Noted, event.DNSBLFault, "192.0.2.1"},
		{"postfix/dnsblog", "addr 2001:db8::1 listed by domain list.example as 127.255.255.252", event.Noted, event.DNSBLFault, "2001:db8::1"},
		{"postfix/dnsblog", "addr 192.0.2.1 listed by domain list.example as 198.51.100.80", event.Noted, event.DNSBLFault, "192.0.2.1"},
		{"postfix/dnsblog", "addr 192.0.2.1 listed by domain list.example as 0.0.0.0", event.Noted, event.DNSBLFault, "192.0.2.1"},
		{"postfix/dnsblog", "addr 192.0.2.1 listed by domain list.example as x", event.Benign, event.NoKind, ""},
		{"postfix/dnsblog", "addr x listed by domain list.example as 127.255.255.254", event.Benign, event.NoKind, ""},
		{"postfix/dnsblog", "addr 192.0.2.1 not listed by domain list.example", event.Benign, event.NoKind, ""},
		{"postfix/dnsblog", "warning: lookup error for DNS query x: Host or domain name not found", event.Benign, event.NoKind, ""},
	}
	for _, tt := range tests {
		e, outcome := readAs(t, tt.program, tt.message)
		if outcome != tt.outcome || outcome == event.Noted && e.Kind != tt.kind {
			t.Errorf("%s: got %s, %s", tt.message, outcome, e.Kind)
		}
		if outcome == event.Noted {
			checkAddr(t, e.Addr, tt.addr)
		}
		if e.Kind == event.TLSError && (e.Service != event.Postscreen || e.Attempts != 1 || strings.HasPrefix(e.Reason, ":")) {
			t.Errorf("%s: %s, %d attempts, %q", tt.message, e.Service, e.Attempts, e.Reason)
		}
	}
}

// FuzzScreened: postscreen's and cleanup's lines give the client's address or
// none, whatever the client sends.
func FuzzScreened(f *testing.F) {
	for _, text := range []string{"x", "[203.0.113.6]:1", " from [203.0.113.6]:1: y", "from b[203.0.113.6]: 5.7.1 z", ">, to=<", "; from=<"} {
		f.Add(text)
	}
	const client = "[192.0.2.1]:4711"
	f.Fuzz(func(t *testing.T, text string) {
		for program, messages := range map[string][]string{
			"postfix/postscreen": {
				"PREGREET 14 after 0.04 from " + client + ": " + text,
				"COMMAND PIPELINING from " + client + " after " + text + ": " + text,
				"NON-SMTP COMMAND from " + client + " after " + text + ": " + text,
				"BARE NEWLINE from " + client + " after " + text,
				"NOQUEUE: reject: RCPT from " + client + ": 550 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.example; from=<" + text + ">, to=<" + text + ">, proto=SMTP, helo=<" + text + ">",
			},
			"postfix/cleanup": {
				"4Zk1Yq2Lz3z9v: reject: header " + text + " from a.example[192.0.2.1]; from=<" + text + "> to=<" + text + "> proto=SMTP helo=<" + text + ">: 5.7.1 no",
				"4Zk1Yq2Lz3z9v: milter-reject: END-OF-MESSAGE from a.example[192.0.2.1]: 5.7.1 " + text + "; from=<" + text + ">",
				"4Zk1Yq2Lz3z9v: message-id=" + text,
			},
		} {
			for _, message := range messages {
				if e, _ := readAs(t, program, message); e.Addr.IsValid() && e.Addr.String() != "192.0.2.1" {
					t.Errorf("%q gives %s", message, e.Addr)
				}
			}
		}
	})
}
