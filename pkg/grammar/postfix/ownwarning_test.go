package postfix

import (
	"fmt"
	"strings"
	"testing"

	"csmail/pkg/event"
)

// What smtpd says of its own settings, tables, keys and helpers, also in front of or
// behind a client (smtpd.c, smtpd_haproxy.c, smtpd_check.c, xsasl_*.c, tls_*.c,
// dns_lookup.c, attr_scan0.c; 3.5-3.11).
func TestOwnWarnings(t *testing.T) {
	for _, format := range []string{
		"warning: reject: ETRN x[203.0.113.6]... from %[1]s",
		"redirecting hash:/etc/postfix/access to lmdb:/etc/postfix/access",
		"warning: /etc/postfix/access: hash/btree support is deprecated.  Please switch to cdb or lmdb.",
		"warning: hash:/etc/postfix/access: hash/btree support is deprecated.  Please switch to cdb or lmdb.",
		"warning: Berkeley DB support for 'hash:/etc/postfix/access' is not available for this OS distribution",
		"discarding EHLO keywords: CHUNKING DSN",
		"%[1]s: replacing command \"x[203.0.113.6]\" with \"QUIT\"",
		"%[1]s: Issuing session ticket, key expiration: 1772496000",
		"%[1]s: Decrypting session ticket, key expiration: 1772496000",
		"%[1]s: Reusing old session (RFC 5077 session ticket)",
		"%[1]s: save session 00AA&s=smtp to smtpd cache",
		"%[1]s: depth=0 verify=0 subject=/CN=x[203.0.113.6]",
		"certificate verification failed for %[1]s: untrusted issuer /CN=x[203.0.113.6]",
		"SASL authentication info: x",
		"mapping DSN status 5.7.1 into Sender address status 5.7.1",
		"warning: SASL authentication problem: unable to open Berkeley db /etc/sasldb2",
		"warning: SASL: Protocol version mismatch (2 vs. 1)",
		"warning: SASL per-connection server initialization: generic failure",
		"warning: missing Dovecot server FAIL reply field",
		"warning: missing client address from proxy",
		"warning: bad IPv4 client address syntax from proxy: x[203.0.113.6]",
		"warning: haproxy read: timeout error",
		"warning: lmdb:/etc/postfix/access lookup error for \"x[203.0.113.6]\"",
		"warning: texthash:/etc/postfix/access is unavailable. open file: No such file or directory",
		"warning: table hash:/etc/postfix/access lookup error: x",
		"warning: dns_lookup: Name server loop for x",
		"warning: a.example: TXT lookup error: Host or domain name not found",
		"warning: a.example: MX or address lookup error: Host or domain name not found, try again",
		"warning: cannot get RSA private key from file \"/etc/x\": disabling TLS support",
		"warning: error loading private key (PEM object number 1) from /etc/x",
		"warning: Both smtpd_tls_chain_files and one or more of the legacy  x, y or z are non-empty; the legacy  parameters will be ignored",
		"warning: specify one of (reject, defer) before permit restriction \"x\"",
		"warning: malformed UTF-8 in policy server inet:127.0.0.1:1 response: \"x\"",
		"warning: postmaster notify: Connection refused",
		"warning: unexpected attribute x from private/anvil socket (expecting: y)",
	} {
		for client := range clients {
			message := format
			if strings.Contains(message, "%[1]s") {
				message = fmt.Sprintf(message, client)
			}
			if e, outcome, _ := read(t, message); outcome != event.Benign || e.Kind != event.NoKind {
				t.Errorf("%s: got %s, %s, want outcome %s, Kind %s", message, outcome, e.Kind, event.Benign, event.NoKind)
			}
		}
	}
}

// A complaint that goes on with a client may be a new one about it: it is reported as
// unknown.
func TestUnknownComplaints(t *testing.T) {
	for _, message := range []string{
		"warning: bad greeting from unknown[192.0.2.1]: x",
		"warning: unexpected data from unknown[192.0.2.1]",
		"warning: host.example: greeting from unknown[192.0.2.1]",
		"unknown[192.0.2.1]: greeting",
	} {
		if e, outcome, _ := read(t, message); outcome != event.Missed {
			t.Errorf("%s: got %s, %s, want %s", message, outcome, e.Kind, event.Missed)
		}
	}
}
