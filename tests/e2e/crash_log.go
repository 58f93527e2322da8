//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// trafficLog is the log of a mail host over most of a day, with attackers whose
// alerts are known beforehand.
type trafficLog struct {
	lines     []stamped
	attackers []string // what a ban of each names
	random    *rand.Rand
	pid       int
}

type stamped struct {
	at   time.Time
	text string
}

const (
	trafficLasts = 20 * time.Hour
	quietEnd     = time.Hour // honest traffic alone: whatever waits for time has been decided then
)

// newTraffic writes the log of the hours before end. The same seed gives the
// same lines, but for their times.
func newTraffic(seed uint64, end time.Time, attackers int) *trafficLog {
	l := &trafficLog{random: rand.New(rand.NewPCG(seed, 1)), pid: 1000}
	start := end.Add(-trafficLasts)
	l.honest(start, end)
	for i := range attackers {
		ip, named := fmt.Sprintf("203.0.113.%d", i+1), fmt.Sprintf("203.0.113.%d", i+1)
		if i%4 == 3 {
			ip, named = fmt.Sprintf("2001:db8:%x::%x", 0x100+i, i+1), fmt.Sprintf("2001:db8:%x::/64", 0x100+i)
		}
		l.attackers = append(l.attackers, named)
		at := start.Add(time.Duration(l.random.Int64N(int64(trafficLasts - quietEnd - 14*time.Hour))))
		switch i % 5 {
		case 0:
			l.guessOften(at.Add(time.Duration(l.random.Int64N(int64(13*time.Hour)))), ip)
		case 1:
			l.guessSlowly(at, ip)
		case 2:
			l.guessAtSubmission(at.Add(time.Duration(l.random.Int64N(int64(13*time.Hour)))), ip)
		case 3:
			l.tryToRelay(at.Add(time.Duration(l.random.Int64N(int64(12*time.Hour)))), ip)
		case 4:
			l.pregreet(at.Add(time.Duration(l.random.Int64N(int64(12*time.Hour)))), ip)
		}
	}
	slices.SortStableFunc(l.lines, func(a, b stamped) int { return a.at.Compare(b.at) })
	return l
}

func (l *trafficLog) add(at time.Time, tag, format string, args ...any) {
	l.lines = append(l.lines, stamped{at, fmt.Sprintf("%s mx1 %s: %s\n", at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), tag, fmt.Sprintf(format, args...))})
}

func (l *trafficLog) next() string {
	l.pid++
	return fmt.Sprintf("[%d]", l.pid)
}

// honest: users log in, mail hosts with verified names deliver, somebody mistypes
// and a phone has an old password.
func (l *trafficLog) honest(start, end time.Time) {
	for at := start; at.Before(end); at = at.Add(2 * time.Minute) {
		n := 10 + l.random.IntN(20)
		smtpd, name, queueID := "postfix/smtpd"+l.next(), fmt.Sprintf("mail%d.example.net[198.51.100.%d]", n, n), fmt.Sprintf("%011X", l.random.Uint64()>>20)
		l.add(at, smtpd, "connect from %s", name)
		l.add(at.Add(time.Second), smtpd, "%s: client=%s", queueID, name)
		l.add(at.Add(2*time.Second), "postfix/qmgr[77]", "%s: from=<a@example.net>, size=4242, nrcpt=1 (queue active)", queueID)
		l.add(at.Add(3*time.Second), smtpd, "disconnect from %s ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5", name)
		user := l.random.IntN(10)
		if l.random.IntN(8) == 0 {
			l.failure(at.Add(20*time.Second), fmt.Sprintf("192.0.2.%d", 40+user), fmt.Sprintf("staff%d@example.org", user))
		}
		l.login(at.Add(33*time.Second), fmt.Sprintf("192.0.2.%d", 40+user), fmt.Sprintf("staff%d@example.org", user))
	}
	const phone = "192.0.2.60"
	l.login(start, phone, "staff9@example.org")
	for at := start.Add(time.Minute); at.Before(end); at = at.Add(25 * time.Minute) {
		l.failure(at, phone, "staff9@example.org")
	}
}

func (l *trafficLog) login(at time.Time, ip, user string) {
	l.add(at, "dovecot", "imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, mpid=%d, TLS, session=<%x>", user, ip, l.random.IntN(90000), l.random.Uint64())
}

// failure is a connection of one failed login, which Dovecot tells in two lines.
func (l *trafficLog) failure(at time.Time, ip, user string) {
	session := fmt.Sprintf("%x", l.random.Uint64())
	l.add(at, "dovecot", "auth: passwd-file(%s,%s,<%s>): Password mismatch", user, ip, session)
	l.add(at.Add(2*time.Second), "dovecot", "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, TLS, session=<%s>", user, ip, session)
}

func (l *trafficLog) guessOften(at time.Time, ip string) {
	for i := range 12 {
		l.failure(at.Add(time.Duration(i)*20*time.Second), ip, fmt.Sprintf("user%d@example.org", i))
	}
}

// guessSlowly: a guess in forty minutes on one account, which only who remembers
// the whole day sees.
func (l *trafficLog) guessSlowly(at time.Time, ip string) {
	for i := range 19 {
		l.failure(at.Add(time.Duration(i)*40*time.Minute), ip, "director@example.org")
	}
}

func (l *trafficLog) guessAtSubmission(at time.Time, ip string) {
	for i := range 9 {
		smtpd, t := "postfix/submission/smtpd"+l.next(), at.Add(time.Duration(i)*15*time.Second)
		l.add(t, smtpd, "connect from unknown[%s]", ip)
		l.add(t.Add(3*time.Second), smtpd, "warning: unknown[%s]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=box%d@example.org", ip, i)
		l.add(t.Add(6*time.Second), smtpd, "disconnect from unknown[%s] ehlo=1 auth=0/1 quit=1 commands=2/3", ip)
	}
}

func (l *trafficLog) tryToRelay(at time.Time, ip string) {
	for i := range 5 {
		smtpd, t := "postfix/smtpd"+l.next(), at.Add(time.Duration(i)*10*time.Minute)
		l.add(t, smtpd, "connect from unknown[%s]", ip)
		l.add(t.Add(3*time.Second), smtpd, "NOQUEUE: reject: RCPT from unknown[%s]: 554 5.7.1 <x@example.net>: Relay access denied; from=<a@example.com> to=<x@example.net> proto=ESMTP helo=<win>", ip)
		l.add(t.Add(6*time.Second), smtpd, "disconnect from unknown[%s] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4", ip)
	}
}

func (l *trafficLog) pregreet(at time.Time, ip string) {
	for i := range 4 {
		t := at.Add(time.Duration(i) * 15 * time.Minute)
		l.add(t, "postfix/postscreen[44]", "CONNECT from [%s]:%d to [198.51.100.250]:25", ip, 20000+i)
		l.add(t.Add(time.Second), "postfix/postscreen[44]", "PREGREET 11 after 0.1 from [%s]:%d: EHLO win\\r\\n", ip, 20000+i)
		l.add(t.Add(2*time.Second), "postfix/postscreen[44]", "DISCONNECT [%s]:%d", ip, 20000+i)
	}
}

func (l *trafficLog) text() string {
	var b strings.Builder
	for _, n := range l.lines {
		b.WriteString(n.text)
	}
	return b.String()
}
