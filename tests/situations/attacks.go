package situations

import (
	"fmt"
	"time"
)

// Attack is a log with one attack in it, and who must be banned for it. The
// alerts of Told must come, whatever the verdict.
type Attack struct {
	Name   string
	Log    *Log
	Banned []string // addresses and networks, as the alerts name them; nobody else is banned
	Told   []Told
}

// Told is an alert that must come.
type Told struct{ Scenario, Scope, Value, Verdict string }

// Attacks are the sequences that the scenarios are for. Ordinary traffic goes on
// around each.
func Attacks() []Attack {
	return []Attack{
		hourlyGuess(), network24(), network64(), oneSession(), oneAccount(), spambotDay(), harvest(), longPause(), spelling(), relayProbe(),
		namelessDay(), namelessTwelve(), namelessSometimes(), namelessProvider(), refusedLogins(), refusedProgram(),
	}
}

// hourlyGuess is one guess an hour for a day, each on another account.
func hourlyGuess() Attack {
	l := NewLog()
	l.life(2)
	for i := range 24 {
		l.submissionFailure(day/2+time.Duration(i)*hour, attacker, fmt.Sprintf("user%d@example.org", i%4))
	}
	return Attack{"one guess an hour from one address for a day", l, []string{attacker}, []Told{{"csmail/auth-slow-bf", "Ip", attacker, "ban"}}}
}

// network24 is two guesses from each of a hundred addresses of a /24.
func network24() Attack {
	l := NewLog()
	l.life(2)
	for i := range 200 {
		l.imapFailure(day+time.Duration(i)*2*minute, fmt.Sprintf("203.0.113.%d", 1+i%100), fmt.Sprintf("user%d@example.org", i), 1)
	}
	return Attack{"200 guesses from 100 addresses of a /24", l, []string{"203.0.113.0/24"}, []Told{{"csmail/range-bf", "Range", "203.0.113.0/24", "ban"}}}
}

// network64 is a client that takes a new address of its /64 for each guess.
func network64() Attack {
	l := NewLog()
	l.life(2)
	for i := range 60 {
		l.imapFailure(day+time.Duration(i)*3*minute, fmt.Sprintf("2001:db8:66:1::%x", i*7+1), fmt.Sprintf("user%d@example.org", i%5), 1)
	}
	return Attack{"60 addresses of a /64", l, []string{"2001:db8:66:1::/64"}, []Told{{"csmail/auth-bf", "Range", "2001:db8:66:1::/64", "ban"}}}
}

// oneSession is Dovecot's summary of a connection that guessed fifty times.
func oneSession() Attack {
	l := NewLog()
	l.life(2)
	l.imapFailure(day+9*hour, attacker, "bob@example.org", 50)
	return Attack{"50 attempts in one session", l, []string{attacker}, []Told{{"csmail/auth-bf", "Ip", attacker, "ban"}}}
}

// oneAccount is a botnet on one account, each address once.
func oneAccount() Attack {
	l := NewLog()
	l.life(2)
	for i := range 60 {
		l.imapFailure(day+9*hour+time.Duration(i)*4*minute, fmt.Sprintf("2001:db8:%x::9", 0x200+i), "boss@example.org", 1)
	}
	return Attack{"one account tried from 60 addresses", l, nil, []Told{{"csmail/account-under-attack", "Username", "boss@example.org", "alert"}}}
}

// spambotDay is a client without a proper name that is refused for this and that,
// twice an hour, for a day.
func spambotDay() Attack {
	l := NewLog()
	l.life(3)
	texts := []string{
		"450 4.7.25 Client host rejected: cannot find your hostname, [" + attacker + "]",
		"554 5.7.1 Service unavailable; Client host [" + attacker + "] blocked using bl.example.com; https://bl.example.com/query",
		"504 5.5.2 <a>: Helo command rejected: need fully-qualified hostname",
		"550 5.1.1 <old@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
	}
	for i := range 32 {
		l.refusal(day+time.Duration(i)*45*minute, attacker, "unknown", texts[i%len(texts)], "old@example.org")
	}
	return Attack{"a spambot over a day", l, []string{attacker}, []Told{{"csmail/spambot", "Ip", attacker, "ban"}}}
}

// harvest is a client that tries names, one a session.
func harvest() Attack {
	l := NewLog()
	l.life(2)
	for i := range 40 {
		to := fmt.Sprintf("name%d@example.org", i)
		l.refusal(day+9*hour+time.Duration(i)*2*minute, attacker, "host.example.com",
			fmt.Sprintf("550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table", to), to)
	}
	return Attack{"harvesting of recipients", l, []string{attacker}, []Told{{"csmail/user-harvesting", "Ip", attacker, "ban"}}}
}

// longPause is five guesses, ten days of silence of the whole host, and six more
// from another address: the bucket of the first is empty by then.
func longPause() Attack {
	l := NewLog()
	const first, second = "203.0.113.80", "203.0.113.81"
	guess := func(at time.Duration, ip string, n int) {
		for i := range n {
			l.imapFailure(at+time.Duration(i)*10*time.Second, ip, "bob@example.org", 1)
		}
	}
	guess(hour, first, 4)
	guess(hour+10*day, first, 4)
	guess(2*hour+10*day, second, 6)
	return Attack{"ten days between two attempts", l, []string{second}, []Told{{"csmail/auth-bf", "Ip", second, "ban"}}}
}

// spelling is a user who spells his name in six ways, and a client that tries six
// accounts just as slowly: only that one sprays.
func spelling() Attack {
	l := NewLog()
	l.life(2)
	for i, name := range []string{"bob", "Bob", "BOB@example.org", "bob@example.org", "bOb@EXAMPLE.ORG", "bob@example.net"} {
		l.imapFailure(day+time.Duration(i)*hour, "203.0.113.90", name, 1)
		l.imapFailure(day+time.Duration(i)*hour, attacker, fmt.Sprintf("user%d@example.org", i), 1)
	}
	return Attack{"one account in six spellings, and six accounts", l, []string{attacker}, []Told{{"csmail/auth-spray", "Ip", attacker, "ban"}}}
}

// relayProbe is a client that looks for an open relay.
func relayProbe() Attack {
	l := NewLog()
	l.life(2)
	for i := range 4 {
		l.refusal(day+time.Duration(i)*20*minute, attacker, "unknown", "554 5.7.1 <victim@example.net>: Relay access denied", "victim@example.net")
	}
	return Attack{"a probe for an open relay", l, []string{attacker}, []Told{{"csmail/relay-probe", "Ip", attacker, "ban"}}}
}

// namelessDay is the day that csmail was first asked for: a client whose name cannot
// be found is refused 37 times, once each 39 minutes, while our resolver works.
func namelessDay() Attack {
	l := NewLog()
	l.life(3)
	for i := range 37 {
		l.nameless(day+time.Duration(i)*39*minute, attacker, "host.example.com")
	}
	return Attack{"37 refusals of a nameless client over a day", l, []string{attacker}, []Told{{"csmail/nameless", "Ip", attacker, "ban"}}}
}

// namelessTwelve is twelve refusals within a day, at any times.
func namelessTwelve() Attack {
	l := NewLog()
	l.life(4)
	var banned []string
	for client := range 8 {
		ip := fmt.Sprintf("203.0.113.%d", 10+client)
		for range 12 {
			l.nameless(day+time.Duration(l.random.Int64N(int64(day))), ip, "host.example.com")
		}
		banned = append(banned, ip)
	}
	return Attack{"twelve refusals of nameless clients within a day", l, banned, []Told{{"csmail/nameless", "Ip", banned[0], "ban"}}}
}

// namelessSometimes are senders without a name that never learn: three to five mails
// a day, refused each.
func namelessSometimes() Attack {
	l := NewLog()
	l.life(10)
	for client := range 9 {
		for d := range 10 {
			for range 3 + client%3 {
				at := time.Duration(d)*day + 8*hour + time.Duration(l.random.Int64N(int64(10*hour)))
				l.nameless(at, fmt.Sprintf("203.0.113.%d", 10+client), "mail.example.com")
			}
		}
	}
	return Attack{Name: "nameless senders of three to five mails a day", Log: l}
}

// namelessProvider is a host whose mail is taken, until its name breaks for a day and
// its queue comes back every twenty minutes.
func namelessProvider() Attack {
	l := NewLog()
	l.life(6)
	const ip = "203.0.113.70"
	for d := range 4 {
		for i := range 4 {
			l.delivery(time.Duration(d)*day+time.Duration(9+i)*hour, ip, "mail.example.com")
		}
	}
	for i := range 72 {
		l.nameless(4*day+time.Duration(i)*20*minute, ip, "mail.example.com")
	}
	return Attack{Name: "a host whose name breaks for a day", Log: l}
}

// refusedLogins is a client that tries to log in without TLS, every eleven seconds.
func refusedLogins() Attack {
	l := NewLog()
	l.life(2)
	for i := range 60 {
		l.refusedLogin(day+9*hour+time.Duration(i)*11*time.Second, attacker)
	}
	return Attack{"refused logins every eleven seconds", l, []string{attacker}, []Told{{"csmail/refused-logins", "Ip", attacker, "ban"}}}
}

// refusedProgram is a mail program that is set up without TLS: alone, it tries on
// four connections every ten minutes for days; in an office in which others log in,
// there are several of it.
func refusedProgram() Attack {
	l := NewLog()
	l.life(3)
	for t := time.Duration(0); t < 2*day; t += 10 * minute {
		for i := range 4 {
			l.refusedLogin(t+time.Duration(i)*time.Second, "203.0.113.71")
		}
		l.imapLogin(t, "203.0.113.72", "staff@example.org")
		for i := range 12 {
			l.refusedLogin(t+minute+time.Duration(i)*time.Second, "203.0.113.72")
		}
	}
	return Attack{Name: "a mail program without TLS", Log: l}
}
