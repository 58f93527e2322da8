package situations

import (
	"fmt"
	"time"
)

// The submission ports, as Postfix's master.cf names their smtpd.
const (
	submission = "postfix/submission/smtpd"
	smtps      = "postfix/smtps/smtpd"
	mx         = "postfix/smtpd"
)

// early is a connection whose client talks before it is its turn.
func (l *Log) early(after time.Duration, program, ip, name, bytes string) {
	pid := l.next()
	l.add(after, program, pid, "connect from %s[%s]", name, ip)
	l.add(after, program, pid, "improper command pipelining after CONNECT from %s[%s]: %s", name, ip, bytes)
	l.add(after, program, pid, "disconnect from %s[%s] commands=0/0", name, ip)
}

// rejected is a session at a submission port that ends with a refused recipient; auth
// is what its end says of its login, as " auth=1".
func (l *Log) rejected(after time.Duration, program, ip, text, auth string) {
	pid := l.next()
	l.add(after, program, pid, "connect from unknown[%s]", ip)
	l.add(after+time.Second, program, pid, "NOQUEUE: reject: RCPT from unknown[%s]: %s; from=<carl@example.org> to=<friend@example.com> proto=ESMTP helo=<CARLSPC>", ip, text)
	l.add(after+time.Second, program, pid, "disconnect from unknown[%s] ehlo=2 starttls=1%s mail=1 rcpt=0/1 quit=1 commands=5/6", ip, auth)
}

// spam is a message that a filter refuses at its end.
func (l *Log) spam(after time.Duration, ip, name string) {
	pid := l.next()
	queueID := fmt.Sprintf("%011X", l.random.Uint64()>>20)
	l.add(after, mx, pid, "connect from %s[%s]", name, ip)
	l.add(after+time.Second, mx, pid, "%s: client=%s[%s]", queueID, name, ip)
	l.add(after+2*time.Second, "postfix/cleanup", pid+1, "%s: milter-reject: END-OF-MESSAGE from %s[%s]: 5.7.1 Spam message rejected; from=<x@%s> to=<alice@example.org> proto=ESMTP helo=<%s>", queueID, name, ip, name, name)
	l.add(after+2*time.Second, mx, pid, "disconnect from %s[%s] ehlo=1 mail=1 rcpt=1 data=0/1 quit=1 commands=4/5", name, ip)
}

// reader logs in each so often for a day, as a mail program that looks for mail.
func (l *Log) reader(from time.Duration, ip, user string, every time.Duration) {
	for t := time.Duration(0); t < day; t += every {
		l.imapLogin(from+t, ip, user)
	}
}

const (
	accessDenied = "554 5.7.1 <unknown[203.0.113.22]>: Client host rejected: Access denied"
	relayDenied  = "554 5.7.1 <friend@example.com>: Relay access denied"
	noFQDN       = "504 5.5.2 <CARLSPC>: Helo command rejected: need fully-qualified hostname"
	customer     = "203.0.113.22"
)

// Standing are situations in which who did it decides, and not what was done.
func Standing() []Situation {
	return []Situation{
		withoutAuth("a customer without SMTP AUTH on 587", submission, accessDenied),
		withoutAuth("a customer without SMTP AUTH on 25", mx, relayDenied),
		withoutAuth("a PC's name as HELO", smtps, noFQDN),
		loggedInPC(), startTLSPort(), pipeliningUser(), accountSetup(), newAccount(), slowTypist(),
		ownAccount(), throughWebmail(), throughCarrier(), fewOwnAccounts(), oldDevices(), hiddenGuesses(2), hiddenGuesses(10), hiddenGuesses(40), oldPhoneBesideTypos(), fewAccountsSlowly(), manyAccountsFast(), ownAccountTwoTargets(), strangerOnSubmission(), breakIn(),
	}
}

// withoutAuth reads his mail, and is refused each five minutes where he sends it.
func withoutAuth(name, program, text string) Situation {
	l := NewLog()
	l.life(2)
	l.reader(day-hour, customer, "carl@example.org", 5*minute)
	for i := range 24 {
		l.rejected(day+time.Duration(i)*5*minute+3*time.Second, program, customer, text, "")
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: name, Log: l, Attackers: []string{attacker}}
}

// loggedInPC is refused for its name in sessions in which it has logged in. It never
// logs in anywhere else.
func loggedInPC() Situation {
	l := NewLog()
	l.life(2)
	for i := range 12 {
		l.rejected(day+9*hour+time.Duration(i)*10*minute, smtps, customer, noFQDN, " auth=1")
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "a PC that is refused after it has logged in", Log: l, Attackers: []string{attacker}}
}

func startTLSPort() Situation {
	l := NewLog()
	l.life(2)
	l.reader(day-hour, customer, "carl@example.org", hour)
	for i := range 10 {
		l.early(day+time.Duration(i)*30*time.Second, submission, customer, "p5b0a.dip.example.net", `\026\003\001\002\000\001\000\001\374\003\003`)
		pid := l.next()
		l.add(day+time.Duration(i)*30*time.Second, submission, pid, "warning: non-SMTP command from p5b0a.dip.example.net[%s]: \\026\\003\\001", customer)
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "TLS where STARTTLS is wanted, of somebody who reads his mail", Log: l, Attackers: []string{attacker}}
}

// pipeliningUser has a mail program that sends too much at once, in sessions with a
// login.
func pipeliningUser() Situation {
	l := NewLog()
	l.life(2)
	for i := range 10 {
		at, pid := day+9*hour+time.Duration(i)*minute, l.next()
		l.add(at, submission, pid, "connect from unknown[%s]", customer)
		l.add(at+time.Second, submission, pid, "%011X: client=unknown[%s], sasl_method=PLAIN, sasl_username=carl@example.org", l.random.Uint64()>>20, customer)
		l.add(at+time.Second, submission, pid, `improper command pipelining after DATA from unknown[%s]: MAIL FROM:<carl@example.org>\r\n`, customer)
		l.add(at+2*time.Second, submission, pid, "disconnect from unknown[%s] ehlo=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=6", customer)
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "pipelining in sessions with a login", Log: l, Attackers: []string{attacker}}
}

// accountSetup is a mail program that looks for its settings at a new address.
func accountSetup() Situation {
	l := NewLog()
	l.life(2)
	at := day + 9*hour
	for i := range 4 {
		l.early(at+time.Duration(i)*2*time.Second, submission, customer, "p5dd0.dip.example.net", `EHLO we-guess.mozilla.org\r\n`)
		l.early(at+time.Duration(i)*2*time.Second, mx, customer, "p5dd0.dip.example.net", `EHLO we-guess.mozilla.org\r\n`)
	}
	l.rejected(at+20*time.Second, submission, customer, relayDenied, "")
	l.imapLogin(at+45*time.Second, customer, "gina@example.org")
	l.attack(day+3*hour, attacker)
	return Situation{Name: "a mail program is set up", Log: l, Attackers: []string{attacker}}
}

// newAccount logs in for the first time half a minute after it was refused once.
func newAccount() Situation {
	l := NewLog()
	l.life(2)
	l.rejected(day+9*hour, smtps, customer, noFQDN, "")
	l.imapLogin(day+9*hour+30*time.Second, customer, "gina@example.org")
	for i := range 6 {
		l.rejected(day+10*hour+time.Duration(i)*hour, smtps, customer, noFQDN, "")
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "refused once before the first login", Log: l, Attackers: []string{attacker}}
}

// slowTypist is new and finds his password at the fifth try, and again the next day.
func slowTypist() Situation {
	l := NewLog()
	l.life(3)
	for _, at := range [...]time.Duration{day + 9*hour, 2*day + 8*hour} {
		for i := range 4 {
			l.imapFailure(at+time.Duration(i)*20*time.Second, customer, "hans@example.org", 1)
		}
		l.imapLogin(at+90*time.Second, customer, "hans@example.org")
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "four mistakes, then the right password", Log: l, Attackers: []string{attacker}}
}

// ownAccount reads mail of an account of his own all day long and guesses at others.
func ownAccount() Situation {
	l := NewLog()
	l.life(2)
	l.reader(day-hour, attacker, "mallory@example.org", 5*minute)
	for i := range 60 {
		l.imapFailure(day+time.Duration(i)*2*minute, attacker, fmt.Sprintf("staff%d@example.org", i%9), 1)
		l.rejected(day+time.Duration(i)*2*minute, submission, attacker, relayDenied, "")
	}
	return Situation{Name: "a guesser with an account of his own", Log: l, Attackers: []string{attacker}}
}

// throughWebmail guesses at a page through which everybody reads mail, and which nobody
// has listed as a relay.
func throughWebmail() Situation {
	l := NewLog()
	l.life(4)
	l.everybody(0, 4*day, provider, 30)
	for i := range 60 {
		l.imapFailure(2*day+time.Duration(i)*2*minute, provider, fmt.Sprintf("staff%d@example.org", i), 1)
	}
	for i := range 40 {
		l.submissionFailure(3*day+time.Duration(i)*time.Minute, provider, fmt.Sprintf("boss%d@example.org", i%4))
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "guesses through a webmail page", Log: l, Attackers: []string{attacker}, Held: true}
}

// throughCarrier is a phone network's address with twelve users and a client that guesses.
func throughCarrier() Situation {
	l := NewLog()
	l.life(4)
	l.everybody(0, 4*day, provider, 12)
	for i := range 300 {
		l.imapFailure(2*day+time.Duration(i)*time.Minute, provider, fmt.Sprintf("user%d@example.org", i%40), 1)
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "guesses from a carrier's shared address", Log: l, Attackers: []string{attacker}, Held: true}
}

// fewOwnAccounts has five accounts of its own, not enough to pass for many users. Another
// one broke into twelve within one day.
func fewOwnAccounts() Situation {
	l := NewLog()
	l.life(4)
	l.everybody(0, 4*day, attacker, 5)
	const second = "203.0.113.67"
	l.everybody(2*day-8*hour, 2*day, second, 12)
	for i := range 60 {
		l.imapFailure(2*day+time.Duration(i)*2*minute, attacker, fmt.Sprintf("staff%d@example.org", i), 1)
		l.imapFailure(2*day+time.Duration(i)*2*minute, second, fmt.Sprintf("staff%d@example.org", i), 1)
	}
	return Situation{Name: "guessers with a few accounts of their own", Log: l, Attackers: []string{attacker, second}}
}

// oldDevices is an office of 25 users whose mail has just moved here. Three devices keep
// their old passwords, and no user of theirs has logged in yet.
func oldDevices() Situation {
	l := NewLog()
	l.life(2)
	from := day + 8*hour
	l.everybody(from, from+9*hour, provider, 25)
	for i, every := range [...]time.Duration{10 * minute, 15 * minute, 20 * minute} {
		for at := from + 40*minute; at < from+9*hour; at += every {
			l.imapFailure(at, provider, fmt.Sprintf("scanner%d@example.org", i), 1)
		}
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "an office that moved here, with three old devices", Log: l, Attackers: []string{attacker}}
}

// hiddenGuesses has an account of his own, and fails on it so many times for each guess at
// another's.
func hiddenGuesses(each int) Situation {
	l := NewLog()
	l.life(3)
	l.reader(day-hour, attacker, "mallory@example.org", hour)
	for i := range 60 {
		at := day + 9*hour + time.Duration(i)*8*minute
		l.imapFailure(at, attacker, []string{"ceo@example.org", "cfo@example.org", "cto@example.org"}[i%3], 1)
		for k := range each {
			l.imapFailure(at+time.Duration(k+1)*10*time.Second, attacker, "mallory@example.org", 1)
		}
	}
	return Situation{Name: fmt.Sprintf("guesses hidden among %d failures of an own account each", each), Log: l, Attackers: []string{attacker}}
}

// oldPhoneBesideTypos is a home with a phone that tries an old password each minute. Its
// users mistype now and then, and a guest once.
func oldPhoneBesideTypos() Situation {
	l := NewLog()
	l.life(3)
	l.everybody(0, 3*day, customer, 2)
	for i := range 24 * 60 {
		l.imapFailure(day+time.Duration(i)*minute, customer, "member0@example.org", 1)
	}
	for i := range 12 {
		l.imapFailure(day+time.Duration(i)*2*hour+20*time.Second, customer, "member1@example.org", 1)
	}
	for i := range 3 {
		l.imapFailure(day+10*hour+time.Duration(i)*40*time.Second, customer, "guest@example.org", 1)
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "an old phone beside people who mistype", Log: l, Attackers: []string{attacker}}
}

// fewAccountsSlowly has five accounts of his own and tries two others, each ten times an
// hour.
func fewAccountsSlowly() Situation {
	l := NewLog()
	l.life(2)
	l.everybody(day, 2*day, attacker, 5)
	for i := range 100 {
		l.imapFailure(day+9*hour+time.Duration(i)*3*minute, attacker, []string{"ceo", "cfo"}[i%2], 1)
	}
	return Situation{Name: "a guesser at two accounts with five of his own", Log: l, Attackers: []string{attacker}}
}

// manyAccountsFast has twelve accounts, since today, and tries three others faster than a
// device does.
func manyAccountsFast() Situation {
	l := NewLog()
	l.life(2)
	l.everybody(day+8*hour, 2*day, attacker, 12)
	for i := range 100 {
		l.imapFailure(day+9*hour+time.Duration(i)*minute, attacker, []string{"ceo", "cfo", "cto"}[i%3], 1)
	}
	return Situation{Name: "a guesser at three accounts with twelve of his own", Log: l, Attackers: []string{attacker}}
}

// everybody has users log in from one address every two hours.
func (l *Log) everybody(from, to time.Duration, ip string, users int) {
	for at := from; at < to; at += 2 * hour {
		for i := range users {
			l.imapLogin(at+time.Duration(i)*minute, ip, fmt.Sprintf("member%d@example.org", i))
		}
	}
}

// ownAccountTwoTargets spells his own name as others do, and has only two targets.
func ownAccountTwoTargets() Situation {
	l := NewLog()
	l.life(2)
	l.reader(day-hour, attacker, "ey0habw3", 5*minute)
	for i := range 60 {
		l.imapFailure(day+time.Duration(i)*30*time.Second, attacker, []string{"ceo", "cfo"}[i%2], 1)
	}
	return Situation{Name: "a guesser at two accounts with one of his own", Log: l, Attackers: []string{attacker}}
}

// strangerOnSubmission does what the customers do and never logs in.
func strangerOnSubmission() Situation {
	l := NewLog()
	l.life(2)
	for i := range 12 {
		l.rejected(day+time.Duration(i)*10*minute, submission, attacker, relayDenied, "")
		l.rejected(day+time.Duration(i)*10*minute+minute, submission, attacker, accessDenied, "")
	}
	return Situation{Name: "a stranger who asks for relay on 587", Log: l, Attackers: []string{attacker}}
}

// breakIn guesses until it finds the password. A second one at another address has
// only the login of the account that the first one broke into.
func breakIn() Situation {
	l := NewLog()
	l.life(2)
	for i := range 40 {
		l.imapFailure(day+10*hour+time.Duration(i)*3*time.Second, attacker, "alice@example.org", 1)
	}
	l.imapLogin(day+10*hour+3*minute, attacker, "alice@example.org")
	for i := range 40 {
		l.imapFailure(day+11*hour+time.Duration(i)*3*time.Second, attacker, "alice@example.org", 1)
	}
	return Situation{Name: "a guesser who finds the password", Log: l, Attackers: []string{attacker}}
}
