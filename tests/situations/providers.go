package situations

import (
	"fmt"
	"time"
)

const (
	provider, providerName = "203.0.113.77", "out7.provider.example"
	unknownUser            = "550 5.1.1 <old@example.org>: Recipient address rejected: User unknown in virtual mailbox table"
)

// Providers are mail hosts of which some mail is refused.
func Providers() []Situation {
	return []Situation{
		providerDay("a provider with a few customers who send spam", 40, 10, func(l *Log, at time.Duration) { l.spam(at, provider, providerName) }),
		providerDay("a newsletter with a few old addresses", 60, 12, func(l *Log, at time.Duration) {
			l.refusal(at, provider, providerName, fmt.Sprintf("550 5.1.1 <old%d@example.org>: Recipient address rejected: User unknown in virtual mailbox table", at/time.Second), fmt.Sprintf("old%d@example.org", at/time.Second))
		}),
		watchedList(), overMidnight(), spamSource(), mailThenGuesses(), sharedByCustomers(),
	}
}

// providerDay has mail taken and refused by turns, all on the first day that it comes.
func providerDay(name string, taken, refused int, refuse func(l *Log, at time.Duration)) Situation {
	l := NewLog()
	l.life(2)
	for i := range taken {
		l.delivery(day+8*hour+time.Duration(i)*3*minute, provider, providerName)
	}
	for i := range refused {
		refuse(l, day+9*hour+time.Duration(i)*5*minute)
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: name, Log: l, Attackers: []string{attacker}}
}

// watchedList is a block list with a provider in it. postscreen only watches that list
// (postscreen_dnsbl_action = ignore), so the provider's mail is taken each time. The mail
// of a spammer in the list is refused by a filter.
func watchedList() Situation {
	l := NewLog()
	l.life(2)
	listed := func(at time.Duration, ip string, port int) {
		const program = "postfix/postscreen"
		l.add(at, program, 44, "CONNECT from [%s]:%d to [198.51.100.250]:25", ip, port)
		l.add(at, "postfix/dnsblog", 45, "addr %s listed by domain bl.example.com as 127.0.0.2", ip)
		l.add(at+6*time.Second, program, 44, "DNSBL rank 3 for [%s]:%d", ip, port)
	}
	for i := range 20 {
		at := day + 8*hour + time.Duration(i)*10*minute
		listed(at, provider, 20000+i)
		l.delivery(at+7*time.Second, provider, providerName)
		listed(at+minute, attacker, 30000+i)
		l.spam(at+minute+7*time.Second, attacker, "host.spam.example")
	}
	return Situation{Name: "a block list that is only watched", Log: l, Attackers: []string{attacker}}
}

// overMidnight: the mail was taken before midnight, the spam is refused after it.
func overMidnight() Situation {
	l := NewLog()
	l.life(3)
	for i := range 40 {
		l.delivery(day+21*hour+time.Duration(i)*4*minute, provider, providerName)
	}
	for i := range 12 {
		l.spam(2*day+time.Duration(1+i)*4*minute, provider, providerName)
	}
	l.delivery(2*day+2*minute, provider, providerName)
	l.attack(day+3*hour, attacker)
	return Situation{Name: "a provider, over midnight", Log: l, Attackers: []string{attacker}}
}

// spamSource gets a few messages through, of many.
func spamSource() Situation {
	l := NewLog()
	l.life(2)
	for i := range 24 {
		at := day + 9*hour + time.Duration(i)*4*minute
		l.spam(at, attacker, "host.spam.example")
		if i%8 == 0 {
			l.delivery(at+minute, attacker, "host.spam.example")
		}
	}
	return Situation{Name: "a source of spam of which a little is taken", Log: l, Attackers: []string{attacker}}
}

// mailThenGuesses brings mail for days, and then guesses passwords.
func mailThenGuesses() Situation {
	l := NewLog()
	l.life(6)
	for d := range 5 {
		for i := range 10 {
			l.delivery(time.Duration(d)*day+time.Duration(i)*hour, attacker, "mail.evil.example")
		}
	}
	for i := range 40 {
		l.submissionFailure(4*day+12*hour+time.Duration(i)*minute, attacker, []string{"staff1@example.org", "staff2@example.org"}[i%2])
	}
	const one = "203.0.113.68" // guesses at one account, slowly
	for d := range 5 {
		l.delivery(time.Duration(d)*day+hour, one, "mail2.evil.example")
	}
	for i := range 60 {
		l.submissionFailure(4*day+time.Duration(i)*20*minute, one, "boss@example.org")
	}
	return Situation{Name: "password guessing behind mail that is taken", Log: l, Attackers: []string{attacker, one}}
}

// sharedByCustomers is an office that sends mail itself and reads it with passwords
// of which one is old.
func sharedByCustomers() Situation {
	l := NewLog()
	l.life(6)
	for d := range 5 {
		l.delivery(time.Duration(d)*day+hour, provider, providerName)
	}
	l.reader(4*day-hour, provider, "carl@example.org", hour)
	for i := range 60 {
		l.imapFailure(4*day+time.Duration(i)*15*minute, provider, "dora@example.org", 1)
	}
	l.attack(day+3*hour, attacker)
	return Situation{Name: "an office with a mail host and an old password", Log: l, Attackers: []string{attacker}}
}

// mailingBots each bring a message and then guess, as many as the cap on a day's
// successful clients would spare.
func mailingBots() Situation {
	l := NewLog()
	l.life(2)
	var bots []string
	for i := range 120 {
		ip := fmt.Sprintf("2001:db8:%x::25", 0x500+i)
		bots = append(bots, ip)
		at := day + 9*hour + time.Duration(i)*7*time.Second
		l.delivery(at, ip, fmt.Sprintf("host%d.evil.example", i))
		for try := range 18 {
			l.imapFailure(at+hour+time.Duration(try)*40*time.Second, ip, fmt.Sprintf("user%d@example.org", (i+try)%9), 1)
		}
	}
	return Situation{Name: "bots that each had a message taken", Log: l, Attackers: bots}
}

// loggedInBots each log in on one account of their own and then guess.
func loggedInBots() Situation {
	l := NewLog()
	l.life(2)
	var bots []string
	for i := range 60 {
		ip := fmt.Sprintf("2001:db8:%x::25", 0x700+i)
		bots = append(bots, ip)
		at := day + 9*hour + time.Duration(i)*7*time.Second
		l.imapLogin(at, ip, "mallory@example.org")
		for try := range 18 {
			l.imapFailure(at+hour+time.Duration(try)*40*time.Second, ip, fmt.Sprintf("user%d@example.org", (i+try)%9), 1)
		}
	}
	return Situation{Name: "bots that share an account of their own", Log: l, Attackers: bots}
}

// afterTheOutage guesses through an outage, is held, and goes on when it is over.
func afterTheOutage() Situation {
	l := NewLog()
	l.life(2)
	night := day + 2*hour
	for i := range 20 {
		for user := range 3 {
			l.unchecked(night+time.Duration(i)*30*time.Second+time.Duration(user)*time.Second, fmt.Sprintf("192.0.2.%d", 10+user), fmt.Sprintf("staff%d@example.org", user))
		}
	}
	over := night + 10*minute
	guess := func(at time.Duration, n int) {
		l.imapFailure(at, attacker, fmt.Sprintf("victim%d@example.org", n%6), 1)
	}
	for i := range 8 {
		guess(over-2*minute+time.Duration(i)*5*time.Second, i)
	}
	l.imapLogin(over+5*time.Second, "192.0.2.11", "staff1@example.org")
	for i := range 9 {
		guess(over+150*time.Second+time.Duration(i)*time.Second/2, i)
	}
	return Situation{Name: "a guesser who goes on after an outage", Log: l, Attackers: []string{attacker}, Held: true}
}

// wrongTable is a mistake of ours: a table refuses hosts whose mail was taken.
func wrongTable() *Log {
	l := NewLog()
	l.life(2)
	for i := range 60 {
		ip, name := fmt.Sprintf("2001:db8:%x::25", 0x900+i), fmt.Sprintf("mail%d.example.com", i)
		at := day + time.Duration(i)*7*time.Second
		l.delivery(at, ip, name)
		for try := range 8 {
			l.refusal(at+time.Duration(1+try)*20*minute, ip, name, "554 5.7.1 <"+name+">: Client host rejected: Access denied", "alice@example.org")
		}
	}
	return l
}
