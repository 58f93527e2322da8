package engine

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

const (
	clientAddr = "192.0.2.1"   // who really connected
	victimAddr = "203.0.113.6" // whom the client's text names
	serverAddr = "198.51.100.1"
)

// field is a place in a line that a client fills, and what the daemon lets
// through there.
type field struct {
	name string
	line string // {} is the client's text
	lets func(string) string
}

func anything(text string) string { return text }

// oneWord is a SASL mechanism, which smtpd cuts at a blank.
func oneWord(text string) string { return strings.Join(strings.Fields(text), "") }

// noColon is an SSH user name (OpenSSH auth2.c).
func noColon(text string) string {
	before, _, _ := strings.Cut(text, ":")
	return before
}

// hostname is a PTR name as valid_hostname() lets it through (Postfix
// src/util/valid_hostname.c).
func hostname(text string) string {
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return '.'
	}, strings.ToLower(text))
	return strings.Trim(name[max(0, len(name)-200):], ".-") + ".example"
}

const (
	smtpdTag = "postfix/submission/smtpd[42]: "
	fromTo   = "; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>"
)

var fields = []field{
	{"PTR name, connect", smtpdTag + "connect from {}[192.0.2.1]", hostname},
	{"PTR name, disconnect", smtpdTag + "disconnect from {}[192.0.2.1] ehlo=1 auth=0/1 commands=1/2", hostname},
	{"PTR name, SASL", smtpdTag + "warning: {}[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", hostname},
	{"PTR name, does not resolve", smtpdTag + "warning: hostname {} does not resolve to address 192.0.2.1: Name or service not known", hostname},
	{"PTR name, not listed", smtpdTag + "warning: 192.0.2.1: address not listed for hostname {}", hostname},
	{"PTR name, verification failed", smtpdTag + "warning: 192.0.2.1: hostname {} verification failed: Name or service not known", hostname},
	{"PTR name, reject", smtpdTag + "NOQUEUE: reject: RCPT from {}[192.0.2.1]: 554 5.7.1 <a@example.net>: Relay access denied" + fromTo, hostname},
	{"PTR name, client rejected", smtpdTag + "NOQUEUE: reject: CONNECT from {}[192.0.2.1]: 554 5.7.1 <{}[192.0.2.1]>: Client host rejected: Access denied; proto=SMTP", hostname},
	{"PTR name, lost connection", smtpdTag + "NOQUEUE: lost connection after AUTH from {}[192.0.2.1]", hostname},
	{"PTR name, TLS", smtpdTag + "SSL_accept error from {}[192.0.2.1]: lost connection", hostname},
	{"PTR name, rate limit", smtpdTag + "warning: Connection rate limit exceeded: 31 from {}[192.0.2.1] for service smtp", hostname},
	{"mechanism", smtpdTag + "warning: unknown[192.0.2.1]: SASL {} authentication failed: UGFzc3dvcmQ6, sasl_username=a", oneWord},
	{"mechanism in the reason", smtpdTag + "warning: unknown[192.0.2.1]: SASL {} authentication failed: Invalid authentication mechanism: '{}'", oneWord},
	{"mechanism, aborted", smtpdTag + "warning: unknown[192.0.2.1]: SASL {} authentication aborted", oneWord},
	{"SASL user", smtpdTag + "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={}", anything},
	{"SASL user in reject", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 553 5.7.1 <b@example.com>: Sender address rejected: not owned by user {}" + fromTo + " sasl_method=PLAIN sasl_username={}", anything},
	{"SASL user, accepted", smtpdTag + "4Zk1Yq2Lz3z9v: client=c.example[192.0.2.1], sasl_method=PLAIN, sasl_username={}, sasl_sender={}", anything},
	{"subject", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 <{}>: Recipient address rejected: User unknown" + fromTo, anything},
	{"listed sender", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 Service unavailable; Sender address [{}@listed.example] blocked using bl.example; https://bl.example/q" + fromTo, anything},
	{"listed HELO", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 Service unavailable; Helo command [{}] blocked using bl.example" + fromTo, anything},
	{"sender's own server", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.7 <b@example.com>: Sender address rejected: undeliverable address: host mx.example.com[203.0.113.6] said: 550 5.1.1 {}" + fromTo, anything},
	{"policy server's quotation", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.7.23 <a@example.org>: Recipient address rejected: not authorized: {}" + fromTo, anything},
	{"TLS SNI", smtpdTag + "warning: TLS SNI from unknown[192.0.2.1] is invalid: {}", anything},
	{"TLS SNI, unmatched", smtpdTag + "warning: TLS SNI {} from unknown[192.0.2.1] not matched, using default chain", hostname},
	{"certificate", smtpdTag + "unknown[192.0.2.1]: Untrusted: subject_CN={}, issuer={}, fingerprint=x", anything},
	{"bad PTR name", smtpdTag + "warning: valid_hostname: invalid character 91(decimal): {}", anything},
	{"sender", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <a@example.net>: Relay access denied; from=<{}> to=<a@example.net> proto=ESMTP helo=<c.example>", anything},
	{"recipient", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <{}>: Relay access denied; from=<b@example.com> to=<{}> proto=ESMTP helo=<c.example>", anything},
	{"HELO", smtpdTag + "NOQUEUE: reject: EHLO from unknown[192.0.2.1]: 504 5.5.2 <{}>: Helo command rejected: need fully-qualified hostname; proto=SMTP helo=<{}>", anything},
	{"HELO alone", smtpdTag + "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b> to=<c> proto=ESMTP helo=<{}>", anything},
	{"ETRN", smtpdTag + "NOQUEUE: reject: ETRN {}... from unknown[192.0.2.1]", anything},
	{"bad ETRN", smtpdTag + "warning: bad ETRN {}... from unknown[192.0.2.1]", anything},
	{"hangup", smtpdTag + "NOQUEUE: hangup: RCPT from unknown[192.0.2.1]: <{}>: Recipient address x" + fromTo, anything},
	{"reject_warning", smtpdTag + "NOQUEUE: reject_warning: RCPT from unknown[192.0.2.1]: 554 5.7.1 <{}>: Relay access denied; from=<{}> to=<{}> proto=ESMTP helo=<{}>", anything},
	{"milter-reject", smtpdTag + "NOQUEUE: milter-reject: RCPT from unknown[192.0.2.1]: 550 5.7.1 {}; from=<{}>", anything},
	{"pipelined bytes", smtpdTag + "improper command pipelining after EHLO from unknown[192.0.2.1]: {}", anything},
	{"no SMTP", smtpdTag + "warning: non-SMTP command from unknown[192.0.2.1]: {}", anything},
	{"no SMTP, before 2.3", smtpdTag + "warning: unknown[192.0.2.1] sent {} header instead of SMTP command: {}", anything},
	{"illegal address", smtpdTag + "warning: Illegal address syntax from unknown[192.0.2.1] in MAIL command: {}", anything},
	{"overlong", smtpdTag + "warning: unknown[192.0.2.1]: request longer than 2048: {}...", anything},
	{"BDAT", smtpdTag + "warning: NOQUEUE: malformed BDAT command syntax from unknown[192.0.2.1]: {}", anything},
	{"proxy filter", smtpdTag + "NOQUEUE: proxy-reject: END-OF-MESSAGE: 554 5.7.1 {}; from=<{}> to=<{}> proto=ESMTP helo=<{}>", anything},
	{"pregreet", "postfix/postscreen[42]: PREGREET 11 after 0.05 from [192.0.2.1]:4711: {}", anything},
	{"pipelining command", "postfix/postscreen[42]: COMMAND PIPELINING from [192.0.2.1]:4711 after {}: {}", anything},
	{"no SMTP, postscreen", "postfix/postscreen[42]: NON-SMTP COMMAND from [192.0.2.1]:4711 after {}: {}", anything},
	{"bare newline", "postfix/postscreen[42]: BARE NEWLINE from [192.0.2.1]:4711 after {}", anything},
	{"time limit", "postfix/postscreen[42]: COMMAND TIME LIMIT from [192.0.2.1]:4711 after {}", anything},
	{"postscreen envelope", "postfix/postscreen[42]: NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 550 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.example; from=<{}>, to=<{}>, proto=ESMTP, helo=<{}>", anything},
	{"deep tests", "postfix/postscreen[42]: NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 450 4.3.2 Service currently unavailable; from=<{}>, to=<{}>, proto=ESMTP, helo=<{}>", anything},
	{"header", "postfix/cleanup[42]: 4Zk1Yq2Lz3z9v: reject: header {} from c.example[192.0.2.1]; from=<{}> to=<{}> proto=ESMTP helo=<{}>: 5.7.1 no", anything},
	{"message ID", "postfix/cleanup[42]: 4Zk1Yq2Lz3z9v: message-id={}", anything},
	{"filter's text", "postfix/cleanup[42]: 4Zk1Yq2Lz3z9v: milter-reject: END-OF-MESSAGE from c.example[192.0.2.1]: 5.7.1 {}; from=<{}>", anything},
	{"subject in qmgr", "postfix/qmgr[42]: 4Zk1Yq2Lz3z9v: from=<{}>, size=1, nrcpt=1 (queue active)", anything},
	{"remote server", "postfix/smtp[42]: 4Zk1Yq2Lz3z9v: to=<{}>, relay=mx.example[203.0.113.6]:25, status=bounced (host mx.example[203.0.113.6] said: 550 5.7.1 {})", anything},
	{"Dovecot user", "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>", anything},
	{"Dovecot 2.3 user", "dovecot: pop3-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, TLS, session=<s>", anything},
	{"Dovecot 2.4 user", "dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 2 secs) (auth_failed): user=<{}>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>", anything},
	{"Dovecot user, login", "dovecot: imap-login: Login: user=<{}>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, mpid=1, session=<s>", anything},
	{"IMAP ID", "dovecot: imap-login: ID sent: name={}: user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>", anything},
	{"auth user", "dovecot: auth: sql({},192.0.2.1,<s>): unknown user", anything},
	{"auth password", "dovecot: auth: sql(a,192.0.2.1,<s>): Password mismatch (given password: {})", anything},
	{"auth user, quoted", "dovecot: auth: plain(?,192.0.2.1,<s>): Username character disallowed by auth_username_chars: 0x2c (username: {})", anything},
	{"worker user", "dovecot: auth-worker(9): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql({},192.0.2.1,<s>): Password mismatch", anything},
	{"worker user, no pid", "dovecot: auth-worker(9): conn unix:auth-worker (uid=143): auth-worker<1>: ldap({},192.0.2.1,<s>): unknown user", anything},
	{"auth user, 2.4", "dovecot: auth({},192.0.2.1,sasl:plain)<s>: sql: Password mismatch", anything},
	{"auth user, quoted, 2.4", "dovecot: auth(?,192.0.2.1,sasl:plain)<s>: plain: Username character disallowed by auth_username_chars: 0x2c (username: {})", anything},
	{"auth user, fault", "dovecot: auth: Error: imap({},192.0.2.1,<s>): Disconnected from server", anything},
	{"auth user, fault, 2.4", "dovecot: auth({},192.0.2.1,sasl:plain)<s>: Error: b: imapc(127.0.0.1:9): connect(127.0.0.1, 9) failed: Connection refused - disconnecting", anything},
	{"auth user, missing file", "dovecot: auth: Error: passwd-file({},192.0.2.1,<s>): stat(/etc/dovecot/users/{}/passwd) failed: No such file or directory", anything},
	{"IMAP mechanism", "dovecot: imap-login: Authenticate {} failed: Unsupported authentication mechanism.: user=<>, method={}, rip=192.0.2.1, lip=198.51.100.1, session=<s>", anything},
	{"worker user, 2.4", "dovecot: auth-worker({},192.0.2.1,sasl:plain)<9><s>: request [1]: sql: Password mismatch", anything},
	{"auth user, own tag", "auth-worker[7]: pam({},192.0.2.1,<s>): pam_authenticate() failed: Authentication failure (Password mismatch?)", anything},
	{"PAM user", "auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={} rhost=192.0.2.1", anything},
	{"PAM users", "dovecot-auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={} rhost=192.0.2.1  user={}", anything},
	{"proxied user", "dovecot: imap-login: proxy({}): Login failed to 203.0.113.6:143: x: user=<{}>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>", anything},
	{"proxied user, 2.4", "dovecot: imap-login: proxy({},203.0.113.6:143): Login failed: x: user=<{}>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>", anything},
	{"proxied user's server", "dovecot: imap-login: proxy(a): Login failed to 203.0.113.6:143: {}: user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>", anything},
	{"SSH user, invalid", "sshd[42]: Invalid user {} from 192.0.2.1 port 4711", noColon},
	{"SSH user, failed", "sshd-session[42]: Failed password for invalid user {} from 192.0.2.1 port 4711 ssh2", noColon},
	{"SSH user, too many", "sshd[42]: error: maximum authentication attempts exceeded for {} from 192.0.2.1 port 4711 ssh2 [preauth]", noColon},
	{"SSH user, disconnecting", "sshd[42]: Disconnecting invalid user {} 192.0.2.1 port 4711: Too many authentication failures [preauth]", noColon},
	{"SSH user, closed", "sshd[42]: Connection closed by authenticating user {} 192.0.2.1 port 4711 [preauth]", noColon},
	{"SSH user, not allowed", "sshd[42]: User {} from 192.0.2.1 not allowed because not listed in AllowUsers", noColon},
	{"SSH user, locked", "sshd[42]: User {} not allowed because account is locked", noColon},
	{"SSH service", "sshd[42]: Disconnecting authenticating user a 192.0.2.1 port 4711: Change of username or service not allowed: (a,{}) -> (b,{}) [preauth]", anything},
	{"SSH offer", "sshd[42]: Unable to negotiate with 192.0.2.1 port 4711: no matching cipher found. Their offer: {} [preauth]", anything},
	{"SSH version", "sshd[42]: Bad protocol version identification '{}' from 192.0.2.1 port 4711", anything},
	{"SSH farewell", "sshd[42]: Received disconnect from 192.0.2.1 port 4711:11: {} [preauth]", anything},
	{"SSH old farewell", "sshd[42]: Received disconnect from 192.0.2.1: 11: {} [preauth]", anything},
	{"SSH key", "sshd[42]: Accepted publickey for a from 192.0.2.1 port 4711 ssh2: RSA-CERT SHA256:x ID {} (serial 0) CA RSA SHA256:y", anything},
	{"SSH user, PAM", "sshd[42]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user={}", noColon},
	{"SSH user, PAM error", "sshd[42]: error: PAM: Authentication failure for illegal user {} from 192.0.2.1", noColon},
}

// imitations are the lines of every kind, and pieces of them, as a client would
// send them to be taken for somebody else.
func imitations() []string {
	var texts []string
	for _, k := range event.Kinds() {
		line := strings.ReplaceAll(k.Example(), clientAddr, victimAddr)
		_, message, _ := strings.Cut(line, ": ")
		_, tail, _ := strings.Cut(message, "from ")
		texts = append(texts, message, line, tail, "\n"+line)
		for _, end := range []string{"x]: ", "x>: ", "x>, ", "x): ", "x)<s>: ", "x' from ", "x from ", ": ", "x; ", "x, ", "x from unknown[" + victimAddr + "]: "} {
			texts = append(texts, end+message)
		}
	}
	for _, line := range fields {
		_, message, _ := strings.Cut(strings.ReplaceAll(line.line, clientAddr, victimAddr), ": ")
		texts = append(texts, strings.ReplaceAll(message, "{}", "x"))
		before, after, _ := strings.Cut(message, "{}")
		texts = append(texts, "x"+after, "x"+after+" "+before+"y") // closes the field, and opens it again
	}
	return append(texts, phrases...)
}

// phrases are the server's words that a class hangs on, without the line around
// them.
var phrases = []string{
	"x blocked using bl.example; Error: open resolver", "x] blocked using bl.example; 127.255.255.254",
	"x rejected: Temporary lookup failure", "Temporary lookup failure", "451 4.3.0 x",
	"x): started proxying to 203.0.113.6:143", "x,203.0.113.6:143): started proxying to 203.0.113.6",
	"x rejected: " + event.OwnMarker, event.OwnMarker, "x failed: reconnecting", "x): Error: y failed: z",
}

// Whatever line a client imitates, in whatever field, the address is its own or
// none, and its offence does not turn into a success, a fault or our own doing.
func TestImitation(t *testing.T) {
	client := netip.MustParseAddr(clientAddr)
	texts := imitations()
	for _, f := range fields {
		plain := parse("Jun  3 04:11:09 mx1 " + strings.ReplaceAll(f.line, "{}", f.lets("x")))
		for _, text := range texts {
			sent := f.lets(text)
			r := parse("Jun  3 04:11:09 mx1 " + strings.ReplaceAll(f.line, "{}", sent))
			if r.Addr.IsValid() && r.Addr != client {
				t.Errorf("%s: %q gives %s", f.name, sent, r.Addr)
			}
			if isWorse(plain.Kind.Class(), r.Kind.Class()) {
				t.Errorf("%s: %q makes %s (%s) of %s", f.name, sent, r.Kind, r.Outcome, plain.Kind)
			}
		}
	}
}

// isWorse tells whether a class must not come of another by what a client
// writes: an offence out of nothing, and an excuse out of an offence.
func isWorse(plain, imitated event.Class) bool {
	if plain == imitated || imitated == event.NoClass {
		return false
	}
	return imitated != event.Suspect || plain == event.NoClass || plain == event.Success
}

// FuzzFields states for every grammar at once what everything rests on: a client
// may write what it wants, where it can write at all, and the address is its own
// or none, and what it did stays what it was.
func FuzzFields(f *testing.F) {
	for i, text := range imitations() {
		if i%17 == 0 {
			f.Add(text)
		}
	}
	client := netip.MustParseAddr(clientAddr)
	plain := make([]event.Class, len(fields))
	for i, place := range fields {
		plain[i] = parse("Jun  3 04:11:09 mx1 " + strings.ReplaceAll(place.line, "{}", place.lets("x"))).Kind.Class()
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, clientAddr) {
			return
		}
		for i, place := range fields {
			line := "Jun  3 04:11:09 mx1 " + strings.ReplaceAll(place.line, "{}", place.lets(text))
			r := parse(line)
			if r.Addr.IsValid() && r.Addr != client {
				t.Errorf("%s: %q gives %s", place.name, line, r.Addr)
			}
			if isWorse(plain[i], r.Kind.Class()) {
				t.Errorf("%s: %q makes %s of what is %s", place.name, line, r.Kind, plain[i])
			}
		}
	})
}

// otherForms are the ways in which a line may reach csmail besides syslog's own, each
// of which reads its header differently. %s is the tag and the message.
var otherForms = []struct {
	name    string
	form    func(line string) string
	reading *logline.Reading
}{
	{"in an envelope", func(line string) string { return "Jun  3 04:11:09 mx1 docker[7]: Jun  3 02:11:09 mail " + line }, &logline.Reading{Envelope: true}},
	{"where envelopes are read", func(line string) string { return "Jun  3 04:11:09 mx1 " + line }, &logline.Reading{Envelope: true}},
	{"in an envelope, unasked", func(line string) string { return "Jun  3 04:11:09 mx1 docker[7]: Jun  3 02:11:09 mail " + line }, nil},
	{"behind a severity", func(line string) string { return "2026-06-03T04:11:09.5+02:00 INFO    " + line }, nil},
	{"with a unit", func(line string) string {
		tag, message, _ := strings.Cut(line, ": ")
		name, _, _ := strings.Cut(tag, "/")
		unit, known := map[string]string{"postfix": "postfix@-.service", "dovecot": "dovecot.service"}[name]
		if !known {
			unit = "ssh.service"
		}
		return "Wed 2026-06-03 06:11:09 CEST mx1 " + unit + "[42]: " + message
	}, nil},
}

// The header's other forms give a client no more room: the message behind them is
// read from its first byte, and nothing in it is taken for a header.
func TestImitationInOtherForms(t *testing.T) {
	client := netip.MustParseAddr(clientAddr)
	texts := []string{
		"Jun  3 02:11:09 mail postfix/smtpd[1]: warning: unknown[203.0.113.6]: SASL LOGIN authentication failed: x",
		"postfix/smtpd[1]: warning: unknown[203.0.113.6]: SASL LOGIN authentication failed: x", "INFO    postfix/smtpd[1]: connect from unknown[203.0.113.6]",
		"4Zk1Yq2Lz3z9v: client=unknown[203.0.113.6]", "CONNECT from [203.0.113.6]:1 to [198.51.100.1]:25", `{"MESSAGE":"x","__REALTIME_TIMESTAMP":"1"}`,
	}
	for i, text := range imitations() {
		if i%11 == 0 {
			texts = append(texts, text)
		}
	}
	for _, form := range otherForms {
		read := func(text string) event.Record {
			var r event.Record
			Parse(logline.Line{Text: text, Received: time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC), Zone: time.UTC, Reading: form.reading}, &r)
			return r
		}
		for _, f := range fields {
			plain := read(form.form(strings.ReplaceAll(f.line, "{}", f.lets("x"))))
			for _, text := range texts {
				sent := f.lets(text)
				r := read(form.form(strings.ReplaceAll(f.line, "{}", sent)))
				if r.Addr.IsValid() && r.Addr != client {
					t.Errorf("%s, %s: %q gives %s", form.name, f.name, sent, r.Addr)
				}
				if isWorse(plain.Kind.Class(), r.Kind.Class()) {
					t.Errorf("%s, %s: %q makes %s (%s) of %s", form.name, f.name, sent, r.Kind, r.Outcome, plain.Kind)
				}
			}
		}
	}
}
