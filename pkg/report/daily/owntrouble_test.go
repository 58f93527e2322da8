package daily

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

// Trouble is this host's own where Postfix writes the words, not where a client does.
func TestCauseOf(t *testing.T) {
	for text, want := range map[string]string{
		"mysql:/etc/postfix/virtual.cf: table lookup problem":                                                        TableTrouble,
		"virtual_mailbox_domains: proxy:ldap:/etc/postfix/x.cf: table lookup problem":                                TableTrouble,
		"AAAAAA1: virtual_alias_maps map lookup problem for u@example.org -- message not accepted, try again later":  TableTrouble,
		"proxy:pgsql:/etc/postfix/a.cf lookup error for \"u@example.org\"":                                           TableTrouble,
		"connect to mysql server 127.0.0.1: Can't connect to MySQL server on '127.0.0.1' (111)":                      TableTrouble,
		"connect to pgsql server db.example.org: could not connect to server: Connection refused":                    TableTrouble,
		"dict_ldap_connect: Unable to bind to server ldap://ldap.example.org with dn : 49 (Invalid credentials)":     TableTrouble,
		"write queue file: No space left on device":                                                                  DiskTrouble,
		"mail_queue_enter: create file maildrop/5511.7: No space left on device":                                     DiskTrouble,
		"not enough free space in mail queue: 1234 bytes < 1.5*message size limit":                                   DiskTrouble,
		"cannot get RSA private key from file \"/etc/ssl/mx.key\": disabling TLS support":                            CertificateTrouble,
		"TLS library problem: error:14094415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired:x.c:1543:": CertificateTrouble,
		"TLS library problem: error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:x.c:1543:":          CertificateTrouble,

		"TLS library problem: error:1408A0C1:SSL routines:tls_post_process_client_hello:no shared cipher:x.c:2285:":                    "",
		"unknown[198.51.100.8]: SASL LOGIN authentication failed: table lookup problem: No space left on device":                       "",
		"Illegal address syntax from unknown[198.51.100.8] in MAIL command: < table lookup problem>":                                   "",
		"Illegal address syntax from unknown[198.51.100.8] in RCPT command: < map lookup problem for : No space left on device":        "",
		"non-SMTP command from unknown[198.51.100.8]: connect to mysql server : No space left on device":                               "",
		"header Subject: write queue file: No space left on device":                                                                    "",
		"header Subject: table lookup problem from local; from=<a@b.example>":                                                          "",
		"hostname table-lookup-problem.example does not resolve to address 198.51.100.8: hostname nor servname provided, or not known": "",
		"malformed domain name in resource data of MX record for spam.example: x: No space left on device":                             "",
		"numeric domain name in resource data of MX record for spam.example: x: No space left on device":                               "",
		"valid_hostname: invalid character 32(decimal): x: No space left on device":                                                    "",
		"valid_ipv4_hostaddr: invalid character 32(decimal): x: No space left on device":                                               "",
		"numeric hostname: x: No space left on device":                                                                                 "",
		"SASL authentication failure: no user x: No space left on device":                                                              "",
		"numeric hostname: certificate expired":                                                                                        "",
		"/etc/postfix/virtual.db: duplicate entry: \"u@example.org\"":                                                                  "",
	} {
		if got := CauseOf(event.Warning, troubleText(text)); got != want {
			t.Errorf("%s\n(kept as %s): got %q, want %q", text, troubleText(text), got, want)
		}
	}
	for _, level := range []event.Level{event.Fatal, event.Panic} {
		if got := CauseOf(level, "no SASL authentication mechanisms"); got != FatalTrouble {
			t.Errorf("level %d: got %q, want %q", level, got, FatalTrouble)
		}
	}
}

// The disk of the mailboxes is full where this host's servers say so, not where a mail does.
func TestIsFullMailbox(t *testing.T) {
	for _, tt := range []struct {
		agent, text string
		want        bool
	}{
		{"lmtp", "host mx1[private/dovecot-lmtp] said: 451 4.2.0 <u@example.org> " + strings.Repeat("x", 20) + " No space left on device (in reply to end of DATA command)", true},
		{"virtual", "maildir delivery failed: error writing message: No space left on device", true},
		{"local", "cannot update mailbox /var/mail/u for user u. error writing message: No space left on device", true},
		{"smtp", "host mx.example[198.51.100.1] said: 452 No space left on device", false},
		{"lmtp", `host mx1[private/dovecot-lmtp] said: 451 4.3.0 <No space left@example.org> Temporary internal error (in reply to RCPT TO command)`, false},
		{"lmtp", `host mx1[private/dovecot-lmtp] said: 451 4.3.0 <a: No space left on device@example.org> Temporary internal error (in reply to RCPT TO command)`, false},
		{"pipe", `temporary failure. Command output: filter: cannot parse "Subject: No space left" `, false},
		{"lmtp", "451 4.3.0 <" + strings.Repeat("x", 166) + ": No space left on device@example.org> Temporary internal error", false},
		{"pipe", `temporary failure. Command output: filter: cannot parse: No space left on device`, false},
	} {
		if got := IsFullMailbox(tt.agent, bounceReason(tt.text, "u@example.org")); got != tt.want {
			t.Errorf("%s, %s: got %v, want %v", tt.agent, tt.text, got, tt.want)
		}
	}
}
