package engine

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// conversation is all that the daemons log of one client's connection, and what it
// counts. A line is "SECONDS PROGRAM MESSAGE"; what is the client's own stands in
// braces: {ip}, {user}, {session}, {port}, {queue}.
type conversation struct{ want, lines string }

// conversations are of every sort that tells of one attempt more than once.
var conversations = []conversation{
	// Postfix alone: a process serves one client, and its end counts again.
	{"auth-failed 2, lost-connection 1", `0 smtpd connect from unknown[{ip}]
	1 smtpd warning: unknown[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
	3.1 smtpd warning: unknown[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
	3.2 smtpd lost connection after AUTH from unknown[{ip}]
	3.2 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/2 commands=1/3`},
	{"auth-aborted 1, auth-failed 4", `0 smtpd connect from unknown[{ip}]
	1 smtpd warning: unknown[{ip}]: SASL PLAIN authentication failed: (reason unavailable), sasl_username={user}
	2 smtpd warning: unknown[{ip}]: SASL LOGIN authentication aborted
	4 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/5 commands=1/6`},
	{"auth-fault 1", `0 smtpd connect from unknown[{ip}]
	2 smtpd warning: unknown[{ip}]: SASL PLAIN authentication failed: Connection lost to authentication server
	4 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/1 commands=1/2`},
	// Postfix asks Dovecot.
	{"auth-failed 2", `0 smtpd connect from unknown[{ip}]
	0.9 dovecot auth: sql({user}@example.org,{ip}): unknown user
	0.95 dovecot auth: ldap({user}@example.org,{ip}): unknown user
	2.9 smtpd warning: unknown[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
	5 dovecot auth: sql({user}@example.org,{ip}): Password mismatch
	7 smtpd warning: unknown[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
	7 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/2 commands=1/3`},
	{"auth-failed 1", `0 smtpd connect from unknown[{ip}]
	1 smtpd warning: unknown[{ip}]: SASL PLAIN authentication failed: (reason unavailable), sasl_username={user}
	1.02 dovecot auth({user}@example.org,{ip},sasl:plain): passwd-file: unknown user
	1.5 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/1 commands=1/2`},
	{"auth-fault 1", `0 smtpd connect from unknown[{ip}]
	1 dovecot auth: Error: sql({user}@example.org,{ip}): Password query failed: Lost connection to server
	3 smtpd warning: unknown[{ip}]: SASL PLAIN authentication failed: UGFzc3dvcmQ6, sasl_username={user}
	4 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/1 commands=1/2`},
	// Dovecot's own logins: 2.2 and 2.3 with auth_verbose and without, 2.4.
	{"auth-failed 3", `0 dovecot auth-worker(7): sql({user},{ip},<{session}>): Password mismatch
	3 dovecot auth-worker(7): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: sql({user},{ip},<{session}>): Password mismatch
	5 dovecot imap-login: Disconnected: Connection closed (auth failed, 3 attempts in 5 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>`},
	{"auth-failed 2", `2 dovecot pop3-login: Aborted login (auth failed, 2 attempts in 4 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, TLS, session=<{session}>`},
	{"auth-failed 1", `0 dovecot imap-login: Login aborted: Logged out (auth failed, 1 attempts in 0 secs) (auth_failed): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>
	0.1 dovecot auth({user},{ip},sasl:plain)<{session}>: passwd-file: Password mismatch`},
	{"login-refused 1", `0 dovecot imap-login: Login failed: Cleartext authentication disabled: user=<>, rip={ip}, lip=198.51.100.1, session=<{session}>
	1 dovecot imap-login: Login aborted: Logged out (auth failed, 1 attempts in 0 secs) (auth_failed): user=<{user}>, rip={ip}, lip=198.51.100.1, session=<{session}>`},
	{"auth-fault 1", `0 dovecot auth: Error: ldap({user},{ip},<{session}>): ldap_search() failed: Server down
	2 dovecot imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>`},
	{"auth-failed 1", `0 auth pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={ip}
	2 dovecot auth-worker(7): pam({user},{ip},<{session}>): pam_authenticate() failed: Authentication failure (Password mismatch?)
	4 dovecot imap-login: Disconnected (auth failed, 1 attempts in 4 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>`},
	// Two PAM modules of one stack report one login (SSSD).
	{"auth-failed 2", `0 auth pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={ip}  user={user}
	1 auth pam_sss(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={ip} user={user}
	4 auth pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={ip}  user={user}
	5 auth pam_sss(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={ip} user={user}
	7 dovecot imap-login: Disconnected (auth failed, 2 attempts in 7 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, TLS, session=<{session}>`},
	{"auth-failed 1", `0 smtpd connect from unknown[{ip}]
	0 auth pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={ip}  user={user}
	3 auth pam_krb5(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={ip} user={user}
	5 smtpd warning: unknown[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username={user}
	5 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/1 commands=1/2`},
	// A proxy asks the server behind it (2.2, 2.3); the end gives no number.
	{"auth-failed 3", `0 dovecot imap-login: proxy({user}): Login failed to 198.51.100.9:143: [AUTHENTICATIONFAILED] Authentication failed.: user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>
	3 dovecot imap-login: proxy({user}): Login failed to 198.51.100.9:143: [AUTHENTICATIONFAILED] Authentication failed.: user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>
	6 dovecot imap-login: proxy({user}): Login failed to 198.51.100.9:143 as {user}@example.org: [AUTHENTICATIONFAILED] Authentication failed.: user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>
	7 dovecot imap-login: Aborted login (proxy dest auth failed): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>`},
	{"auth-failed 1", `0 dovecot pop3-login: proxy({user}): Login failed to 198.51.100.9:110: [AUTH] Authentication failed.: user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>
	2 dovecot pop3-login: Disconnected: Connection closed (proxy dest auth failed): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>`},
	{"auth-failed 1", `7 dovecot imap-login: Aborted login (proxy dest auth failed): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>`},
	// A format of the admin's own without the session, Dovecot before it had one.
	{"auth-failed 2", `0 dovecot auth: sql({user},{ip},<{session}>): Password mismatch
	3 dovecot auth: sql({user},{ip},<{session}>): Password mismatch
	5 dovecot imap-login: Disconnected: Connection closed (auth failed, 2 attempts in 5 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, TLS`},
	{"auth-failed 1", `0 dovecot auth: sql({user},{ip}): Password mismatch
	90 dovecot imap-login: Disconnected (auth failed, 1 attempts in 90 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1`},
	{"auth-failed 2", `0 dovecot pop3-login: Aborted login (auth failed, 2 attempts in 4 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, TLS`},
	// One session's refusals are one.
	{"recipient-unknown 1, relay-denied 1", `0 smtpd connect from unknown[{ip}]
	1 smtpd NOQUEUE: reject: RCPT from unknown[{ip}]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<c.example>
	2 smtpd NOQUEUE: reject: RCPT from unknown[{ip}]: 554 5.7.1 <b@example.net>: Relay access denied; from=<b@example.com> to=<b@example.net> proto=ESMTP helo=<c.example>
	3 smtpd NOQUEUE: reject: RCPT from unknown[{ip}]: 550 5.1.1 <c@example.org>: Recipient address rejected: User unknown; from=<b@example.com> to=<c@example.org> proto=ESMTP helo=<c.example>
	4 smtpd disconnect from unknown[{ip}] ehlo=1 mail=1 rcpt=0/3 quit=1 commands=3/6`},
	{"pipelining 1", `0 smtpd connect from unknown[{ip}]
	1 smtpd improper command pipelining after EHLO from unknown[{ip}]: MAIL FROM:<a@example.com>\r\n
	1 smtpd improper command pipelining after RSET from unknown[{ip}]: MAIL FROM:<a@example.com>\r\n
	2 smtpd disconnect from unknown[{ip}] ehlo=1 quit=1 commands=2`},
	{"pregreet 1", `0 postscreen PREGREET 11 after 0.05 from [{ip}]:{port}: EHLO User\r\n
	1 postscreen COMMAND PIPELINING from [{ip}]:{port} after EHLO: x
	2 postscreen NOQUEUE: reject: RCPT from [{ip}]:{port}: 550 5.7.1 Service unavailable; client [{ip}] blocked using bl.example; from=<a@example.com>, to=<b@example.org>, proto=ESMTP, helo=<x>
	3 postscreen NOQUEUE: reject: RCPT from [{ip}]:{port}: 550 5.7.1 Service unavailable; client [{ip}] blocked using bl.example; from=<a@example.com>, to=<c@example.org>, proto=ESMTP, helo=<x>`},
	{"dnsbl-listed 1", `0 postscreen DNSBL rank 5 for [{ip}]:{port}
	1 postscreen HANGUP after 0.9 from [{ip}]:{port} in tests after SMTP handshake`},
	{"non-smtp 1", `0 postscreen DNSBL rank 5 for [{ip}]:{port}
	1 postscreen NON-SMTP COMMAND from [{ip}]:{port} after CONNECT: GET / HTTP/1.1
	1 postscreen HANGUP after 0.9 from [{ip}]:{port} in tests after SMTP handshake`},
	{"pregreet 2", `0 postscreen PREGREET 11 after 0.05 from [{ip}]:{port}: EHLO User\r\n
	0 postscreen PREGREET 11 after 0.05 from [{ip}]:4711: EHLO User\r\n
	0 postscreen HANGUP after 0.1 from [{ip}]:{port} in tests after SMTP handshake`},
	// Nothing in a session that logs in is an offence.
	{"login-ok 1", `0 smtpd connect from c.example[{ip}]
	1 smtpd NOQUEUE: reject: RCPT from c.example[{ip}]: 504 5.5.2 <PC>: Helo command rejected: need fully-qualified hostname; from=<a@example.org> to=<b@example.com> proto=ESMTP helo=<PC>
	1 smtpd disconnect from c.example[{ip}] ehlo=1 auth=1 mail=1 rcpt=0/1 quit=1 commands=4/5`},
	{"auth-mail-ok 1, login-ok 1", `0 smtpd connect from c.example[{ip}]
	0 smtpd improper command pipelining after EHLO from c.example[{ip}]: AUTH PLAIN
	1 smtpd {queue}: client=c.example[{ip}], sasl_method=PLAIN, sasl_username={user}
	2 smtpd NOQUEUE: reject: RCPT from c.example[{ip}]: 550 5.1.1 <c@example.org>: Recipient address rejected: User unknown; from=<b@example.com> to=<c@example.org> proto=ESMTP helo=<PC>
	3 smtpd disconnect from c.example[{ip}] ehlo=1 auth=1 mail=1 rcpt=1/2 data=1 quit=1 commands=5/6`},
	{"auth-failed 1, auth-mail-ok 1, login-ok 1", `0 smtpd connect from c.example[{ip}]
	0 smtpd warning: c.example[{ip}]: SASL PLAIN authentication failed: (reason unavailable), sasl_username={user}
	1 smtpd NOQUEUE: reject: RCPT from c.example[{ip}]: 554 5.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<PC>
	2 smtpd {queue}: client=c.example[{ip}], sasl_method=PLAIN, sasl_username={user}
	3 smtpd disconnect from c.example[{ip}] ehlo=1 auth=1/2 mail=1 rcpt=1/2 data=1 quit=1 commands=5/7`},
	{"helo-rejected 1", `0 smtpd connect from c.example[{ip}]
	1 smtpd NOQUEUE: reject: RCPT from c.example[{ip}]: 504 5.5.2 <PC>: Helo command rejected: need fully-qualified hostname; from=<a@example.org> to=<b@example.com> proto=ESMTP helo=<PC>
	1 smtpd disconnect from c.example[{ip}] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4`},
	// The client of a message, by its queue ID.
	{"content-rejected 1", `0 smtpd connect from unknown[{ip}]
	1 smtpd {queue}: client=unknown[{ip}]
	2 cleanup {queue}: reject: header Subject: buy from unknown[{ip}]; from=<a@example.com> to=<b@example.org> proto=ESMTP helo=<x>: 5.7.1 no
	3 smtpd disconnect from unknown[{ip}] ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5`},
	// SSH.
	{"auth-failed 2", `0 sshd Invalid user {user} from {ip} port {port}
	0.1 sshd pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}
	2 sshd Failed password for invalid user {user} from {ip} port {port} ssh2
	5 sshd Failed password for invalid user {user} from {ip} port {port} ssh2
	6 sshd Connection closed by invalid user {user} {ip} port {port} [preauth]
	6 sshd PAM 1 more authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}`},
	{"auth-failed 3", `0 sshd pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}  user={user}
	0.5 sshd pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip} user={user}
	2 sshd Failed password for {user} from {ip} port {port} ssh2
	4 sshd pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip} user={user}
	6 sshd Failed password for {user} from {ip} port {port} ssh2
	8 sshd pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip} user={user}
	9 sshd Failed password for {user} from {ip} port {port} ssh2
	9 sshd Connection closed by authenticating user {user} {ip} port {port} [preauth]
	9 sshd PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}  user={user}`},
	// Who got in.
	{"login-ok 1", `0 dovecot imap-login: Login: user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, mpid=42, TLS, session=<{session}>`},
	{"auth-mail-ok 1, login-ok 1", `0 smtpd connect from c.example[{ip}]
	1 smtpd {queue}: client=c.example[{ip}], sasl_method=PLAIN, sasl_username={user}
	2 smtpd disconnect from c.example[{ip}] ehlo=1 auth=1/2 mail=1 rcpt=1 data=1 quit=1 commands=5/6`},
}

// spoken is a line of a conversation with its place in time.
type spoken struct {
	at   time.Duration
	text string // with the host, without the time
}

// speak fills a conversation in for the n-th client.
func (c conversation) speak(n int, addr, host string, pid int, start time.Duration) []spoken {
	words := strings.NewReplacer("{ip}", addr, "{user}", fmt.Sprintf("user%d", n), "{session}", fmt.Sprintf("S%d%s", n, host),
		"{port}", fmt.Sprint(20000+n), "{queue}", fmt.Sprintf("4Zk1Yq2Lz%dz", n))
	programs := map[string]string{
		"smtpd": fmt.Sprintf("postfix/smtpd[%d]", pid), "sshd": fmt.Sprintf("sshd[%d]", pid), "cleanup": "postfix/cleanup[9]",
		"postscreen": "postfix/postscreen[8]", "dovecot": "dovecot", "auth": "auth",
	}
	var lines []spoken
	for text := range strings.Lines(c.lines) {
		text = strings.TrimSpace(text)
		seconds, rest, _ := strings.Cut(text, " ")
		program, message, _ := strings.Cut(rest, " ")
		after, err := time.ParseDuration(seconds + "s")
		if err != nil || programs[program] == "" {
			panic(text)
		}
		lines = append(lines, spoken{start + after, host + " " + programs[program] + ": " + words.Replace(message)})
	}
	return lines
}

// counted is what an engine counts of lines: how often whom for what.
type counted map[string]int

// add counts a result, and what it lets count or takes back of earlier ones.
func (c counted) add(result Result) {
	what := func(r *event.Record) string { return fmt.Sprint(r.Host, " ", r.Addr, " ", r.Kind) }
	for i := range result.Released() {
		r := &result.Released()[i].Record
		again := Result{Record: r}
		c[what(r)] += again.Pours()
	}
	for i := range result.Superseded() {
		r := &result.Superseded()[i]
		if c[what(r)] -= r.Attempts; c[what(r)] == 0 {
			delete(c, what(r))
		}
	}
	if n := result.Pours(); n > 0 {
		c[what(result.Record)] += n
	}
}

// count steps the lines at their times, written in a layout.
func count(lines []spoken, layout string) counted {
	start := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	e := New(Options{})
	var p Parser
	total := counted{}
	for i, l := range lines {
		var r event.Record
		line := logline.Line{Text: start.Add(l.at).Format(layout) + " " + l.text, Received: start.Add(1000 * time.Hour), Zone: time.UTC, Number: int64(i + 1)}
		p.Parse(&line, &r)
		result := e.Step(&r)
		if result.Outcome != event.Noted && result.Outcome != event.Witness {
			panic(l.text)
		}
		total.add(result)
	}
	total.add(e.EndSessions(start.Add(24 * time.Hour)))
	return total
}

// TestConversations: each attempt counts once, and none for a fault of ours.
func TestConversations(t *testing.T) {
	const addr = "192.0.2.1"
	for _, c := range conversations {
		for _, layout := range layouts {
			want := counted{}
			for what := range strings.SplitSeq(c.want, ", ") {
				kind, times, _ := strings.Cut(what, " ")
				want["mx1 "+addr+" "+kind], _ = strconv.Atoi(times)
			}
			if got := count(c.speak(1, addr, "mx1", 42, 0), layout); !maps.Equal(got, want) {
				t.Errorf("%v, want %s:\n%s", got, c.want, c.lines)
			}
		}
	}
}

// layouts are those of stamps without and with fractions of a second.
var layouts = []string{time.Stamp, "2006-01-02T15:04:05.000000Z07:00"}

// TestInterleaving: however the conversations of different clients lie in each
// other, with process IDs taken up again at once, on several hosts, by stamps with
// fractions of a second or without, each counts what it counts alone.
func TestInterleaving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		free := map[string]time.Duration{} // when a process of a host may serve the next client
		alone := counted{}
		var all []spoken
		for n := range rapid.IntRange(2, 12).Draw(t, "clients") {
			c := rapid.SampledFrom(conversations).Draw(t, "conversation")
			host := rapid.SampledFrom([]string{"mx1", "mx2"}).Draw(t, "host")
			pid := rapid.IntRange(100, 102).Draw(t, "pid")
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)}).String()
			if rapid.Bool().Draw(t, "IPv6") {
				addr = fmt.Sprintf("2001:db8::%x", n+1)
			}
			process := fmt.Sprint(host, pid)
			start := max(free[process], time.Duration(rapid.IntRange(0, 5000).Draw(t, "start"))*time.Millisecond)
			lines := c.speak(n, addr, host, pid, start)
			free[process] = lines[len(lines)-1].at + time.Millisecond
			all = append(all, lines...)
			for what, times := range count(lines, layout) {
				alone[what] += times
			}
		}
		slices.SortStableFunc(all, func(a, b spoken) int { return cmp.Compare(a.at, b.at) })
		together := count(all, layout)
		if !maps.Equal(together, alone) {
			for _, l := range all {
				t.Log(l.at, l.text)
			}
			t.Fatalf("together %v, alone %v", together, alone)
		}
	})
}

// TestHostsApart: where one client talks to several hosts at once, as the same user and
// from the same ports, each host counts what its own log alone would. Dovecot's session
// IDs differ, as they do wherever no proxy passes them on.
func TestHostsApart(t *testing.T) {
	// So each host is known to run Postfix and Dovecot.
	const opening = `0 smtpd connect from mail.example[{ip}]
	0 dovecot imap-login: Login: user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, mpid=42, TLS, session=<{session}>
	0 smtpd disconnect from mail.example[{ip}] ehlo=1 quit=1 commands=2`
	rapid.Check(t, func(t *rapid.T) {
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		apart, all := counted{}, []spoken(nil)
		for h := range rapid.IntRange(2, 4).Draw(t, "hosts") {
			host := fmt.Sprintf("mx%d", h)
			own := conversation{lines: opening}.speak(0, "198.51.100.200", host, 7, 0)
			for range rapid.IntRange(1, 5).Draw(t, "connections") {
				c, client := rapid.SampledFrom(conversations).Draw(t, "conversation"), rapid.IntRange(1, 2).Draw(t, "client")
				start := time.Duration(1000+rapid.IntRange(0, 9000).Draw(t, "start")) * time.Millisecond
				own = append(own, c.speak(client, fmt.Sprintf("192.0.2.%d", client), host, 40+rapid.IntRange(0, 3).Draw(t, "pid"), start)...)
			}
			slices.SortStableFunc(own, func(a, b spoken) int { return cmp.Compare(a.at, b.at) })
			for what, times := range count(own, layout) {
				apart[what] += times
			}
			all = append(all, own...)
		}
		slices.SortStableFunc(all, func(a, b spoken) int { return cmp.Compare(a.at, b.at) })
		if together := count(all, layout); !maps.Equal(together, apart) {
			for _, l := range all {
				t.Log(l.at, l.text)
			}
			t.Fatalf("got together %v, want %v", together, apart)
		}
	})
}

// TestTwice: a log that holds each line twice counts what it does with each line once,
// if its stamps have microseconds, whether the copies follow at once or come from
// another file that is read behind it.
func TestTwice(t *testing.T) {
	const addr, layout = "192.0.2.1", "2006-01-02T15:04:05.000000Z07:00"
	for _, c := range conversations {
		lines := c.speak(1, addr, "mx1", 42, 455*time.Microsecond)
		for i := range lines { // one process logs nothing twice in a microsecond
			lines[i].at += time.Duration(i) * time.Microsecond
		}
		var doubled []spoken
		for _, l := range lines {
			doubled = append(doubled, l, l)
		}
		want := count(lines, layout)
		if got := count(doubled, layout); !maps.Equal(got, want) {
			t.Errorf("each line twice: got %v, want %v:\n%s", got, want, c.lines)
		}
		if got := count(slices.Concat(lines, lines), layout); !maps.Equal(got, want) {
			t.Errorf("all lines twice: got %v, want %v:\n%s", got, want, c.lines)
		}
	}
}

// In a log whose stamps have full seconds two equal lines may be two attempts; only the
// connection shows that its end is logged a second time.
func TestTwiceWithinSecond(t *testing.T) {
	tests := map[string]conversation{
		"two attempts": {"auth-failed 2", `0 smtpd connect from unknown[{ip}]
		1 smtpd warning: unknown[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
		1 smtpd warning: unknown[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
		2 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/2 commands=1/3`},
		"the end of smtpd's session twice": {"auth-failed 3", `0 smtpd connect from unknown[{ip}]
		2 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/3 commands=1/3
		2 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/3 commands=1/3`},
		"two sessions of one process": {"auth-failed 6", `0 smtpd connect from unknown[{ip}]
		1 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/3 commands=1/3
		1 smtpd connect from unknown[{ip}]
		1 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/3 commands=1/3`},
		"ends in a log without connections": {"auth-failed 6", `2 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/3 commands=1/3
		2 smtpd disconnect from unknown[{ip}] ehlo=1 auth=0/3 commands=1/3`},
		"the end of Dovecot's session twice": {"auth-failed 1", `0 dovecot auth: sql({user},{ip},<{session}>): Password mismatch
		2 dovecot imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{user}>, rip={ip}, lip=198.51.100.1, session=<{session}>
		2 dovecot imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{user}>, rip={ip}, lip=198.51.100.1, session=<{session}>`},
		"a session ID that is used again": {"auth-failed 4", `0 dovecot imap-login: Disconnected (auth failed, 2 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>
		9 dovecot imap-login: Disconnected (auth failed, 2 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={ip}, lip=198.51.100.1, session=<{session}>`},
		"postscreen's lines twice": {"pregreet 1", `0 postscreen PREGREET 11 after 0.05 from [{ip}]:{port}: EHLO User\r\n
		0 postscreen PREGREET 11 after 0.05 from [{ip}]:{port}: EHLO User\r\n`},
	}
	for name, c := range tests {
		want := counted{}
		kind, times, _ := strings.Cut(c.want, " ")
		want["mx1 192.0.2.1 "+kind], _ = strconv.Atoi(times)
		if got := count(c.speak(1, "192.0.2.1", "mx1", 42, 0), time.Stamp); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
