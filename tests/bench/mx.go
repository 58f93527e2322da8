package main

import (
	"fmt"
	"time"
)

// mxLog writes the log of a real mail host: postscreen stands before smtpd, most
// lines belong to mail that comes and goes, and bots keep coming back. One line in
// seven is an event. Mail of strangers is taken every two hours, since most of them
// are put off, and until then findings about listed clients wait, some forty at a
// time.
type mxLog struct {
	*generator
	bots     [600]bot
	nextMail time.Time // when the next mail of a stranger is taken
}

// bot is one attacking address. It comes back every now and then.
type bot struct {
	address string
	port    int
}

func (g *generator) mx(lines int) {
	g.stamp = "2006-01-02T15:04:05.000000-07:00"
	m := mxLog{generator: g}
	for i := range m.bots {
		m.bots[i] = bot{
			address: fmt.Sprintf("%s%d", []string{"203.0.113.", "198.18.7.", "198.19.40."}[i%3], 1+i/3),
		}
	}
	for next := lines / 40; g.lines < lines; {
		m.visit()
		if g.lines > next {
			m.statistics()
			next += 400
		}
	}
}

// The shares of the visits, in a thousand; the rest is our own monitoring.
const (
	shareInternal  = 150
	shareInbound   = 170
	shareOutbound  = 70
	shareReading   = 200
	shareBot       = 150
	shareGuess     = 70
	shareNameless  = 60
	shareNewClient = 30
)

// mailEvery is how often a mail of a stranger is taken; the others are put off.
const mailEvery = 110 * time.Minute

func (m *mxLog) visit() {
	m.sleep(time.Second)
	m.pid = 20000 + m.random.IntN(2000)
	n := m.random.IntN(1000)
	for _, v := range []struct {
		share int
		visit func()
	}{
		{shareInternal, m.internal},
		{shareInbound, m.inbound},
		{shareOutbound, m.outbound},
		{shareReading, m.reading},
		{shareBot, m.bot},
		{shareGuess, m.guessing},
		{shareNameless, m.nameless},
		{shareNewClient, m.newClient},
	} {
		if n < v.share {
			v.visit()
			return
		}
		n -= v.share
	}
	m.monitor()
}

// sleep lets some time pass, d on average.
func (m *mxLog) sleep(d time.Duration) {
	m.at = m.at.Add(time.Duration(m.random.Int64N(2 * int64(d))).Truncate(time.Microsecond))
}

func (m *mxLog) soon() { m.sleep(40 * time.Millisecond) }

// client is an honest mail host.
func (m *mxLog) client() (name, address string, port int) {
	n := m.random.IntN(220)
	return fmt.Sprintf("mail-%d.example.net", n), fmt.Sprintf("198.51.100.%d", n+1), 1024 + m.random.IntN(60000)
}

const cipher = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"

// screened are the lines of postscreen for a client that it lets pass.
func (m *mxLog) screened(address string, port int, verdict string) {
	m.line("postfix/postscreen", "CONNECT from [%s]:%d to [192.0.2.1]:25", address, port)
	m.soon()
	m.line("postfix/postscreen", "PASS %s [%s]:%d", verdict, address, port)
	m.soon()
}

// someBot returns one of the bots: mostly one of those that come back every few
// minutes.
func (m *mxLog) someBot() *bot {
	if m.random.IntN(10) == 0 {
		return &m.bots[m.random.IntN(len(m.bots))]
	}
	return &m.bots[m.random.IntN(70)]
}

// internal is a mail of a host of our own, delivered by LMTP.
func (m *mxLog) internal() {
	id := m.queueID()
	m.line("postfix/smtpd", "connect from app.example.org[10.0.0.5]")
	m.line("postfix/smtpd", "%s: client=app.example.org[10.0.0.5]", id)
	m.line("postfix/cleanup", "%s: message-id=<%x@app.example.org>", id, m.random.Uint64())
	m.line("postfix/qmgr", "%s: from=<app@example.org>, size=%d, nrcpt=1 (queue active)", id, m.random.IntN(90000))
	m.line("postfix/smtpd", "disconnect from app.example.org[10.0.0.5] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5")
	m.lmtp(id, m.random.IntN(90))
}

// inbound is a mail from outside.
func (m *mxLog) inbound() {
	name, address, port := m.client()
	m.screened(address, port, "OLD")
	m.line("postfix/smtpd", "connect from %s[%s]", name, address)
	m.soon()
	m.line("postfix/smtpd", "Anonymous TLS connection established from %s[%s]: %s", name, address, cipher)
	if m.at.Before(m.nextMail) {
		m.line("postfix/smtpd", "NOQUEUE: reject: RCPT from %s[%s]: 450 4.2.0 <user%d@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example.org/help/example.org.html; from=<bounce-%d@%s> to=<user%d@example.org> proto=ESMTP helo=<%s>",
			name, address, port%90, port, name, port%90, name)
		m.line("postfix/smtpd", "disconnect from %s[%s] ehlo=2 starttls=1 mail=1 rcpt=0/1 quit=1 commands=5/6", name, address)
		return
	}
	m.nextMail = m.at.Add(mailEvery)
	id := m.queueID()
	m.line("postfix/smtpd", "%s: client=%s[%s]", id, name, address)
	m.line("postfix/cleanup", "%s: message-id=<%d.%s@%s>", id, m.random.Uint64(), id, name)
	m.line("postfix/qmgr", "%s: from=<bounce-%d@%s>, size=%d, nrcpt=1 (queue active)", id, port, name, m.random.IntN(90000))
	m.line("postfix/smtpd", "disconnect from %s[%s] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7", name, address)
	m.lmtp(id, m.random.IntN(90))
}

// lmtp is the delivery of one mail to a mailbox.
func (m *mxLog) lmtp(id string, user int) {
	m.soon()
	session := fmt.Sprintf("%016X", m.random.Uint64())
	m.line("dovecot", "lmtp(%d): Connect from local", m.pid+1)
	m.line("dovecot", "lmtp(user%d@example.org)<%d><%s>: sieve: msgid=<%s@mail.example.net>: stored mail into mailbox 'INBOX'", user, m.pid+1, session, id)
	m.line("postfix/lmtp", "%s: to=<user%d@example.org>, relay=mx1.example.org[private/dovecot-lmtp], delay=0.31, delays=0.19/0.01/0.01/0.1, dsn=2.0.0, status=sent (250 2.0.0 <user%d@example.org> %s Saved)",
		id, user, user, session)
	m.line("dovecot", "lmtp(%d): Disconnect from local: Logged out (state=READY)", m.pid+1)
	m.line("postfix/qmgr", "%s: removed", id)
}

// outbound is a mail of a user to several hosts outside, of which one defers.
func (m *mxLog) outbound() {
	user, id := m.random.IntN(90), m.queueID()
	client := fmt.Sprintf("dsl-%d.example.com[192.0.2.%d]", user, 100+user)
	m.line("postfix/submission/smtpd", "connect from %s", client)
	m.line("postfix/submission/smtpd", "Anonymous TLS connection established from %s: %s", client, cipher)
	m.line("postfix/submission/smtpd", "%s: client=%s, sasl_method=PLAIN, sasl_username=user%d@example.org", id, client, user)
	m.line("postfix/cleanup", "%s: message-id=<%08x-%04x@example.org>", id, m.random.Uint32(), user)
	m.line("opendkim", "%s: DKIM-Signature field added (s=mail, d=example.org)", id)
	recipients := 1 + m.random.IntN(5)
	m.line("postfix/qmgr", "%s: from=<user%d@example.org>, size=%d, nrcpt=%d (queue active)", id, user, m.random.IntN(900000), recipients)
	m.line("postfix/submission/smtpd", "disconnect from %s ehlo=2 starttls=1 auth=1 mail=1 rcpt=%d data=1 quit=1 commands=%d", client, recipients, 7+recipients)
	for range recipients {
		m.soon()
		host := m.random.IntN(60)
		relay := fmt.Sprintf("mx%d.example.com[198.51.100.%d]:25", host, 10+host)
		m.line("postfix/smtp", "Trusted TLS connection established to %s: %s", relay, cipher)
		if m.random.IntN(6) == 0 {
			m.line("postfix/smtp", "%s: host %s said: 451 4.7.1 Greylisting in action, please come back in 00:04:59 (in reply to RCPT TO command)", id, relay[:len(relay)-3])
		}
		m.line("postfix/smtp", "%s: to=<someone%d@mx%d.example.com>, relay=%s, delay=%d.4, delays=0.1/0.02/0.7/0.6, dsn=2.0.0, status=sent (250 2.0.0 OK  %d d2e1a72fcca58-%x si1234567pgb.123 - gsmtp)",
			id, host, host, relay, 1+host%3, m.at.Unix(), m.random.Uint64())
	}
	m.line("postfix/qmgr", "%s: removed", id)
}

// reading is a mail program that reads its mail.
func (m *mxLog) reading() {
	n, session := m.random.IntN(90), fmt.Sprintf("%x", m.random.Uint64())
	m.line("dovecot", "imap-login: Login: user=<user%d@example.org>, method=PLAIN, rip=192.0.2.%d, lip=192.0.2.1, mpid=%d, TLS, session=<%s>", n, 100+n, m.pid, session)
	for range m.random.IntN(3) {
		m.line("dovecot", "imap(user%d@example.org)<%d><%s>: expunge: box=INBOX, uid=%d, msgid=<%x@mail.example.net>, size=%d", n, m.pid, session, m.random.IntN(9999), m.random.Uint64(), m.random.IntN(90000))
	}
	m.line("dovecot", "imap(user%d@example.org)<%d><%s>: Disconnected: Logged out in=%d out=%d deleted=0 expunged=0 trashed=0 hdr_count=%d hdr_bytes=%d body_count=0 body_bytes=0",
		n, m.pid, session, m.random.IntN(900), m.random.IntN(90000), m.random.IntN(30), m.random.IntN(9000))
}

// bot is a client that postscreen finds on block lists: it talks too early and
// hangs up, or goes on and is refused.
func (m *mxLog) bot() {
	b := m.someBot()
	b.port = 1024 + m.random.IntN(60000)
	client := fmt.Sprintf("[%s]:%d", b.address, b.port)
	m.line("postfix/postscreen", "CONNECT from %s to [192.0.2.1]:25", client)
	m.line("postfix/dnsblog", "addr %s listed by domain zen.dnsbl.example as 127.0.0.%d", b.address, 2+m.random.IntN(9))
	m.line("postfix/dnsblog", "addr %s listed by domain bl.dnsbl.example as 127.0.0.2", b.address)
	early := m.random.IntN(4) == 0
	if early {
		m.soon()
		m.line("postfix/postscreen", "PREGREET 14 after 0.0%d from %s: EHLO ylmf-pc\\r\\n", m.random.IntN(99), client)
	}
	m.sleep(6 * time.Second)
	m.line("postfix/postscreen", "DNSBL rank %d for %s", 3+m.random.IntN(5), client)
	switch m.random.IntN(3) {
	case 0:
		m.line("postfix/postscreen", "HANGUP after 0.%d from %s in tests after SMTP handshake", m.random.IntN(99), client)
	case 1:
		m.line("postfix/postscreen", "NOQUEUE: reject: RCPT from %s: 550 5.7.1 Service unavailable; client [%s] blocked using zen.dnsbl.example; from=<win%d@example.com>, to=<user%d@example.org>, proto=ESMTP, helo=<ylmf-pc>",
			client, b.address, m.random.IntN(9999), m.random.IntN(300))
	}
	m.line("postfix/postscreen", "DISCONNECT %s", client)
}

// guessing is a failed login by SMTP or by IMAP.
func (m *mxLog) guessing() {
	b := m.bots[4*m.random.IntN(len(m.bots)/4)]
	user := m.random.IntN(300)
	if m.random.IntN(2) == 0 {
		m.line("dovecot", "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 4 secs): user=<user%d@example.org>, method=PLAIN, rip=%s, lip=192.0.2.1, TLS, session=<%x>",
			user, b.address, m.random.Uint64())
		return
	}
	client := "unknown[" + b.address + "]"
	m.line("postfix/submission/smtpd", "connect from %s", client)
	m.sleep(2 * time.Second)
	m.line("postfix/submission/smtpd", "warning: %s: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=user%d@example.org", client, user)
	m.soon()
	m.line("postfix/submission/smtpd", "lost connection after AUTH from %s", client)
	m.line("postfix/submission/smtpd", "disconnect from %s ehlo=1 auth=0/1 commands=1/2", client)
}

// nameless is a client whose name does not lead back to it. postscreen knows it.
func (m *mxLog) nameless() {
	address, port := m.someBot().address, 1024+m.random.IntN(60000)
	m.screened(address, port, "OLD")
	m.line("postfix/smtpd", "warning: hostname host-%d.dyn.example.com does not resolve to address %s: Name or service not known", port, address)
	m.line("postfix/smtpd", "connect from unknown[%s]", address)
	m.line("postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[%s]: 450 4.7.25 Client host rejected: cannot find your hostname, [%s]; from=<spam%d@example.com> to=<user%d@example.org> proto=ESMTP helo=<host.example.com>",
		address, address, m.random.IntN(9999), m.random.IntN(300))
	m.line("postfix/smtpd", "disconnect from unknown[%s] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4", address)
}

// newClient passes postscreen's deep tests for the first time and is told to come
// back.
func (m *mxLog) newClient() {
	name, address, port := m.client()
	m.line("postfix/postscreen", "CONNECT from [%s]:%d to [192.0.2.1]:25", address, port)
	m.sleep(6 * time.Second)
	m.line("postfix/tlsproxy", "CONNECT from [%s]:%d", address, port)
	m.line("postfix/tlsproxy", "Anonymous TLS connection established from [%s]:%d: %s", address, port, cipher)
	m.line("postfix/postscreen", "NOQUEUE: reject: RCPT from [%s]:%d: 450 4.3.2 Service currently unavailable; from=<news@%s>, to=<user%d@example.org>, proto=ESMTP, helo=<%s>", address, port, name, port%90, name)
	m.line("postfix/tlsproxy", "DISCONNECT [%s]:%d", address, port)
	m.line("postfix/postscreen", "PASS NEW [%s]:%d", address, port)
	m.line("postfix/postscreen", "DISCONNECT [%s]:%d", address, port)
}

// monitor is what every host logs about nobody.
func (m *mxLog) monitor() {
	m.line("postfix/smtpd", "connect from localhost[127.0.0.1]")
	m.line("postfix/smtpd", "disconnect from localhost[127.0.0.1] commands=0/0")
	if m.random.IntN(2) == 0 {
		return
	}
	m.line("postfix/scache", "statistics: start interval %s", m.at.Format(time.Stamp))
}

// statistics are anvil's, every ten minutes or so.
func (m *mxLog) statistics() {
	address := m.bots[m.random.IntN(len(m.bots))].address
	at := m.at.Format(time.Stamp)
	m.line("postfix/anvil", "statistics: max connection rate %d/60s for (smtpd:%s) at %s", 1+m.random.IntN(9), address, at)
	m.line("postfix/anvil", "statistics: max connection count %d for (smtpd:%s) at %s", 1+m.random.IntN(3), address, at)
	m.line("postfix/anvil", "statistics: max newtls rate 1/60s for (submission:192.0.2.%d) at %s", 100+m.random.IntN(90), at)
	m.line("postfix/anvil", "statistics: max cache size %d at %s", 1+m.random.IntN(20), at)
}
