package event

// examples are one line for each kind, without stamp and host. The test of the
// engine reads them, and docs/events.md shows them.
var examples = [kindCount]string{
	AuthFailed:       `postfix/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6`,
	RelayDenied:      `postfix/smtpd[42]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<c.example>`,
	HeloRejected:     `postfix/smtpd[42]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 504 5.5.2 <c>: Helo command rejected: need fully-qualified hostname; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c>`,
	AccessDenied:     `postfix/submission/smtpd[42]: NOQUEUE: reject: CONNECT from unknown[192.0.2.1]: 554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied; proto=SMTP`,
	Pipelining:       `postfix/smtpd[42]: improper command pipelining after EHLO from unknown[192.0.2.1]: QUIT\r\n`,
	NonSMTP:          `postfix/smtpd[42]: warning: non-SMTP command from unknown[192.0.2.1]: GET / HTTP/1.1`,
	Pregreet:         `postfix/postscreen[42]: PREGREET 11 after 0.05 from [192.0.2.1]:4711: EHLO User\r\n`,
	CommandLimit:     `postfix/postscreen[42]: COMMAND COUNT LIMIT from [192.0.2.1]:4711 after RSET`,
	Denylisted:       `postfix/postscreen[42]: DENYLISTED [192.0.2.1]:4711`,
	TooManyErrors:    `postfix/smtpd[42]: too many errors after AUTH from unknown[192.0.2.1]`,
	AuthRateLimited:  `postfix/smtpd[42]: warning: AUTH command rate limit exceeded: 31 from unknown[192.0.2.1] for service smtpd`,
	AuthAborted:      `postfix/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication aborted`,
	NoHostname:       `postfix/smtpd[42]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	HostnameMismatch: `postfix/smtpd[42]: warning: hostname c.example does not resolve to address 192.0.2.1: Name or service not known`,
	DNSBLListed:      `postfix/postscreen[42]: DNSBL rank 5 for [192.0.2.1]:4711`,
	RelayRefused:     `postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 454 4.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<c.example>`,
	ErrorLimit:       `postfix/smtpd[42]: too many errors after RCPT from unknown[192.0.2.1]`,
	HeloDeferred:     `postfix/smtpd[42]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 450 4.7.1 <c.example>: Helo command rejected: Host not found; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	SenderRejected:   `postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 450 4.1.8 <b@nowhere.example>: Sender address rejected: Domain not found; from=<b@nowhere.example> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	RecipientUnknown: `postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 550 5.1.1 <x@example.org>: Recipient address rejected: User unknown in virtual mailbox table; from=<b@example.com> to=<x@example.org> proto=ESMTP helo=<c.example>`,
	PolicyRejected:   `postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 550 5.7.23 <a@example.org>: Recipient address rejected: Message rejected due to: SPF fail; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	ProtocolError:    `postfix/smtpd[42]: warning: Illegal address syntax from unknown[192.0.2.1] in MAIL command: <<a@example.com>`,
	BareNewline:      `postfix/postscreen[42]: BARE NEWLINE from [192.0.2.1]:4711 after EHLO`,
	ContentRejected:  `postfix/cleanup[42]: 4Zk1Yq2Lz3z9v: milter-reject: END-OF-MESSAGE from c.example[192.0.2.1]: 5.7.1 Spam message rejected; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	LostConnection:   `postfix/smtpd[42]: lost connection after AUTH from unknown[192.0.2.1]`,
	Hangup:           `postfix/postscreen[42]: HANGUP after 0.4 from [192.0.2.1]:4711 in tests before SMTP handshake`,
	RateLimited:      `postfix/smtpd[42]: warning: Connection rate limit exceeded: 31 from unknown[192.0.2.1] for service smtp`,
	TLSError:         `postfix/smtpd[42]: SSL_accept error from unknown[192.0.2.1]: lost connection`,
	NoAuth:           `dovecot: imap-login: Disconnected (no auth attempts in 0 secs): user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>`,
	LoginRefused:     `dovecot: imap-login: Disconnected (tried to use disallowed plaintext auth): user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>`,
	AuthFault:        `postfix/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: Connection lost to authentication server`,
	ServerFault:      `postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 452 4.3.1 Insufficient system storage; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	LookupFault:      `postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 451 4.3.0 <a@example.org>: Temporary lookup failure; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	DNSFault:         `postfix/smtpd[42]: warning: hostname c.example does not resolve to address 192.0.2.1: Temporary failure in name resolution`,
	DNSBLFault:       `postfix/smtpd[42]: NOQUEUE: reject: RCPT from c.example[192.0.2.1]: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example; Error: open resolver; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<c.example>`,
	LoginOK:          `dovecot: imap-login: Login: user=<a@example.org>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, mpid=42, TLS, session=<s>`,
	AuthMailOK:       `postfix/submission/smtpd[42]: 4Zk1Yq2Lz3z9v: client=c.example[192.0.2.1], sasl_method=PLAIN, sasl_username=a@example.org`,
	OwnRefusal:       `postfix/smtpd[42]: NOQUEUE: reject: CONNECT from unknown[192.0.2.1]: 521 5.7.1 <unknown[192.0.2.1]>: Client host rejected: CrowdSec decision; proto=SMTP`,
}

// Example returns a log line, without stamp and host, that yields the kind.
func (k Kind) Example() string { return examples[k] }
