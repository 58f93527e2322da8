package situations

import (
	"fmt"
	"time"
)

// Reported are situations that administrators report of other tools, in which honest
// clients are refused for something that is none of their doing, beside the attackers
// who look like them.
func Reported() []Situation {
	return []Situation{nameWithoutDomain(), fullMailbox(), foreignSender(), refusingScreenList(), givenUp(), slowNetwork(), phoneOnTheMove()}
}

// nameWithoutDomain: mail programs that are set up try the address and the name before
// the @ by turns. A guesser tries one name in three domains.
func nameWithoutDomain() Situation {
	l := NewLog()
	l.life(1)
	const guesser = "203.0.113.67"
	for i := range 6 {
		at := 10*hour + time.Duration(i)*30*minute
		ip, user := fmt.Sprintf("198.51.100.%d", 20+i), fmt.Sprintf("new%d", i)
		l.imapFailure(at, ip, user+"@example.org", 1)
		l.imapFailure(at+5*time.Second, ip, user, 1)
		l.submissionFailure(at+10*time.Second, ip, user+"@Example.org")
		l.imapLogin(at+2*minute, ip, user+"@example.org")
	}
	for i := range 9 {
		l.imapFailure(15*hour+time.Duration(i)*10*time.Second, guesser, fmt.Sprintf("bob@%d.example.org", i%3), 1)
	}
	l.attack(14*hour, attacker)
	return Situation{Name: "new mail programs try the name with and without its domain", Log: l, Attackers: []string{attacker, guesser}}
}

// fullMailbox: one of our users is away and his mailbox full, and a newsletter comes to
// him twice an hour. A spambot is refused by the same policy server.
func fullMailbox() Situation {
	l := NewLog()
	l.life(2)
	for i := range 48 {
		at := day/2 + time.Duration(i)*30*minute
		l.refusal(at, "198.51.100.30", "news.example.com",
			"552 5.2.2 <alice@example.org>: Recipient address rejected: Quota exceeded (mailbox for user is full)", "alice@example.org")
		l.refusal(at+minute, "198.51.100.31", "list.example.com", "550 5.7.1 <alice@example.org>: Recipient address rejected: Mailbox is full", "alice@example.org")
	}
	l.attack(day+12*hour, attacker)
	return Situation{Name: "a mailbox that is full", Log: l, Attackers: []string{attacker}}
}

// foreignSender: a program in an office logs in for each mail, and may not send in the
// name that it is set to. The end of its sessions alone shows the login, because no
// recipient is accepted.
func foreignSender() Situation {
	l := NewLog()
	l.life(2)
	for i := range 60 {
		at, pid := 20*hour+time.Duration(i)*5*minute, l.next()
		const client, program = "office.example.net[198.51.100.40]", "postfix/submission/smtpd"
		l.add(at, program, pid, "connect from %s", client)
		l.add(at+time.Second, program, pid, "NOQUEUE: reject: RCPT from %s: 553 5.7.1 <shop@example.org>: Sender address rejected: not owned by user kim@example.org; from=<shop@example.org> to=<x@example.net> proto=ESMTP helo=<pc>", client)
		l.add(at+2*time.Second, program, pid, "disconnect from %s ehlo=2 starttls=1 auth=1 mail=1 rcpt=0/1 quit=1 commands=6/7", client)
	}
	l.attack(day+12*hour, attacker)
	return Situation{Name: "a sender that the user does not own", Log: l, Attackers: []string{attacker}}
}

// refusingScreenList: postscreen asks a list that refuses our resolver, then one whose
// domain was sold. Its log shows that in dnsblog's answers alone.
func refusingScreenList() Situation {
	l := NewLog()
	l.life(2)
	for i := range 120 {
		at, port := day/2+time.Duration(i)*3*minute, 20000+i
		ip, answer := sender(i%30), "127.255.255.254"
		if i >= 60 {
			answer = "198.51.100.80"
		}
		const program = "postfix/postscreen"
		l.add(at, program, 44, "CONNECT from [%s]:%d to [198.51.100.250]:25", ip, port)
		l.add(at+time.Second/10, "postfix/dnsblog", 45, "addr %s listed by domain bl.example.com as %s", ip, answer)
		l.add(at+6*time.Second, program, 44, "DNSBL rank 3 for [%s]:%d", ip, port)
		l.add(at+7*time.Second, program, 44, "NOQUEUE: reject: RCPT from [%s]:%d: 550 5.7.1 Service unavailable; client [%s] blocked using bl.example.com; from=<a@example.com>, to=<alice@example.org>, proto=ESMTP, helo=<mail%d.example.com>", ip, port, ip, i%30)
		l.add(at+7*time.Second, program, 44, "DISCONNECT [%s]:%d", ip, port)
	}
	l.attack(day+12*hour, attacker)
	return Situation{Name: "a DNS block list that refuses postscreen", Log: l, Attackers: []string{attacker}}
}

// givenUp: a bot begins a login each minute and hangs up before the answer, another one
// cancels it. So does a program of somebody who reads his mail from the same address, and
// a monitor hangs up without a login.
func givenUp() Situation {
	l := NewLog()
	l.life(2)
	bots := []string{"203.0.113.67", "203.0.113.68"}
	const user, monitor = "192.0.2.201", "192.0.2.202"
	session := func(at time.Duration, ip, said, end string) {
		pid := l.next()
		l.add(at, "postfix/smtpd", pid, "connect from unknown[%s]", ip)
		l.add(at+time.Second, "postfix/smtpd", pid, said, ip)
		l.add(at+2*time.Second, "postfix/smtpd", pid, "disconnect from unknown[%s] %s", ip, end)
	}
	const aborted, lost, end = "warning: unknown[%s]: SASL LOGIN authentication aborted", "lost connection after AUTH from unknown[%s]", "ehlo=1 auth=0/1 commands=1/2"
	l.imapLogin(day+9*hour, user, "kim@example.org")
	for i := range 180 {
		at := day + 10*hour + time.Duration(i)*minute
		session(at, bots[0], lost, end)
		session(at+5*time.Second, bots[1], aborted, end)
		session(at+10*time.Second, user, lost, end)
		session(at+15*time.Second, monitor, "lost connection after CONNECT from unknown[%s]", "commands=0/0")
	}
	return Situation{Name: "logins that are given up half-way", Log: l, Attackers: bots}
}

// slowNetwork: a network tries one account from one address after the other, each
// address once, one in five minutes.
func slowNetwork() Situation {
	l := NewLog()
	l.life(2)
	s := Situation{Name: "a network that tries each five minutes from another address", Log: l}
	for i := range 60 {
		ip := fmt.Sprintf("203.0.113.%d", 1+i)
		l.imapFailure(day+9*hour+time.Duration(i)*5*minute, ip, "info@example.org", 1)
		s.Attackers = append(s.Attackers, ip)
	}
	return s
}

// phoneOnTheMove: a phone with an old password comes from another address of its
// provider every ten minutes. Its owner, and others, logged in from there last week.
func phoneOnTheMove() Situation {
	l := NewLog()
	l.life(5)
	for i := range 24 {
		l.imapLogin(time.Duration(i)*hour, fmt.Sprintf("198.51.100.%d", 100+i*3), "kim@example.org")
	}
	for i := range 200 {
		l.imapFailure(3*day+time.Duration(i)*10*minute, fmt.Sprintf("198.51.100.%d", 100+i*3%72), "kim@example.org", 1)
	}
	l.attack(4*day, attacker)
	return Situation{Name: "a phone with an old password on the move", Log: l, Attackers: []string{attacker}}
}
