package postfix

import (
	"fmt"
	"strings"
	"testing"

	"csmail/pkg/event"
)

// clients are the forms of namaddr in smtpd.c: with a PTR name, with
// smtpd_client_port_logging, IPv6, IPv4 mapped into it, and names that look like
// addresses, since the PTR name is the client's.
var clients = map[string]string{
	"unknown[192.0.2.1]":                 "192.0.2.1",
	"c.example[192.0.2.1]:4711":          "192.0.2.1",
	"host_a.example[192.0.2.1]":          "192.0.2.1",
	"d.example[192.0.2.1]":               "192.0.2.1", // as "disconnect" and "warning" begin
	"w.example[192.0.2.1]":               "192.0.2.1",
	"192.0.2.1.evil.example[192.0.2.9]":  "192.0.2.9",
	"203.0.113.6.dyn.example[192.0.2.1]": "192.0.2.1",
	"unknown[2001:db8::1]":               "2001:db8::1",
	"c.example[2001:db8::1]:4711":        "2001:db8::1",
	"unknown[::ffff:192.0.2.1]":          "192.0.2.1",
	"localhost[::1]":                     "::1",
	"unknown[unknown]":                   "",
}

const benignKind = event.NoKind

// smtpdFormats are the messages of smtpd.c, smtpd_sasl_glue.c, smtpd_peer.c and
// tls_server.c; %[1]s is the client.
var smtpdFormats = []struct {
	format string
	kind   event.Kind
}{
	{"connect from %[1]s", benignKind},
	{"disconnect from %[1]s", benignKind},
	{"disconnect from %[1]s helo=1 ehlo=2/3 auth=0/1 unknown=0/1 commands=3/6", event.AuthFailed},
	{"disconnect from %[1]s ehlo=1 auth=0/1 commands=1/2 notes=bare_lf", event.AuthFailed},
	{"disconnect from %[1]s ehlo=1 auth=1/2 commands=2/3", event.LoginOK},
	{"disconnect from %[1]s ehlo=1 auth=2 commands=2", event.LoginOK},
	{"disconnect from %[1]s commands=0/0", benignKind},
	{"disconnect from %[1]s ehlo=1 auth=0/0 commands=1", benignKind},
	{"disconnect from %[1]s ehlo=1 auth= commands=1", benignKind},
	{"00ADB3C0899: client=%[1]s", benignKind},
	{"00ADB3C0899: client=%[1]s, sasl_method=PLAIN, sasl_username=u, sasl_sender=v", event.AuthMailOK},
	{"00ADB3C0899: client=%[1]s, orig_queue_id=4Zk1Yq2Lz3z9v, orig_client=x[203.0.113.6]", benignKind},
	{"warning: %[1]s: SASL LOGIN authentication failed: ", event.AuthFailed},
	{"warning: %[1]s: SASL LOGIN authentication failed:", event.AuthFailed},
	{"warning: %[1]s: SASL LOGIN authentication failed: UGFzc3dvcmQ6", event.AuthFailed},
	{"warning: %[1]s: SASL login authentication failed: VXNlcm5hbWU6", event.AuthFailed},
	{"warning: %[1]s: SASL CRAM-MD5 authentication failed: PDEyMzQ1Njc4OTBAbXgxLmV4YW1wbGU+", event.AuthFailed},
	{"warning: %[1]s: SASL DIGEST-MD5 authentication failed: authentication failure", event.AuthFailed},
	{"warning: %[1]s: SASL SCRAM-SHA-256 authentication failed: authentication failure", event.AuthFailed},
	{"warning: %[1]s: SASL OAUTHBEARER authentication failed: eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=", event.AuthFailed},
	{"warning: %[1]s: SASL NTLM authentication failed: x, sasl_username=u", event.AuthFailed},
	{"warning: %[1]s: SASL GSSAPI authentication failed: authentication failure", event.AuthFailed},
	{"warning: %[1]s: SASL foo authentication failed: Invalid authentication mechanism", event.LoginRefused},
	{"warning: %[1]s: SASL foo authentication failed: Invalid authentication mechanism: 'foo', sasl_username=(unavailable)", event.LoginRefused},
	{"warning: %[1]s: SASL PLAIN authentication failed: (reason unavailable), sasl_username=(unavailable)", event.AuthFailed},
	{"warning: %[1]s: SASL PLAIN authentication failed: Connection lost to authentication server", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: CrowdSec decision 1 on your address, sasl_username=bob@example.org", event.OwnRefusal},
	{"warning: %[1]s: SASL CrowdSec authentication failed: UGFzc3dvcmQ6, sasl_username=CrowdSec decision", event.AuthFailed},
	{"warning: %[1]s: SASL PLAIN authentication failed: Can't connect to authentication server", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: Authentication backend error", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: remote authentication server unavailable", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: transient failure (e.g., weak key)", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: no memory available", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: SASL library is not initialized", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: Can't connect to authentication server, sasl_username=(unavailable)", event.AuthFault},
	{"warning: %[1]s: SASL PLAIN authentication failed: Invalid base64 data in initial response", event.AuthFailed},
	{"warning: %[1]s: SASL x authentication failed: no mechanism available", event.LoginRefused},
	{"warning: %[1]s: SASL PLAIN authentication aborted", event.AuthAborted},
	{"lost connection after AUTH from %[1]s", event.LostConnection},
	{"NOQUEUE: lost connection after AUTH from %[1]s", event.LostConnection},
	{"lost connection after UNKNOWN from %[1]s", event.LostConnection},
	{"lost connection after CONNECT from %[1]s", event.LostConnection},
	{"lost connection after DATA (12 bytes) from %[1]s", benignKind},
	{"lost connection after DATA (approximately 12 bytes) from %[1]s", benignKind},
	{"4Zk1Yq2Lz3z9v: lost connection after BDAT (12 bytes) from %[1]s", benignKind},
	{"lost connection after END-OF-MESSAGE from %[1]s", benignKind},
	{"lost connection after QUIT from %[1]s", benignKind},
	{"timeout after AUTH from %[1]s", event.LostConnection},
	{"NOQUEUE: timeout after END-OF-MESSAGE from %[1]s", benignKind},
	{"too many errors after AUTH from %[1]s", event.TooManyErrors},
	{"NOQUEUE: too many errors after UNKNOWN from %[1]s", event.TooManyErrors},
	{"4Zk1Yq2Lz3z9v: too many errors after DATA (9 bytes) from %[1]s", event.ErrorLimit},
	{"too many errors after HELO from %[1]s", event.TooManyErrors},
	{"too many errors after EHLO from %[1]s", event.TooManyErrors},
	{"too many errors after CONNECT from %[1]s", event.TooManyErrors},
	{"bare <LF> received after DATA (12 bytes) from %[1]s", event.BareNewline},
	{"4Zk1Yq2Lz3z9v: reject: END-OF-MESSAGE from %[1]s: bare <LF> received; from=<b> to=<c> proto=SMTP helo=<d>", event.BareNewline},
	{"improper command pipelining after EHLO from %[1]s", event.Pipelining},
	{"improper command pipelining after EHLO from %[1]s: MAIL FROM:<a@example.com>\\r\\n", event.Pipelining},
	{"improper command pipelining after EHLO from %[1]s: QUIT\\r\\n", event.ProtocolError},
	{"warning: non-SMTP command from %[1]s: GET / HTTP/1.1", event.NonSMTP},
	{"warning: %[1]s sent Received: header instead of SMTP command: Received: x", event.NonSMTP},
	{"warning: Illegal address syntax from %[1]s in RCPT command: <a", event.ProtocolError},
	{"warning: %[1]s: request longer than 2048: aaaa...", event.ProtocolError},
	{"warning: NOQUEUE: too much BDAT content -- disabling further input from %[1]s", event.ProtocolError},
	{"warning: 4Zk1Yq2Lz3z9v: malformed BDAT command syntax from %[1]s: BDAT x", event.ProtocolError},
	{"warning: NOQUEUE: null BDAT request from %[1]s", event.ProtocolError},
	{"warning: NOQUEUE: BDAT request from %[1]s exceeds message size limit", event.ProtocolError},
	{"warning: bad ETRN x... from %[1]s", benignKind},
	{"NOQUEUE: reject: ETRN x... from %[1]s", benignKind},
	{"warning: Connection concurrency limit exceeded: 51 from %[1]s for service smtp", event.RateLimited},
	{"warning: Connection rate limit exceeded: 31 from %[1]s for service smtp", event.RateLimited},
	{"warning: Message delivery request rate limit exceeded: 31 from %[1]s for service smtp", event.RateLimited},
	{"warning: Recipient address rate limit exceeded: 31 from %[1]s for service smtp", event.RateLimited},
	{"warning: New TLS session rate limit exceeded: 31 from %[1]s for service smtp", event.RateLimited},
	{"warning: AUTH command rate limit exceeded: 31 from %[1]s for service submission", event.AuthRateLimited},
	{"warning: Refusing STARTTLS request from %[1]s for service smtp", event.RateLimited},
	{"warning: Refusing TLS service request from %[1]s for service smtps", event.RateLimited},
	{"warning: Wrapper-mode request dropped from %[1]s for service smtps. TLS context initialization failed.", benignKind},
	{"SSL_accept error from %[1]s: -1", event.TLSError},
	{"SSL_accept error from %[1]s: lost connection", event.TLSError},
	{"SSL_accept error from %[1]s: Connection reset by peer", event.TLSError},
	{"NOQUEUE: abort: TLS from %[1]s: No client certificate presented", benignKind},
	{"NOQUEUE: abort: TLS from %[1]s: Client certificate not trusted", benignKind},
	{"Anonymous TLS connection established from %[1]s: TLSv1.3", benignKind},
	{"Untrusted TLS connection established from %[1]s: TLSv1.3", benignKind},
	{"Trusted TLS connection established from %[1]s: TLSv1.3", benignKind},
	{"Verified TLS connection established from %[1]s: TLSv1.3", benignKind},
	{"TLS connection established from %[1]s: TLSv1.3", benignKind},
	{"setting up TLS connection from %[1]s", benignKind},
	{"%[1]s: Untrusted: subject_CN=x[203.0.113.6], issuer=y, fingerprint=00:11, pkey_fingerprint=22:33", benignKind},
	{"%[1]s: Trusted: subject_CN=x, issuer=y, fingerprint=00:11, pkey_fingerprint=22:33", benignKind},
	{"%[1]s: Verified: subject_CN=x, issuer=y, fingerprint=00:11", benignKind},
	{"%[1]s: Anonymous TLS connection established", benignKind},
	{"%[1]s: subject_CN=x, issuer_CN=y, fingerprint=00:11", benignKind},
	{"TLS SNI x[203.0.113.6] from %[1]s not matched, using default chain", benignKind},
	{"warning: TLS SNI from %[1]s is invalid: x[203.0.113.6]", benignKind},
	{"using backwards-compatible default setting relay_domains=$mydestination to accept mail for domain x[203.0.113.6]", benignKind},
	{"using backwards-compatible default setting smtpd_relay_restrictions = (empty) to avoid Relay access denied error from %[1]s", benignKind},
	{"warning: timeout talking to proxy 127.0.0.1:10025", benignKind},
	{"warning: lost connection with proxy 127.0.0.1:10025", benignKind},
	{"warning: proxy 127.0.0.1:10025 rejected \"DATA\": \"451 4.3.0 later\"", benignKind},
	{"warning: connect #1 to subsystem private/proxymap: Connection refused", benignKind},
	{"warning: valid_hostname: invalid character 91(decimal): x[203.0.113.6]", benignKind},
	{"warning: valid_ipv4_hostaddr: invalid octet count", benignKind},
	{"warning: Unable to look up MX host mx.example for Sender address x[203.0.113.6]@b.example: hostname nor servname provided, or not known", benignKind},
	{"warning: Unable to look up NS host 203.0.113.6 for Helo command b.example: Name or service not known", benignKind},
	{"warning: no MX host for b.example has a valid address record", benignKind},
	{"warning: malformed domain name in resource data of MX record for b.example: x[203.0.113.6]", benignKind},
	{"warning: numeric domain name in resource data of MX record for b.example: 203.0.113.6", benignKind},
	{"XCLIENT NAME=x ADDR=203.0.113.6 from %[1]s", benignKind},
	{"warning: XCLIENT ADDR=203.0.113.6 from %[1]s", benignKind},
	{"warning: %[1]s: XCLIENT ADDR=203.0.113.6", benignKind},
	{"warning: process /usr/lib/postfix/sbin/smtpd pid 42 exit status 1", benignKind},
	{"NOQUEUE: hangup: CONNECT from %[1]s: <%[1]s>: Client host x; proto=SMTP", event.PolicyRejected},
	{"NOQUEUE: warn: RCPT from %[1]s: x; from=<b>", benignKind},
	{"NOQUEUE: discard: RCPT from %[1]s: x; from=<b>", benignKind},
	{"NOQUEUE: proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok; from=<b> to=<c> proto=ESMTP helo=<[203.0.113.6]>", benignKind},
	{"NOQUEUE: milter-reject: CONNECT from %[1]s: 550 5.7.1 no; proto=SMTP", event.ContentRejected},
	{"4Zk1Yq2Lz3z9v: milter-reject: END-OF-MESSAGE from %[1]s: 5.7.1 Spam message rejected; from=<b>", event.ContentRejected},
	{"4Zk1Yq2Lz3z9v: milter-reject: RCPT from %[1]s: 450 4.7.1 Try again later; from=<b>", benignKind},
	{"NOQUEUE: milter-reject: CONNECT from %[1]s: 550 5.5.0 Service unavailable; proto=SMTP", event.ServerFault},
	{"NOQUEUE: milter-reject: CONNECT from %[1]s: 451 4.3.5 Server configuration problem - try again later; proto=SMTP", event.ServerFault},
	{"NOQUEUE: milter-reject: CONNECT from %[1]s: 451 4.7.1 Service unavailable - try again later; proto=SMTP", benignKind},
	{"4Zk1Yq2Lz3z9v: milter-reject: RCPT from %[1]s: 550 5.5.0 Service unavailable to x; from=<b>", event.ContentRejected},
	{"4Zk1Yq2Lz3z9v: milter-hold: DATA from %[1]s: x; from=<b>", benignKind},
	{"4Zk1Yq2Lz3z9v: milter-discard: DATA from %[1]s: x; from=<b>", benignKind},
	{"NOQUEUE: reject: VRFY from %[1]s: 554 5.7.1 <a@example.net>: Relay access denied; to=<a@example.net> proto=SMTP helo=<d>", event.RelayDenied},
	{"NOQUEUE: reject: DATA from %[1]s: 503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining; from=<b> proto=SMTP helo=<d>", event.Pipelining},
	{"NOQUEUE: reject: RCPT from %[1]s: 554 5.7.1 <b@example.com>: Sender address rejected: x; from=<b> to=<c> proto=ESMTP helo=<d> sasl_method=PLAIN sasl_username=u sasl_sender=v", event.PolicyRejected},
}

func TestSMTPDFormats(t *testing.T) {
	for _, row := range smtpdFormats {
		for client, addr := range clients {
			message := row.format
			if strings.Contains(message, "%[1]s") {
				message = fmt.Sprintf(message, client)
			}
			e, outcome, _ := read(t, message)
			if outcome < event.Benign || outcome == event.Missed || outcome == event.Ambiguous {
				t.Errorf("%s: %s", message, outcome)
			}
			want := row.kind
			if want == event.RelayDenied && !strings.HasPrefix(client, "unknown") {
				want = event.RelayRefused
			}
			if e.Kind != want {
				t.Errorf("%s: got %s, want %s", message, e.Kind, want)
			}
			if (outcome == event.Noted) != (row.kind != benignKind) || outcome == event.Noted && e.Attempts != 1 {
				t.Errorf("%s: %s, %d attempts", message, outcome, e.Attempts)
			}
			if outcome == event.Noted {
				checkAddr(t, e.Addr, addr)
			}
		}
	}
}

// Trouble of our own disk and resolver. What names are in it are of the client's
// mail or of its DNS, or its own turned round, and none is an address.
func TestOurTrouble(t *testing.T) {
	tests := map[string]event.Kind{
		"warning: 4Zk1Yq2Lz3z9v: write queue file: No space left on device":                               event.ServerFault,
		"warning: NOQUEUE: write queue file: No space left on device":                                     event.ServerFault,
		"warning: not enough free space in mail queue: 1024 bytes < 1.5*message size limit":               event.ServerFault,
		"warning: SASL: Connect to private/auth failed: Connection refused":                               event.AuthFault,
		"warning: 1.2.0.192.bl.example: RBL lookup error: Host or domain name not found, try again":       event.DNSFault,
		"warning: 203.0.113.6: RBL lookup error: Host or domain name not found, try again":                event.DNSFault,
		"warning: x[203.0.113.6].bl.example: RBL lookup error: Host or domain name not found, try again":  event.DNSFault,
		"warning: x.bl.example: RBL lookup error: 203.0.113.6: address not listed for hostname c.example": event.DNSFault,
	}
	for message, want := range tests {
		if e, outcome, _ := read(t, message); outcome != event.Noted || e.Kind != want || e.Attempts != 1 || e.Addr.IsValid() {
			t.Errorf("%s: %s, %s of %s", message, outcome, e.Kind, e.Addr)
		}
	}
}

// badClients are clients of which no address may be taken.
var badClients = []string{
	"unknown[192.0.2", "unknown[192.0.2.1", "unknown[192.0.2.1x]", "unknown[192.0.2.01]", "unknown[fe80::1%eth0]", "unknown[192.0.2.1/24]", "unknown[]",
	"unknown[192.0.2.1\x00]", "unknown[192.0.2.1\r]", "unknown[\xff192.0.2.1]", "un known[192.0.2.1]", "[192.0.2.1]", "192.0.2.1", "", "unknown[[192.0.2.1]]",
	"unknown[ 192.0.2.1]", "unknown[0x7f.1]", "unknown[2001:db8:::1]",
}

func TestBadClients(t *testing.T) {
	for _, row := range smtpdFormats {
		if row.kind == benignKind || !strings.Contains(row.format, "%[1]s") {
			continue
		}
		for _, client := range badClients {
			message := fmt.Sprintf(row.format, client)
			if e, outcome, _ := read(t, message); outcome == event.Noted && e.Addr.IsValid() {
				t.Errorf("%q gives %s", message, e.Addr)
			}
		}
	}
}

// A line that ends anywhere gives the whole address or none.
func TestCutLines(t *testing.T) {
	for _, row := range smtpdFormats {
		message := strings.ReplaceAll(row.format, "%[1]s", "c.example[192.0.2.123]")
		for end := range len(message) {
			if e, outcome, _ := read(t, message[:end]); outcome == event.Noted && e.Addr.IsValid() && e.Addr.String() != "192.0.2.123" {
				t.Errorf("%q gives %s", message[:end], e.Addr)
			}
		}
	}
}

// Bytes that are no text, wherever a client may put them, change nothing.
func TestDirtyBytes(t *testing.T) {
	for _, dirt := range []string{"\xff\xfe", "\x00", "\r", "é", strings.Repeat("x", 3000)} {
		for _, row := range []struct {
			format string
			kind   event.Kind
		}{
			{"warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x, sasl_username=%s", event.AuthFailed},
			{"warning: unknown[192.0.2.1]: SASL %s authentication failed: x", event.AuthFailed},
			{"warning: non-SMTP command from unknown[192.0.2.1]: %s", event.NonSMTP},
			{"improper command pipelining after EHLO from unknown[192.0.2.1]: %s", event.Pipelining},
			{"NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 <%[1]s>: Recipient address rejected: User unknown; from=<%[1]s> to=<%[1]s> proto=ESMTP helo=<%[1]s>", event.RecipientUnknown},
		} {
			message := fmt.Sprintf(row.format, dirt)
			if e, outcome, _ := read(t, message); outcome != event.Noted || e.Kind != row.kind || e.Addr.String() != "192.0.2.1" {
				t.Errorf("%.100q: got %s, %s, %s, want outcome %s, Kind %s, Addr 192.0.2.1", message, outcome, e.Kind, e.Addr, event.Noted, row.kind)
			}
		}
	}
}

// The complaints about a name that does not fit its address, of 2.9 and of
// before. The name is the client's, the address the server's.
func TestHostnameFormats(t *testing.T) {
	for _, name := range []string{"c.example", "192.0.2.9", "192.0.2.9.evil.example", "6.6.6.6"} {
		for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
			for reason, kind := range map[string]event.Kind{
				"Name or service not known": event.HostnameMismatch, "hostname nor servname provided, or not known": event.HostnameMismatch,
				"No address associated with hostname": event.HostnameMismatch, "Temporary failure in name resolution": event.DNSFault,
			} {
				for _, message := range []string{
					"warning: hostname " + name + " does not resolve to address " + addr + ": " + reason,
					"warning: " + addr + ": hostname " + name + " verification failed: " + reason,
					"warning: smtpd_peer_init: " + addr + ": hostname " + name + " verification failed: " + reason,
				} {
					e, _, _ := read(t, message)
					if e.Kind != kind {
						t.Errorf("%s: got %s", message, e.Kind)
					}
					checkAddr(t, e.Addr, addr)
				}
			}
			for _, message := range []string{
				"warning: hostname " + name + " does not resolve to address " + addr,
				"warning: " + addr + ": address not listed for hostname " + name,
				"warning: smtpd_peer_init: " + addr + ": address not listed for hostname " + name,
			} {
				e, _, _ := read(t, message)
				if e.Kind != event.HostnameMismatch {
					t.Errorf("%s: got %s", message, e.Kind)
				}
				checkAddr(t, e.Addr, addr)
			}
		}
	}
}

// The reply texts of smtpd_check.c with their default codes, and with a first
// digit of 4 (soft_bounce, or a setting of the admin's).
func TestRejectTexts(t *testing.T) {
	tests := []struct{ code, text, hard, soft string }{
		{"554 5.7.1", "<r@example.net>: Relay access denied", "relay-denied", "relay-denied"},
		{"554 5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using bl.example; https://bl.example/192.0.2.1", "dnsbl-listed", "dnsbl-listed"},
		{"554 5.7.1", "Service unavailable; Sender address [b@example.com] blocked using bl.example", "dnsbl-listed", "dnsbl-listed"},
		{"554 5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using bl.csmail.internal; CrowdSec decision 7 on your address", "own-refusal", "own-refusal"},
		{"554 5.7.1", "Service unavailable; Client host [192.0.2.2] blocked using bl.csmail.internal; CrowdSec decision 7 on your address", "dnsbl-listed", "dnsbl-listed"},
		{"554 5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using bl.example; see CrowdSec decision 7", "dnsbl-listed", "dnsbl-listed"},
		{"554 5.7.1", "Service unavailable; Sender address [b@example.com] blocked using bl.example; CrowdSec decision 7", "dnsbl-listed", "dnsbl-listed"},
		{"554 5.7.1", "Service unavailable; Helo command [[192.0.2.1] blocked using x; CrowdSec decision 7] blocked using bl.example", "dnsbl-listed", "dnsbl-listed"},
		{"554 5.7.1", "Service unavailable; Helo command [d] blocked using bl.example", "dnsbl-listed", "dnsbl-listed"},
		{"554 5.7.1", "Service unavailable; Unverified Client host [c.example] blocked using bl.example", "dnsbl-listed", "dnsbl-listed"},
		{"504 5.5.2", "<d>: Helo command rejected: need fully-qualified hostname", "helo-rejected", "helo-deferred"},
		{"501 5.5.2", "<d>: Helo command rejected: Invalid name", "helo-rejected", "helo-deferred"},
		{"501 5.5.2", "<d>: Helo command rejected: invalid ip address", "helo-rejected", "helo-deferred"},
		{"550 5.7.1", "<d>: Helo command rejected: Host not found", "helo-deferred", "helo-deferred"},
		{"554 5.7.1", "<d>: Helo command rejected: Access denied", "helo-rejected", ""},
		{"554 5.7.1", "<d>: Helo command rejected: go away", "helo-rejected", ""},
		{"550 5.7.25", "Client host rejected: cannot find your hostname, [192.0.2.1]", "no-hostname", "no-hostname"},
		{"550 5.7.1", "Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "no-hostname", "no-hostname"},
		{"554 5.7.1", "<c.example[192.0.2.1]>: Client host rejected: Access denied", "access-denied", "policy-rejected"},
		{"554 5.7.1", "<c.example[192.0.2.1]>: Client host rejected: go away", "access-denied", ""},
		{"550 5.1.8", "<b@x>: Sender address rejected: Domain not found", "sender-rejected", "sender-rejected"},
		{"550 5.7.27", "<b@x>: Sender address rejected: Domain x does not accept mail (nullMX)", "sender-rejected", "sender-rejected"},
		{"550 5.1.8", "<b@x>: Sender address rejected: Malformed DNS server reply", "sender-rejected", "sender-rejected"},
		{"553 5.7.1", "<b@x>: Sender address rejected: not owned by user u", "sender-rejected", "sender-rejected"},
		{"553 5.7.1", "<b@x>: Sender address rejected: not logged in", "sender-rejected", "sender-rejected"},
		{"550 5.1.1", "<r@x>: Recipient address rejected: User unknown", "recipient-unknown", "recipient-unknown"},
		{"550 5.1.1", "<r@x>: Recipient address rejected: User unknown in local recipient table", "recipient-unknown", "recipient-unknown"},
		{"550 5.1.1", "<r@x>: Recipient address rejected: User unknown in virtual mailbox table", "recipient-unknown", "recipient-unknown"},
		{"550 5.1.1", "<r@x>: Recipient address rejected: User unknown in relay recipient table", "recipient-unknown", "recipient-unknown"},
		{"550 5.1.1", "<r@x>: Recipient address rejected: undeliverable address: host mx.example[203.0.113.6] said: 550 no", "recipient-unknown", ""},
		{"550 5.1.1", "<r@x>: Recipient address rejected: unverified address: x", "", ""},
		{"550 5.1.1", "<r@x>: Recipient address rejected: address verification problem", "", ""},
		{"550 5.7.1", "<r@x>: Recipient address rejected: Greylisted, see http://x", "", ""},
		{"550 5.7.1", "<r@x>: Recipient address rejected: Please see http://x/why?ip=203.0.113.6", "policy-rejected", ""},
		{"503 5.5.0", "<DATA>: Data command rejected: Improper use of SMTP command pipelining", "pipelining", "pipelining"},
		{"550 5.5.3", "<DATA>: Data command rejected: Multi-recipient bounce", "protocol-error", "protocol-error"},
		{"550 5.7.1", "<r@x>: Recipient address rejected: Graylisted, see http://x", "", ""},
		{"550 5.5.0", "<r@x>: Recipient address rejected: not today", "policy-rejected", ""},
		{"550 5.7.1", "go away", "policy-rejected", ""},
		{"554 5.5.0", "Error: SMTP protocol synchronization", "protocol-error", ""},
		{"554 5.7.1", "Service unavailable", "policy-rejected", ""},
		{"521 5.3.2", "<r@x>: Recipient address rejected: closed for tonight", "", ""},
		{"550 5.7.1", "<r@x>: Recipient address rejected: Server configuration problem", "server-fault", "server-fault"},
		{"550 5.7.1", "Must issue a STARTTLS command first", "", ""},
		{"550 5.7.1", "Session encryption is required", "", ""},
		{"552 5.3.4", "Message size exceeds fixed limit", "", ""},
		{"552 5.3.1", "Insufficient system storage", "server-fault", "server-fault"},
		{"550 5.3.2", "<r@x>: Recipient address rejected: Try again later", "", ""},
		{"550 5.7.0", "<r@x>: Recipient address rejected: defer_if_permit requested", "", ""},
		{"521 5.3.0", "mx1.example Server local data error", "server-fault", "server-fault"},
		{"551 5.3.0", "<r@x>: Temporary lookup failure", "lookup-fault", "lookup-fault"},
		{"551 5.3.5", "<r@x>: Recipient address rejected: Server configuration error", "server-fault", "server-fault"},
	}
	for _, tt := range tests {
		for digit, want := range map[string]string{"5": tt.hard, "4": tt.soft} {
			code, status, _ := strings.Cut(tt.code, " ")
			reply := digit + code[1:] + " " + digit + status[1:] + " " + tt.text
			for _, id := range []string{"NOQUEUE", "00ADB3C0899", "4Zk1Yq2Lz3z9v"} {
				e, outcome, _ := read(t, id+": reject: RCPT from unknown[192.0.2.1]: "+reply+envelope)
				if e.Kind.String() != want || outcome != event.Noted && want != "" {
					t.Errorf("%s: got %s, %q, want %q", reply, outcome, e.Kind, want)
				}
				checkAddr(t, e.Addr, "192.0.2.1")
			}
		}
	}
}

// postscreen's clients, and lines of it that are cut anywhere.
func TestScreenFormats(t *testing.T) {
	formats := []string{
		"PREGREET 11 after 0.05 from %s: x", "DNSBL rank 5 for %s", "BLACKLISTED %s", "DENYLISTED %s",
		"HANGUP after 0.4 from %s in tests before SMTP handshake", "HANGUP after 0 from %s in tests after SMTP handshake",
		"COMMAND TIME LIMIT from %s after CONNECT", "COMMAND COUNT LIMIT from %s after RSET", "COMMAND LENGTH LIMIT from %s after ?",
		"COMMAND PIPELINING from %s after \\200\\0: x", "NON-SMTP COMMAND from %s after CONNECT: x y", "BARE NEWLINE from %s after EHLO",
		"DATA without valid RCPT from %s", "BDAT without valid RCPT from %s",
		"NOQUEUE: reject: RCPT from %s: 550 5.7.1 Service unavailable; client [192.0.2.123] blocked using x; from=<a>, to=<b>, proto=SMTP, helo=<c>",
		"NOQUEUE: reject: RCPT from %s: 550 5.5.1 Protocol error; from=<a>, to=<b>, proto=SMTP, helo=<c>",
	}
	for _, format := range formats {
		for client, addr := range map[string]string{"[192.0.2.123]:4711": "192.0.2.123", "[2001:db8::1]:4711": "2001:db8::1", "[::ffff:192.0.2.1]:4711": "192.0.2.1"} {
			message := fmt.Sprintf(format, client)
			e, outcome := readAs(t, "postfix-mx/postscreen", message)
			if outcome != event.Noted {
				t.Errorf("%s: got %s, want %s", message, outcome, event.Noted)
			}
			checkAddr(t, e.Addr, addr)
			for end := range len(message) {
				if e, outcome := readAs(t, "postfix/postscreen", message[:end]); outcome == event.Noted && e.Addr.IsValid() && e.Addr.String() != addr {
					t.Errorf("%q gives %s", message[:end], e.Addr)
				}
			}
		}
		for _, client := range []string{
			"[192.0.2.01]:1", "[192.0.2.1%eth0]:1", "[fe80::1%eth0]:1", "[192.0.2.1]", "192.0.2.1:1", "[unknown]:1", "[192.0.2.1\x00]:1", "[\xff]:1", "[192.0.2.1\r]:1", "[]:1",
		} {
			message := fmt.Sprintf(format, client)
			if e, outcome := readAs(t, "postfix/postscreen", message); outcome != event.Missed {
				t.Errorf("%q: got %s, %s, want %s", message, outcome, e.Addr, event.Missed)
			}
		}
	}
}
