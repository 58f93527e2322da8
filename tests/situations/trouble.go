package situations

import (
	"fmt"
	"strings"
	"time"
)

// Troubles are outages of our own in which a newcomer must not be banned: on a small
// host, in the middle of an attack, for half of the users only, for a whole night.
func Troubles() []Situation {
	return []Situation{
		betweenLogins(), hourlyOutage(), outageInAttack(), halfDown(), longNight(), unmountedUsers(), tablesDown(), hungAuth(), family(),
		noisyHost(), crowdedOut(), ownWayIn(),
	}
}

// Provoked are faults that clients bring about, to be excused by them. In each one the
// guesses of all who take part must count in the end.
func Provoked() []Situation {
	return []Situation{
		penalty("the penalty of Dovecot, while users log in", 20*time.Second),
		penalty("the penalty of Dovecot, on a host with a login an hour", hour),
		unusableNames("names that the user database cannot take, while users log in", 20*time.Second, 2),
		unusableNames("names that the user database cannot take, from 20 addresses, with a login in ten minutes", 10*minute, 20),
		namelessFaults(), stagedTables(), ownAccounts(), everyNight(), lonelyFaults(), lateMorning(),
	}
}

// cut takes the lines of a time out that hold a text.
func (l *Log) cut(from, to time.Duration, text string) {
	kept := l.lines[:0]
	for _, n := range l.lines {
		if d := n.at.Sub(l.start); d < from || d > to || !strings.Contains(n.text, text) {
			kept = append(kept, n)
		}
	}
	l.lines = kept
}

// logins has users of three accounts log in by turns.
func (l *Log) logins(from, to, each time.Duration) {
	for i, t := 0, from; t < to; i, t = i+1, t+each {
		l.imapLogin(t, fmt.Sprintf("192.0.2.%d", 10+i%3), fmt.Sprintf("staff%d@example.org", i%3))
	}
}

// queryFault is a login that the user database could not check, and says so.
func (l *Log) queryFault(after time.Duration, ip, user string) {
	session := fmt.Sprintf("%x", l.random.Uint64())
	l.add(after, "dovecot", 0, "auth: Error: sql(%s,%s,<%s>): Password query failed: Not connected to database", user, ip, session)
	l.add(after+2*time.Second, "dovecot", 0, "imap-login: Disconnected (auth service reported temporary failure): user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, TLS, session=<%s>", user, ip, session)
}

// connectionLost is a login that Postfix gives up after ten seconds without an answer.
func (l *Log) connectionLost(after time.Duration, ip string) {
	pid := l.next()
	const program = "postfix/submission/smtpd"
	l.add(after, program, pid, "connect from unknown[%s]", ip)
	l.add(after+10*time.Second, program, pid, "warning: unknown[%s]: SASL LOGIN authentication failed: Connection lost to authentication server, sasl_username=(unavailable)", ip)
	l.add(after+10*time.Second, program, pid, "disconnect from unknown[%s] ehlo=1 auth=0/1 quit=1 commands=2/3", ip)
}

// betweenLogins: a login an hour, and the second database is down for forty minutes in
// between. Only a newcomer notices.
func betweenLogins() Situation {
	l := NewLog()
	l.logins(0, 2*day, hour)
	for i := range 10 {
		l.unchecked(day+10*hour+10*minute+time.Duration(i)*3*minute, newcomer, newcomerName)
	}
	l.attack(day+15*hour, attacker)
	return Situation{Name: "an outage between two logins of a small host", Log: l, Attackers: []string{attacker}}
}

// hourlyOutage: the same host without its database for three hours. The log tells of
// no client.
func hourlyOutage() Situation {
	l := NewLog()
	l.logins(0, 2*day, hour)
	from, to := day+10*hour-5*minute, day+13*hour-5*minute
	l.cut(from, to, "imap-login: Login")
	for t := from; t < to; t += 5 * minute {
		l.add(t, "dovecot", 0, "auth: Error: mysql(localhost): Connect failed to database (mail): Can't connect to local MySQL server through socket '/run/mysqld/mysqld.sock' (2)")
		l.imapFailure(t+10*time.Second, newcomer, newcomerName, 1)
	}
	for i := range 3 {
		l.imapFailure(day+time.Duration(10+i)*hour, fmt.Sprintf("192.0.2.%d", 10+(day/hour+time.Duration(10+i))%3), fmt.Sprintf("staff%d@example.org", (int(day/hour)+10+i)%3), 1)
	}
	l.attack(day+18*hour, attacker)
	return Situation{Name: "three hours of outage on a host with a login an hour", Log: l, Attackers: []string{attacker}}
}

// outageInAttack: bots guess for five hours, and in the third the database is down.
func outageInAttack() Situation {
	l := NewLog()
	l.life(2)
	start := day + 9*hour
	var bots []string
	for i := range 40 {
		bot := fmt.Sprintf("2001:db8:%x::5", 0x100+i)
		bots = append(bots, bot)
		for try := range 60 {
			l.imapFailure(start+time.Duration(try)*5*minute+time.Duration(i)*time.Second, bot, fmt.Sprintf("user%d@example.org", (i+try)%8), 1)
		}
	}
	from, to := start+2*hour, start+3*hour
	l.cut(from, to, "imap-login: Login")
	for i := range 60 {
		at := from + time.Duration(i)*minute
		l.queryFault(at, fmt.Sprintf("192.0.2.%d", 10+i%10), fmt.Sprintf("staff%d@example.org", i%10))
		if i%3 == 0 {
			l.imapFailure(at+30*time.Second, newcomer, newcomerName, 1)
		}
	}
	l.imapLogin(to+minute, newcomer, newcomerName)
	return Situation{Name: "an outage in the middle of an attack", Log: l, Attackers: bots}
}

// halfDown: users of the first database get in all the while, those of the second do
// not, and one of these is new.
func halfDown() Situation {
	l := NewLog()
	l.life(2)
	for t := time.Duration(0); t < 2*day; t += 20 * time.Second {
		i := int(t/(20*time.Second)) % 30
		l.imapLogin(t, fmt.Sprintf("198.51.100.%d", 100+i), fmt.Sprintf("first%d@example.org", i))
	}
	for i := range 3 {
		l.imapLogin(20*hour, fmt.Sprintf("192.0.2.%d", 120+i), fmt.Sprintf("second%d@example.org", i))
	}
	from := day + 10*hour
	for i := range 40 {
		at := from + time.Duration(i)*minute
		l.queryFault(at, fmt.Sprintf("192.0.2.%d", 120+i%3), fmt.Sprintf("second%d@example.org", i%3))
		if i >= 3 && i%2 == 0 {
			l.imapFailure(at+30*time.Second, newcomer, newcomerName, 1)
		}
	}
	l.attack(day+15*hour, attacker)
	return Situation{Name: "one of two user databases is down while the users of the other get in", Log: l, Attackers: []string{attacker}}
}

// longNight: the phone of a user on a journey tries each five minutes, for eight hours
// in which nobody else does.
func longNight() Situation {
	l := NewLog()
	l.life(2)
	from, to := 22*hour, day+7*hour
	l.cut(from, to, "imap-login: Login")
	for t := from + 30*minute; t < to-30*minute; t += 5 * minute {
		l.unchecked(t, newcomer, newcomerName)
	}
	l.attack(day+15*hour, attacker)
	return Situation{Name: "a night's outage that only a traveller's phone meets", Log: l, Attackers: []string{attacker}}
}

// unmountedUsers: the disk with the password files is away, and everybody is unknown.
func unmountedUsers() Situation {
	l := NewLog()
	l.life(2)
	from := day + 10*hour
	l.cut(from, from+hour, "imap-login: Login")
	unknown := func(after time.Duration, ip, user string) {
		session := fmt.Sprintf("%x", l.random.Uint64())
		l.add(after, "dovecot", 0, "auth: Error: passwd-file(%s,%s,<%s>): stat(/srv/mail/example.org/passwd) failed: No such file or directory", user, ip, session)
		l.add(after+2*time.Second, "dovecot", 0, "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<%s>, method=PLAIN, rip=%s, lip=198.51.100.250, TLS, session=<%s>", user, ip, session)
	}
	for i := range 60 {
		at := from + time.Duration(i)*minute
		unknown(at, fmt.Sprintf("192.0.2.%d", 10+i%10), fmt.Sprintf("staff%d@example.org", i%10))
		unknown(at+20*time.Second, newcomer, newcomerName)
	}
	l.attack(day+15*hour, attacker)
	return Situation{Name: "the disk with the password files is not mounted", Log: l, Attackers: []string{attacker}}
}

// tablesDown: tables do not answer, or answer that nobody is known. Mail hosts that
// were here before, and new ones, get the blame.
func tablesDown() Situation {
	l := NewLog()
	l.life(5)
	from := 4*day + 10*hour
	l.cut(from, from+2*hour, "postfix/")
	for i := range 120 {
		at := from + time.Duration(i)*minute
		n := 20 + i%20
		l.refusal(at, fmt.Sprintf("198.51.100.%d", n), fmt.Sprintf("mail%d.example.net", n), "451 4.3.0 <bob@example.org>: Temporary lookup failure", "bob@example.org")
		if i < 3 {
			continue
		}
		stranger := sender(60 + i%12)
		to := fmt.Sprintf("alias%d@example.org", i/12)
		l.refusal(at+20*time.Second, stranger, "mail.example.com", fmt.Sprintf("550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual alias table", to), to)
	}
	l.attack(4*day+15*hour, attacker)
	return Situation{Name: "tables of recipients are down", Log: l, Attackers: []string{attacker}}
}

// hungAuth: the auth process hangs. Who asks it by way of Postfix waits in vain, at
// IMAP everybody is wrong, and a newcomer with a typo began just before.
func hungAuth() Situation {
	l := NewLog()
	l.life(2)
	from := day + 10*hour
	l.cut(from, from+hour, "imap-login: Login")
	l.submissionFailure(from, newcomer, newcomerName)
	for i := range 60 {
		at := from + 15*time.Second + time.Duration(i)*minute
		n := i % 10
		l.connectionLost(at, fmt.Sprintf("192.0.2.%d", 10+n))
		l.connectionLost(at+5*time.Second, newcomer)
		if i%6 == 5 {
			l.submissionFailure(at+40*time.Second, newcomer, newcomerName)
		}
	}
	l.imapLogin(from+hour+minute, newcomer, newcomerName)
	l.attack(day+15*hour, attacker)
	return Situation{Name: "an auth process that hangs", Log: l, Attackers: []string{attacker}}
}

// family: the only one who logs in is a phone each five minutes. While the database is
// down for twenty, a second phone is set up.
func family() Situation {
	l := NewLog()
	for t := time.Duration(0); t < 2*day; t += 5 * minute {
		l.imapLogin(t, "192.0.2.10", "staff0@example.org")
	}
	from := day + 10*hour - minute
	l.cut(from, from+22*minute, "imap-login: Login")
	for i := range 5 {
		l.queryFault(from+minute+time.Duration(i)*5*minute, "192.0.2.10", "staff0@example.org")
	}
	for i := range 10 {
		l.unchecked(from+2*minute+time.Duration(i)*110*time.Second, newcomer, newcomerName)
	}
	l.attack(day+15*hour, attacker)
	return Situation{Name: "an outage of a host with one user, in which a second is new", Log: l, Attackers: []string{attacker}}
}

// noisyHost: the outage of hourlyOutage on a host that complains each half an hour, of
// something else.
func noisyHost() Situation {
	s := hourlyOutage()
	s.Name += " that complains all the time"
	for t := time.Duration(0); t < 2*day; t += 30 * minute {
		s.Log.add(t+7*minute, "dovecot", 0, "auth: Error: cannot write statistics: No space left on device")
	}
	return s
}

// crowdedOut: the outage of halfDown, in which strangers bring faults about to keep
// those of regulars from being heard.
func crowdedOut() Situation {
	s := halfDown()
	s.Name += ", and strangers make a noise"
	for k, t := 0, day+9*hour; t < day+12*hour; k, t = k+1, t+5*time.Second {
		s.Log.add(t, "dovecot", 0, "auth: Error: sql(x%d,2001:db8:500:%x::1,<%x>): Password query failed: Illegal mix of collations", k, k%300, s.Log.random.Uint64())
	}
	return s
}

// ownWayIn: in the outage of outageInAttack the attacker logs in all the while, to an
// account of his own that lies in another database.
func ownWayIn() Situation {
	s := outageInAttack()
	s.Name += " by somebody who gets in himself"
	for k, t := 0, day+8*hour; t < day+15*hour; k, t = k+1, t+20*time.Second {
		s.Log.imapLogin(t, fmt.Sprintf("203.0.113.%d", 20+k%3), "mallory@example.org")
	}
	return s
}

// bots guess for a day, each twice an hour and a half, at no more than nine accounts.
func (l *Log) bots(from, to time.Duration, n int) []string {
	var bots []string
	for i := range n {
		bot := fmt.Sprintf("2001:db8:%x::7", 0x300+i)
		bots = append(bots, bot)
		for k, t := 0, from+time.Duration(i)*17*time.Second; t < to; k, t = k+1, t+4*minute {
			l.imapFailure(t, bot, fmt.Sprintf("user%d@example.org", k%(1+i%9)), 1)
		}
	}
	return bots
}

// penalty: two addresses guess so fast that Dovecot holds its answer back for longer than
// Postfix waits, and bots guess in their shelter.
func penalty(name string, each time.Duration) Situation {
	l := NewLog()
	l.logins(0, 2*day, each)
	hammers := []string{"203.0.113.1", "203.0.113.2"}
	for t := day; t < day+8*hour; t += 45 * time.Second {
		for i, ip := range hammers {
			at := t + time.Duration(i)*20*time.Second
			l.submissionFailure(at, ip, "info@example.org")
			l.connectionLost(at+2*time.Second, ip)
			l.add(at+12*time.Second, "dovecot", 0, "auth: Error: auth client 0 disconnected with 1 pending requests: EOF")
		}
	}
	return Situation{Name: name, Log: l, Attackers: append(hammers, l.bots(day, day+8*hour, 10)...)}
}

// unusableNames: addresses that never got in send names that the database chokes on.
func unusableNames(name string, each time.Duration, addresses int) Situation {
	l := NewLog()
	l.logins(0, 2*day, each)
	for k, t := 0, day; t < day+8*hour; k, t = k+1, t+50*time.Second {
		ip := fmt.Sprintf("203.0.113.%d", 1+k%addresses)
		l.add(t, "dovecot", 0, "auth: Error: sql(\xc3\xb6%d,%s,<%x>): Password query failed: Illegal mix of collations (ascii_general_ci,IMPLICIT) and (utf8_general_ci,COERCIBLE) for operation '='", k, ip, l.random.Uint64())
	}
	return Situation{Name: name, Log: l, Attackers: l.bots(day, day+8*hour, 10)}
}

// namelessFaults: somebody has found a way to make Dovecot complain without naming him.
func namelessFaults() Situation {
	l := NewLog()
	l.logins(0, 2*day, hour)
	for t := day; t < day+8*hour; t += minute {
		l.add(t, "dovecot", 0, "auth: Error: something that a client brings about")
	}
	return Situation{Name: "faults that name no client, on a host with a login an hour", Log: l, Attackers: l.bots(day, day+8*hour, 10)}
}

// stagedTables: two addresses make lookups of recipients fail, a third harvests.
func stagedTables() Situation {
	l := NewLog()
	l.life(2)
	for k, t := 0, day; t < day+8*hour; k, t = k+1, t+50*time.Second {
		ip := fmt.Sprintf("203.0.113.%d", 1+k%2)
		l.refusal(t, ip, "unknown", "451 4.3.0 <\xc3\xb6@example.org>: Temporary lookup failure", "\xc3\xb6@example.org")
	}
	for i := range 200 {
		to := fmt.Sprintf("name%d@example.org", i)
		l.refusal(day+hour+time.Duration(i)*2*minute, attacker, "host.example.com", fmt.Sprintf("550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table", to), to)
	}
	return Situation{Name: "lookups that clients make fail", Log: l, Attackers: []string{attacker}}
}

// ownAccounts: who makes logins fail has two accounts here, and gets in with them.
func ownAccounts() Situation {
	l := NewLog()
	l.logins(0, 2*day, 20*time.Second)
	for i := range 2 {
		l.imapLogin(20*hour, fmt.Sprintf("203.0.113.%d", 1+i), fmt.Sprintf("own%d@example.org", i))
	}
	for k, t := 0, day; t < day+8*hour; k, t = k+1, t+50*time.Second {
		l.queryFault(t, fmt.Sprintf("203.0.113.%d", 1+k%2), fmt.Sprintf("own%d@example.org", k%2))
	}
	return Situation{Name: "faults that two users of ours bring about", Log: l, Attackers: l.bots(day, day+8*hour, 10)}
}

// everyNight: the two come back each night, when nobody else is there.
func everyNight() Situation {
	l := NewLog()
	l.life(4)
	for d := range 3 {
		night := time.Duration(d)*day + 22*hour
		l.cut(night, night+9*hour, "imap-login: Login")
		for k, t := 0, night; t < night+9*hour; k, t = k+1, t+50*time.Second {
			l.queryFault(t, fmt.Sprintf("203.0.113.%d", 1+k%2), fmt.Sprintf("nobody%d@example.org", k))
		}
	}
	return Situation{Name: "faults that two strangers bring about each night", Log: l, Attackers: l.bots(22*hour, 3*day+7*hour, 10)}
}

// lonelyFaults: nobody ever logs in here.
func lonelyFaults() Situation {
	l := NewLog()
	for t := time.Duration(0); t < 2*day; t += 10 * minute {
		l.delivery(t, "198.51.100.20", "mail20.example.net")
	}
	for k, t := 0, hour; t < 2*day; k, t = k+1, t+50*time.Second {
		l.queryFault(t, fmt.Sprintf("203.0.113.%d", 1+k%2), fmt.Sprintf("nobody%d@example.org", k))
	}
	return Situation{Name: "faults on a host where nobody logs in", Log: l, Attackers: l.bots(hour, 2*day, 10)}
}

// lateMorning: one address meets its own faults and guesses, until the first user is up.
func lateMorning() Situation {
	l := NewLog()
	l.life(2)
	l.cut(22*hour, day+9*hour, "imap-login: Login")
	for k, t := 0, day+5*hour; t < day+12*hour; k, t = k+1, t+90*time.Second {
		l.queryFault(t, attacker, fmt.Sprintf("nobody%d@example.org", k))
		l.imapFailure(t+30*time.Second, attacker, "boss@example.org", 1)
	}
	return Situation{Name: "a guesser's own faults before the first user is up", Log: l, Attackers: []string{attacker}}
}
