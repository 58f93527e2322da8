// Package situations writes the logs of a mail host in trouble, in peace and
// under attack, as its daemons would, and says who in them is an attacker. The
// test sends each through csmail and compares whom it bans. It speaks the forms
// of Postfix 3.7 and Dovecot 2.3 as rsyslog writes them, and reads no log.
package situations

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Log is a log under way. Lines may be added in any order; they come out sorted
// by time.
type Log struct {
	host   string
	start  time.Time
	lines  []line
	pid    int
	random *rand.Rand
}

type line struct {
	at   time.Time
	text string
}

// NewLog returns an empty log whose clock starts on a Wednesday at midnight.
func NewLog() *Log {
	return NewLogOn("mx1")
}

// NewLogOn is NewLog of another host.
func NewLogOn(host string) *Log {
	return &Log{host: host, start: time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC), pid: 1000, random: rand.New(rand.NewPCG(7, 11))}
}

// String returns the log, oldest line first. Tests that run at the same time share
// a log, so it stays as it is.
func (l *Log) String() string {
	lines := slices.Clone(l.lines)
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, n := range lines {
		b.WriteString(n.text)
		b.WriteByte('\n')
	}
	return b.String()
}

func (l *Log) add(after time.Duration, program string, pid int, format string, args ...any) {
	at := l.start.Add(after)
	tag := program
	if pid > 0 {
		tag = fmt.Sprintf("%s[%d]", program, pid)
	}
	l.lines = append(l.lines, line{at, fmt.Sprintf("%s %s %s: %s", at.Format("2006-01-02T15:04:05.000000-07:00"), l.host, tag, fmt.Sprintf(format, args...))})
}

func (l *Log) next() int {
	l.pid++
	return l.pid
}

// imapLogin is a login that succeeds.
func (l *Log) imapLogin(after time.Duration, ip, user string) {
	l.add(after, "dovecot", 0, "imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, mpid=%d, TLS, session=<%x>", user, ip, l.next(), l.random.Uint64())
}

// imapFailure is a connection of n failed logins.
func (l *Log) imapFailure(after time.Duration, ip, user string, n int) {
	l.add(after, "dovecot", 0, "imap-login: Disconnected (auth failed, %d attempts in %d secs): user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, TLS, session=<%x>", n, 2*n, user, ip, l.random.Uint64())
}

// refusedLogin is a connection that asks to log in without TLS, and may not.
func (l *Log) refusedLogin(after time.Duration, ip string) {
	l.add(after, "dovecot", 0, "pop3-login: Disconnected (tried to use disallowed plaintext auth): user=<>, rip=%s, lip=198.51.100.250, session=<%x>", ip, l.random.Uint64())
}

// submissionFailure is a connection of one failed login; without a user the log
// of an older Postfix.
func (l *Log) submissionFailure(after time.Duration, ip, user string) {
	pid, name := l.next(), ""
	if user != "" {
		name = ", sasl_username=" + user
	}
	const program = "postfix/submission/smtpd"
	l.add(after, program, pid, "connect from unknown[%s]", ip)
	l.add(after+time.Second, program, pid, "warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6%s", ip, name)
	l.add(after+2*time.Second, program, pid, "disconnect from unknown[%s] ehlo=1 auth=0/1 quit=1 commands=2/3", ip)
}

// delivery is a message from a mail host with a verified name.
func (l *Log) delivery(after time.Duration, ip, name string) {
	pid := l.next()
	queueID := fmt.Sprintf("%011X", l.random.Uint64()>>20)
	l.add(after, "postfix/smtpd", pid, "connect from %s[%s]", name, ip)
	l.add(after+time.Second, "postfix/smtpd", pid, "%s: client=%s[%s]", queueID, name, ip)
	l.add(after+time.Second, "postfix/cleanup", pid+1, "%s: message-id=<%x@%s>", queueID, l.random.Uint64(), name)
	l.add(after+2*time.Second, "postfix/qmgr", 77, "%s: from=<a@%s>, size=4242, nrcpt=1 (queue active)", queueID, name)
	l.add(after+2*time.Second, "postfix/smtpd", pid, "disconnect from %s[%s] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5", name, ip)
}

// refusal is a session that ends with one refused recipient.
func (l *Log) refusal(after time.Duration, ip, name, text, to string) {
	pid := l.next()
	l.add(after, "postfix/smtpd", pid, "connect from %s[%s]", name, ip)
	l.add(after+time.Second, "postfix/smtpd", pid, "NOQUEUE: reject: RCPT from %s[%s]: %s; from=<news@example.com> to=<%s> proto=ESMTP helo=<mail.example.com>", name, ip, text, to)
	l.add(after+2*time.Second, "postfix/smtpd", pid, "disconnect from %s[%s] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4", name, ip)
}

// nameless is a session that is refused because the name of the client cannot be
// found, as Postfix logs it also while our own resolver is down.
func (l *Log) nameless(after time.Duration, ip, name string) {
	l.add(after, "postfix/smtpd", l.pid+1, "warning: hostname %s does not resolve to address %s: Name or service not known", name, ip)
	l.refusal(after, ip, "unknown", fmt.Sprintf("450 4.7.25 Client host rejected: cannot find your hostname, [%s]", ip), "alice@example.org")
}

// attack is a client that guesses passwords: three a minute for ten minutes.
func (l *Log) attack(after time.Duration, ip string) {
	for i := range 30 {
		l.imapFailure(after+time.Duration(i)*20*time.Second, ip, fmt.Sprintf("user%d@example.org", i%15), 1)
	}
}

// life is the ordinary traffic of so many days: users log in each quarter of an
// hour by day, mail hosts deliver each ten minutes.
func (l *Log) life(days int) {
	for t := time.Duration(0); t < time.Duration(days)*24*time.Hour; t += 10 * time.Minute {
		n := 20 + l.random.IntN(20)
		l.delivery(t+7*time.Second, fmt.Sprintf("198.51.100.%d", n), fmt.Sprintf("mail%d.example.net", n))
		if hour := int(t.Hours()) % 24; hour > 6 && hour < 22 {
			user := l.random.IntN(10)
			l.imapLogin(t+33*time.Second, fmt.Sprintf("192.0.2.%d", 10+user), fmt.Sprintf("staff%d@example.org", user))
		}
	}
}
