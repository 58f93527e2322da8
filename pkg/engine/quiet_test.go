package engine

import (
	"strings"
	"testing"

	"csmail/pkg/event"
)

// quietLines say nothing against a client: our own trouble, our own refusals,
// other servers, and what every honest client meets. {} is the client.
var quietLines = map[event.Class][]string{
	event.Fault: {
		"postfix/smtpd[42]: warning: {}: SASL LOGIN authentication failed: Connection lost to authentication server",
		"postfix/smtpd[42]: warning: {}: SASL PLAIN authentication failed: Connection lost to authentication server, sasl_username=a@example.org",
		"postfix/smtpd[42]: warning: {}: SASL PLAIN authentication failed: Temporary authentication failure",
		"postfix/smtpd[42]: warning: {}: SASL PLAIN authentication failed: generic failure",
		"postfix/smtpd[42]: warning: hostname c.example does not resolve to address 192.0.2.1: Temporary failure in name resolution",
		"postfix/smtpd[42]: warning: 192.0.2.1: hostname c.example verification failed: Temporary failure in name resolution",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 451 4.3.0 <a@example.org>: Temporary lookup failure; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 451 4.3.0 <a@example.org>: Recipient address rejected: Temporary lookup failure; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 451 4.3.5 <a@example.org>: Recipient address rejected: Server configuration error; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 451 4.3.5 Server configuration problem; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: MAIL from {}: 452 4.3.1 Insufficient system storage; from=<b> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: 4Zk1Yq2Lz3z9v: reject: RCPT from {}: 421 4.3.0 mx1.example Server local data error; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example; Error: open resolver; https://bl.example; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example; 127.255.255.254; from=<b> to=<c> proto=ESMTP helo=<d>",
		"dovecot: imap-login: Disconnected (auth service reported temporary failure): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Disconnected (internal failure, 1 successful auths): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Error: Internal login failure (pid=7 id=1) (internal failure, 1 successful auths): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Login aborted: x (auth service reported temporary failure, 1 attempts in 2 secs) (temp_fail): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Login aborted: x (auth process communication failure) (auth_process_comm_fail): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: auth: Error: sql(a,192.0.2.1,<s>): Password query failed: not connected",
		"dovecot: auth: Error: ldap(a,192.0.2.1,<s>): ldap_bind() failed: Can't contact LDAP server",
		"dovecot: auth: ldap(a,192.0.2.1,<s>): ldap_bind() failed: Can't contact LDAP server",
		"dovecot: auth(a,192.0.2.1,sasl:plain)<s>: Error: sql: Password query failed: not connected",
		"dovecot: auth-worker(7): pam(a,192.0.2.1,<s>): pam_authenticate() failed: Module is unknown",
		"dovecot: auth-worker(7): pam(a,192.0.2.1,<s>): pam_authenticate() failed: Authentication service cannot retrieve authentication info",
		"dovecot: auth: policy(a,192.0.2.1,<s>): Policy server HTTP error: connection refused",
		"dovecot: imap-login: Disconnected: Timeout while finishing login (waited 30 secs) (internal failure, 1 attempts in 30 secs): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Authenticate PLAIN failed: Temporary authentication failure. [mx1:2026-06-03 04:11:09]: user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Error: fd_send(imap) failed: Broken pipe: user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: auth: sql(a,192.0.2.1,<s>): Password data is not valid for scheme SSHA: x",
		"postfix/smtpd[42]: warning: not enough free space in mail queue: 1024 bytes < 1.5*message size limit",
		"postfix/smtpd[42]: warning: 1.2.0.192.bl.example: RBL lookup error: Host or domain name not found, try again",
	},
	event.Own: {
		"postfix/smtpd[42]: NOQUEUE: reject: CONNECT from {}: 521 5.7.1 <{}>: Client host rejected: CrowdSec decision; proto=SMTP",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 421 4.7.1 <{}>: Client host rejected: CrowdSec decision; from=<b> to=<c> proto=ESMTP helo=<d>",
		"dovecot: auth: policy(a,192.0.2.1,<s>): Authentication failure due to policy server refusal: CrowdSec decision: ban",
	},
	event.Success: {
		"postfix/smtpd[42]: disconnect from {} ehlo=1 auth=1/2 mail=1 rcpt=1 data=1 quit=1 commands=6/7",
		"postfix/smtpd[42]: disconnect from {} ehlo=1 auth=1 quit=1 commands=3",
		"postfix/submission/smtpd[42]: 4Zk1Yq2Lz3z9v: client={}, sasl_method=PLAIN, sasl_username=a@example.org",
		"dovecot: imap-login: Login: user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, mpid=7, TLS, session=<s>",
		"dovecot: imap-login: Logged in: user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, mpid=7, TLS, session=<s>",
		"sshd[42]: Accepted publickey for a from 192.0.2.1 port 4711 ssh2: ED25519 SHA256:abc",
	},
	event.NoClass: {
		"postfix/smtpd[42]: connect from {}",
		"postfix/smtpd[42]: disconnect from {}",
		"postfix/smtpd[42]: disconnect from {} ehlo=1 quit=1 commands=2",
		"postfix/smtpd[42]: disconnect from {} commands=0/0",
		"postfix/smtpd[42]: 4Zk1Yq2Lz3z9v: client={}",
		"postfix/smtpd[42]: 4Zk1Yq2Lz3z9v: client={}, orig_queue_id=00ADB3C0899, orig_client=unknown[203.0.113.6]",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 450 4.2.0 <a@example.org>: Recipient address rejected: Greylisted, see http://greylist.example/help; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 450 4.7.1 <a@example.org>: Recipient address rejected: greylisted for 60 seconds; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 450 4.3.2 <a@example.org>: Recipient address rejected: Try again later; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 450 4.1.1 <a@example.org>: Recipient address rejected: unverified address: host mx.example[203.0.113.6] said: 550 5.1.1 rejected; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: RCPT from {}: 450 4.7.1 Session encryption is required; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject: MAIL from {}: 552 5.3.4 Message size exceeds fixed limit; proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: reject_warning: RCPT from {}: 554 5.7.1 <a@example.net>: Relay access denied; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: warn: RCPT from {}: x; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: discard: RCPT from {}: x; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: hold: RCPT from {}: x; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: filter: RCPT from {}: x; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: permit: RCPT from {}: x; from=<b> to=<c> proto=ESMTP helo=<d>",
		"postfix/smtpd[42]: NOQUEUE: abort: TLS from {}: No client certificate presented",
		"postfix/smtpd[42]: NOQUEUE: milter-reject: DATA from {}: 451 4.7.1 Try again later; from=<b>",
		"postfix/smtpd[42]: NOQUEUE: milter-hold: END-OF-MESSAGE from {}: x; from=<b>",
		"postfix/smtpd[42]: NOQUEUE: proxy-reject: END-OF-MESSAGE: 451 4.7.1 x; from=<b> to=<c> proto=ESMTP helo=<[203.0.113.6]>",
		"postfix/smtpd[42]: lost connection after DATA (1234 bytes) from {}",
		"postfix/smtpd[42]: NOQUEUE: timeout after END-OF-MESSAGE from {}",
		"postfix/smtpd[42]: warning: Wrapper-mode request dropped from {} for service smtps. TLS context initialization failed. For details see earlier warnings in your logs.",
		"postfix/smtpd[42]: warning: SASL authentication failure: Password verification failed",
		"postfix/smtpd[42]: warning: TLS library problem: error:0A000126:SSL routines::unexpected eof while reading",
		"postfix/smtpd[42]: warning: bad ETRN x... from {}",
		"postfix/smtpd[42]: NOQUEUE: reject: ETRN x... from {}",
		"postfix/smtpd[42]: Anonymous TLS connection established from {}: TLSv1.3 with cipher x",
		"postfix/smtpd[42]: setting up TLS connection from {}",
		"postfix/postscreen[42]: CONNECT from [192.0.2.1]:4711 to [198.51.100.1]:25",
		"postfix/postscreen[42]: PASS NEW [192.0.2.1]:4711",
		"postfix/postscreen[42]: ALLOWLISTED [192.0.2.1]:4711",
		"postfix/postscreen[42]: WHITELIST VETO [192.0.2.1]:4711",
		"postfix/postscreen[42]: NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 450 4.3.2 Service currently unavailable; from=<b>, to=<c>, proto=ESMTP, helo=<d>",
		"postfix/postscreen[42]: NOQUEUE: reject: CONNECT from [192.0.2.1]:4711: all server ports busy",
		"postfix/postscreen[42]: NOQUEUE: reject: CONNECT from [192.0.2.1]:4711: too many connections",
		"postfix/postscreen[42]: reject: connect from [192.0.2.1]:4711: all screening ports busy",
		"postfix/postscreen[42]: warning: dnsblog reply timeout 10s for bl.example",
		"postfix/dnsblog[42]: addr 192.0.2.1 listed by domain list.dnswl.example as 127.0.10.3",
		"postfix/dnsblog[42]: addr 192.0.2.1 listed by domain bl.example as 127.0.0.2",
		"postfix/tlsproxy[42]: CONNECT from [192.0.2.1]:4711",
		"postfix/tlsproxy[42]: DISCONNECT [192.0.2.1]:4711",
		"postfix/tlsproxy[42]: warning: ciphertext read/write timeout for [192.0.2.1]:4711",
		"postfix/anvil[42]: statistics: max connection rate 60/60s for (smtp:192.0.2.1) at Jun  3 04:11:09",
		"postfix/anvil[42]: statistics: max auth rate 9/60s for (127.0.0.1:2525:2001:db8::1) at Jun  3 04:11:09",
		"postfix/smtp[42]: 4Zk1Yq2Lz3z9v: to=<a@example.com>, relay=mx.example.com[192.0.2.1]:25, dsn=5.7.1, status=bounced (host mx.example.com[192.0.2.1] said: 550 5.7.1 rejected (in reply to RCPT TO command))",
		"postfix/smtp[42]: warning: SASL authentication failure: SASL authentication failed; server mx.example.com[192.0.2.1] said: 535 5.7.8 no",
		"postfix/smtp[42]: connect to mx.example.com[192.0.2.1]:25: Connection timed out",
		"postfix/lmtp[42]: 4Zk1Yq2Lz3z9v: to=<a@example.com>, relay=x[192.0.2.1], status=deferred (host x[192.0.2.1] said: 451 4.7.1 rejected)",
		"postgrey[42]: action=greylist, reason=new, client_name=unknown, client_address=192.0.2.1/32, sender=a@example.com, recipient=b@example.org",
		"postgrey[42]: action=pass, reason=triplet found, client_name=c.example, client_address=192.0.2.1/32, recipient=b@example.org",
		"policyd-spf[42]: 550 5.7.23 Message rejected due to: SPF fail - not authorized. Please see http://spf.example/Why?s=mfrom;id=a;ip=192.0.2.1;r=b",
		"postfix/policy-spf[42]: Policy action=PREPEND Received-SPF: pass (a: 192.0.2.1 is authorized) client-ip=192.0.2.1",
		"dovecot: imap-login: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Disconnected (disconnected before auth was ready, waited 0 secs): user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Disconnected (disconnected while authenticating, waited 30 secs): user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: proxy(a): Login failed to 192.0.2.1:143: [UNAVAILABLE] x: user=<a>, method=PLAIN, rip=203.0.113.6, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Error: proxy(a,192.0.2.1:143): Login failed: x: user=<a>, rip=203.0.113.6, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Login aborted: x (shutting down) (shutting_down): user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: imap-login: Login aborted: x (connection limit) (connection_limit): user=<>, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"dovecot: auth: sql(a,192.0.2.1,<s>): unknown user - trying the next passdb",
		"dovecot: auth: Error: auth client 0 disconnected with 1 pending requests: EOF",
		"dovecot: auth: Error: net_connect_unix(anvil-auth-penalty) failed: Permission denied",
		"dovecot: auth: Debug: sql(a,192.0.2.1,<s>): Password mismatch",
		"dovecot: auth: Debug: client in: AUTH 1 PLAIN service=imap rip=192.0.2.1",
		"dovecot: imap-login: Debug: SSL: where=0x10: user=<>, rip=192.0.2.1",
		"dovecot: imap(a)<7><s>: Disconnected: Logged out in=1 out=2",
		"dovecot: lmtp(7): Connect from 192.0.2.1",
		"auth[7]: pam_unix(dovecot:auth): check pass; user unknown",
		"auth[7]: pam_unix(dovecot:session): session opened for user a by (uid=0)",
		"sshd[42]: Failed none for a from 192.0.2.1 port 4711 ssh2",
		"dovecot: imap-login: Error: access(tcpwrap): Client refused (rip=192.0.2.1): user=<a>, method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<s>",
		"postfix/smtpd[42]: {}: Untrusted: subject_CN=x[203.0.113.6], issuer=y, fingerprint=00:11",
		"postfix/smtpd[42]: TLS SNI x[203.0.113.6] from {} not matched, using default chain",
		"postfix/smtpd[42]: warning: numeric domain name in resource data of MX record for b.example: 203.0.113.6",
		"sshd[42]: error: public key ED25519-SK SHA256:abc signature for a from 192.0.2.1 port 4711 rejected: user presence (authenticator touch) requirement not met",
		"sshd[42]: terminating inactive connection from user a 192.0.2.1 port 4711",
		"sshd[42]: Failed publickey for a from 192.0.2.1 port 4711 ssh2: RSA SHA256:abc",
		"sshd[42]: Connection closed by 192.0.2.1 port 4711",
		"sshd[42]: Received disconnect from 192.0.2.1 port 4711:11: disconnected by user",
		"sshd[42]: drop connection #10 from [192.0.2.1]:4711 on [198.51.100.1]:22 past MaxStartups",
		"sshd[42]: reverse mapping checking getaddrinfo for c.example [192.0.2.1] failed.",
		"sshd[42]: Connection from 192.0.2.1 port 4711 on 198.51.100.1 port 22 rdomain \"\"",
	},
}

// Nobody answers for our own trouble, nor for what every honest client meets.
func TestQuietLinesAccuseNobody(t *testing.T) {
	for class, lines := range quietLines {
		for _, line := range lines {
			for _, client := range []string{"unknown[192.0.2.1]", "c.example[192.0.2.1]", "c.example[192.0.2.1]:4711", "unknown[2001:db8::1]", "unknown[unknown]"} {
				r := parse("Jun  3 04:11:09 mx1 " + strings.ReplaceAll(line, "{}", client))
				if r.Kind.Class() != class || r.Outcome == event.Missed || r.Outcome == event.Ambiguous || r.Outcome == event.Foreign {
					t.Errorf("%s: %s, %s", strings.ReplaceAll(line, "{}", client), r.Outcome, r.Kind)
				}
				if class == event.NoClass && r.Outcome != event.Witness && r.Addr.IsValid() {
					t.Errorf("%s: address %s", line, r.Addr)
				}
			}
		}
	}
}

// The program is the whole tag, whatever the instance is called.
func TestTags(t *testing.T) {
	const (
		sasl = ": warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x"
		gate = ": PREGREET 11 after 0.05 from [192.0.2.1]:4711: x"
		auth = ": sql(a,192.0.2.1,<s>): unknown user"
		pam  = ": pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=a rhost=192.0.2.1"
		ssh  = ": Invalid user a from 192.0.2.1 port 4711"
	)
	known := []string{
		"postfix/smtpd[1]" + sasl, "postfix/submission/smtpd[1]" + sasl, "postfix/smtps/smtpd[1]" + sasl, "postfix-mx/smtpd[1]" + sasl,
		"postfix-mx/submissions/smtpd[1]" + sasl, "mx1/smtpd[1]" + sasl, "postfix/submissions-proxyprotocol/smtpd[1]" + sasl, "postfix/127.0.0.1:10025/smtpd[1]" + sasl,
		"postfix/postscreen[1]" + gate, "postfix-mx/postscreen[1]" + gate, "postfix/smtp/postscreen[1]" + gate, "haproxy/postscreen[1]" + gate,
		"auth-worker[7]" + auth, "auth[7]" + auth, "dovecot-auth[7]" + auth, "dovecot: auth" + auth, "dovecot: auth-worker" + auth, "dovecot-proxy: auth" + auth, "dovecot_2[9]: auth" + auth, "dovecot2: auth" + auth,
		"dovecot: auth-worker(7)" + auth, "dovecot[9]: auth" + auth, "dovecot: auth(default)" + auth,
		"dovecot: auth-worker(7): conn unix:auth-worker (uid=143): auth-worker<1>" + auth,
		"dovecot: auth-worker(7): Info: conn unix:auth-worker (pid=8,uid=143): auth-worker<1>" + auth,
		"auth[7]" + pam, "auth-worker[7]" + pam, "dovecot-auth[7]" + pam, "dovecot" + pam, "dovecot: auth-worker(7)" + pam, "dovecot: auth" + pam,
		"sshd[1]" + ssh, "sshd-session[1]" + ssh, "sshd-auth[1]" + ssh,
	}
	for _, line := range known {
		for _, head := range []string{"Jun  3 04:11:09 mx1 ", "2026-06-03T04:11:09.123456+02:00 mx1 "} {
			if r := parse(head + line); r.Outcome != event.Noted || r.Kind != event.AuthFailed && r.Kind != event.Pregreet || r.Addr.String() != "192.0.2.1" {
				t.Errorf("%s: %s, %s, %s", head+line, r.Outcome, r.Kind, r.Addr)
			}
		}
	}
	for _, line := range []string{
		"logger: postfix/smtpd[1]" + sasl, "amavis[1]: (1) postfix/smtpd[1]" + sasl, "postfix[1]" + sasl, "smtpd[1]" + sasl, "sshdx[1]" + ssh, "su: pam_unix(su:auth)" + pam[len(": pam_unix(dovecot:auth)"):],
	} {
		if r := parse("Jun  3 04:11:09 mx1 " + line); r.Outcome != event.Foreign || r.Kind != event.NoKind {
			t.Errorf("%s: %s, %s", line, r.Outcome, r.Kind)
		}
	}
}

// Dovecot's own log file has neither host nor tag.
func TestDovecotLogFile(t *testing.T) {
	for line, want := range map[string]event.Kind{
		"Aug 30 00:10:57 auth(u,192.0.2.1,sasl:login)<s>: Info: sql: Password mismatch":                                                                                    event.AuthFailed,
		"Aug 30 00:10:57 auth: Info: ldap(u,192.0.2.1,<s>): Password mismatch (for LDAP bind)":                                                                             event.AuthFailed,
		"Aug 30 00:10:57 auth-worker(22401): Info: conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql(u,192.0.2.1,<s>): unknown user":                                event.AuthFailed,
		"Aug 30 00:10:57 auth-worker(u,192.0.2.1,sasl:plain)<9><s>: Info: request [1]: sql: unknown user":                                                                  event.AuthFailed,
		"Aug 30 00:10:57 imap-login: Info: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<u>, method=PLAIN, rip=192.0.2.1, lip=x, session=<s>": event.AuthFailed,
		"2026-08-30 00:10:57 pop3-login: Info: Login aborted: x (no auth attempts in 0 secs) (no_auth_attempts): user=<>, rip=192.0.2.1, lip=x, session=<s>":               event.NoAuth,
	} {
		if r := parse(line); r.Kind != want || r.Addr.String() != "192.0.2.1" {
			t.Errorf("%s: %s, %s, %s", line, r.Outcome, r.Kind, r.Addr)
		}
	}
}
