package situations

import (
	"fmt"
	"time"
)

// newcomer is an honest user at an address where nobody logged in before.
const newcomer, newcomerName = "203.0.113.50", "dora@example.org"

// unchecked is a login that PAM does not know and the next database could not check:
// all three lines tell of it.
func (l *Log) unchecked(after time.Duration, ip, user string) {
	session := fmt.Sprintf("%x", l.random.Uint64())
	l.add(after, "dovecot", 0, "auth-worker(77): pam(%s,%s,<%s>): pam_authenticate() failed: Authentication failure (Password mismatch?)", user, ip, session)
	l.add(after, "dovecot", 0, "auth-worker(78): Error: sql(%s,%s,<%s>): Password query failed: Table 'mail.users' doesn't exist", user, ip, session)
	l.add(after+2*time.Second, "dovecot", 0, "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, TLS, session=<%s>", user, ip, session)
}

// secondDatabaseDown: the only one who tries meanwhile is a user on a journey, and when
// it is over the others get in.
func secondDatabaseDown() Situation {
	l := NewLog()
	l.life(2)
	night := day + 2*hour
	for i := range 12 {
		l.unchecked(night+time.Duration(i)*30*time.Second, newcomer, newcomerName)
	}
	l.imapLogin(night+15*minute, "192.0.2.11", "staff1@example.org")
	l.attack(night+8*hour, attacker)
	return Situation{Name: "the second user database is down for a user on a journey", Log: l, Attackers: []string{attacker}}
}

// emptyDirectory: LDAP answers that it knows nobody, while a monitor with an account
// elsewhere logs in each minute.
func emptyDirectory() Situation {
	l := NewLog()
	l.life(2)
	for t := time.Duration(0); t < 2*day; t += minute {
		l.imapLogin(t+time.Second, "127.0.0.1", "monitor@example.org")
	}
	night := day + 2*hour
	unknown := func(after time.Duration, ip, user string) {
		session := fmt.Sprintf("%x", l.random.Uint64())
		l.add(after, "dovecot", 0, "auth: ldap(%s,%s,<%s>): unknown user", user, ip, session)
		l.add(after+2*time.Second, "dovecot", 0, "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, TLS, session=<%s>", user, ip, session)
	}
	for i := range 20 {
		at := night + time.Duration(i)*30*time.Second
		for user := range 3 {
			unknown(at+time.Duration(user)*time.Second, fmt.Sprintf("192.0.2.%d", 10+user), fmt.Sprintf("staff%d@example.org", user))
		}
		unknown(at+10*time.Second, newcomer, newcomerName)
	}
	l.attack(night+8*hour, attacker)
	return Situation{Name: "a directory that knows nobody, and a monitor that gets in", Log: l, Attackers: []string{attacker}}
}

// twoOutages: the same users meet a broken database twice on a day.
func twoOutages() Situation {
	l := NewLog()
	l.life(2)
	for _, night := range [...]time.Duration{day + hour, day + 3*hour} {
		for i := range 12 {
			at := night + time.Duration(i)*30*time.Second
			for user := range 3 {
				l.unchecked(at+time.Duration(user)*time.Second, fmt.Sprintf("192.0.2.%d", 10+user), fmt.Sprintf("staff%d@example.org", user))
			}
			l.imapFailure(at+10*time.Second, newcomer, newcomerName, 1)
		}
	}
	l.attack(day+10*hour, attacker)
	return Situation{Name: "two outages of the user database on a day", Log: l, Attackers: []string{attacker}}
}
