package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// generator writes a log line by line. The seed is fixed, so a log of the same
// shape and length is always the same.
type generator struct {
	random *rand.Rand
	out    *bufio.Writer
	at     time.Time
	stamp  string // the layout of the time in a header
	lines  int
	pid    int // of the session under way
}

// shape is a kind of log that csmail is timed on; write writes lines until there are
// enough of them.
type shape struct {
	name, about string
	write       func(g *generator, lines int)
}

var shapes = []shape{
	{"mixed", "half of the sessions deliver mail, the others read it, guess, spam or probe", (*generator).mixed},
	{"mx", "a real MX: postscreen in front, mail flow, one line in seven an event", (*generator).mx},
	{"worst-crowd", "50,000 addresses that guess in turn, each at an account of its own", (*generator).crowd},
	{"worst-sources", "50,000 addresses that guess in turn, ten at each account", (*generator).manySources},
	{"worst-waiting", "4,096 networks of which findings wait", (*generator).waitingSources},
	{"worst-names", "names of users, hosts and senders that were never seen before", (*generator).newNames},
	{"worst-long", "fields as long as a daemon logs them", (*generator).longFields},
	{"worst-collisions", "names that collide in an unkeyed hash", (*generator).collidingNames},
}

func generate(path string, lines int, write func(g *generator, lines int)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	g := &generator{
		random: rand.New(rand.NewPCG(1, 2)), out: bufio.NewWriterSize(f, 1<<20),
		at: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), stamp: time.Stamp,
	}
	write(g, lines)
	if err := g.out.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (g *generator) line(program, format string, args ...any) {
	g.lines++
	fmt.Fprintf(g.out, "%s mx1 %s[%d]: "+format+"\n", append([]any{g.at.Format(g.stamp), program, g.pid}, args...)...)
}

// mixed is the log of a middling mail host: four lines in five are ordinary
// traffic, the rest are attackers in the proportions of an exposed server.
func (g *generator) mixed(lines int) {
	for g.lines < lines {
		g.session()
	}
}

func (g *generator) session() {
	g.at = g.at.Add(time.Duration(g.random.IntN(4000)) * time.Millisecond)
	g.pid = 1000 + g.random.IntN(400)
	switch n := g.random.IntN(100); {
	case n < 45:
		g.delivery()
	case n < 65:
		g.imap()
	case n < 80:
		g.guess()
	case n < 90:
		g.spambot()
	default:
		g.probe()
	}
}

func (g *generator) attacker() string {
	return fmt.Sprintf("203.0.%d.%d", 113-g.random.IntN(2)*100, g.random.IntN(256))
}

func (g *generator) queueID() string { return fmt.Sprintf("%011X", g.random.Uint64()>>20) }

func (g *generator) delivery() {
	n, id := g.random.IntN(200), g.queueID()
	client := fmt.Sprintf("mail%d.example.net[198.51.100.%d]", n, n)
	g.line("postfix/smtpd", "connect from %s", client)
	g.line("postfix/smtpd", "%s: client=%s", id, client)
	g.line("postfix/cleanup", "%s: message-id=<%d.%s@mail%d.example.net>", id, g.random.Uint64(), id, n)
	g.line("postfix/qmgr", "%s: from=<list-%d@mail%d.example.net>, size=%d, nrcpt=1 (queue active)", id, n, n, g.random.IntN(90000))
	g.line("postfix/lmtp", "%s: to=<user%d@example.org>, relay=mx1.example.org[private/dovecot-lmtp], delay=0.2, delays=0.1/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 <user%d@example.org> Saved)", id, n, n)
	g.line("postfix/qmgr", "%s: removed", id)
	g.line("postfix/smtpd", "disconnect from %s ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7", client)
}

func (g *generator) imap() {
	n := g.random.IntN(120)
	g.lines += 2
	stamp := g.at.Format(time.Stamp)
	fmt.Fprintf(g.out, "%s mx1 dovecot: imap-login: Login: user=<user%d@example.org>, method=PLAIN, rip=192.0.2.%d, lip=198.51.100.250, mpid=%d, TLS, session=<%x>\n", stamp, n, n, g.random.IntN(30000), g.random.Uint64())
	fmt.Fprintf(g.out, "%s mx1 dovecot: imap(user%d@example.org)<%d><%x>: Disconnected: Logged out in=%d out=%d deleted=0 expunged=0 trashed=0\n", stamp, n, g.random.IntN(30000), g.random.Uint64(), g.random.IntN(900), g.random.IntN(90000))
}

func (g *generator) guess() {
	client := "unknown[" + g.attacker() + "]"
	g.line("postfix/submission/smtpd", "connect from %s", client)
	g.line("postfix/submission/smtpd", "warning: %s: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=user%d@example.org", client, g.random.IntN(900))
	g.line("postfix/submission/smtpd", "lost connection after AUTH from %s", client)
	g.line("postfix/submission/smtpd", "disconnect from %s ehlo=1 auth=0/1 rset=1 commands=2/3", client)
}

func (g *generator) spambot() {
	address := g.attacker()
	g.line("postfix/smtpd", "warning: hostname host-%d.dyn.example.com does not resolve to address %s: Name or service not known", g.random.IntN(9999), address)
	g.line("postfix/smtpd", "connect from unknown[%s]", address)
	g.line("postfix/smtpd", "NOQUEUE: reject: RCPT from unknown[%s]: 450 4.7.25 Client host rejected: cannot find your hostname, [%s]; from=<spam%d@example.com> to=<user%d@example.org> proto=ESMTP helo=<host.example.com>", address, address, g.random.IntN(9999), g.random.IntN(900))
	g.line("postfix/smtpd", "disconnect from unknown[%s] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4", address)
}

func (g *generator) probe() {
	client := "unknown[" + g.attacker() + "]"
	g.line("postfix/smtpd", "connect from %s", client)
	g.line("postfix/smtpd", "NOQUEUE: reject: RCPT from %s: 554 5.7.1 <probe@example.net>: Relay access denied; from=<probe@example.com> to=<probe@example.net> proto=SMTP helo=<[198.51.100.77]>", client)
	g.line("postfix/smtpd", "disconnect from %s helo=1 mail=1 rcpt=0/1 commands=2/3", client)
}
