package situations

import (
	"fmt"
	"time"
)

// Situation is a log and the truth about it.
type Situation struct {
	Name      string
	Config    string // lines of the configuration file
	Log       *Log
	Attackers []string // each must be banned, and nobody else
	Held      bool     // at least one alert must be held, for a person to see
}

const (
	attacker = "203.0.113.66"
	minute   = time.Minute
	hour     = time.Hour
	day      = 24 * time.Hour
)

// Honest are the situations in which the innocent look guilty. In each one real
// attacker is at work.
func Honest() []Situation {
	return []Situation{
		resolverDown("resolver down, large host", 300, true),
		resolverDown("resolver down, small host", 4, false),
		authServerDown(), userDatabaseDown(), greylisting(), refusingBlockList(), monitoring(),
		stalePassword(), wrongFiveTimes(), dockerGateway(), bigProvider(), backupMX(), privacyAddresses(),
		secondDatabaseDown(), emptyDirectory(), twoOutages(),
	}
}

// Outages are attacks that look like an outage of ours.
func Outages() []Situation {
	return []Situation{botnet(), ownNames(), guessingInOutage()}
}

func resolverDown(name string, clients int, large bool) Situation {
	l := NewLog()
	l.life(2)
	outage := day + 9*hour
	// While the resolver is down nobody has a verified name.
	cut := l.lines[:0]
	for _, n := range l.lines {
		if d := n.at.Sub(l.start); d < outage || d > outage+3*hour {
			cut = append(cut, n)
		}
	}
	l.lines = cut
	tries := 40 / clients
	if large {
		tries = 6
	}
	for i := range clients {
		for try := range max(tries, 1) {
			at := outage + time.Duration(try)*(170*minute)/time.Duration(max(tries, 1)) + time.Duration(i)*time.Second
			l.nameless(at, sender(i), fmt.Sprintf("mail%d.example.com", i))
		}
	}
	l.attack(outage+hour, attacker)
	return Situation{Name: name, Log: l, Attackers: []string{attacker}}
}

// sender gives mail hosts their addresses.
func sender(i int) string {
	if i < 200 {
		return fmt.Sprintf("198.51.100.%d", i+40)
	}
	return fmt.Sprintf("192.0.2.%d", i-200+100)
}

func authServerDown() Situation {
	l := NewLog()
	l.life(2)
	for i := range 40 {
		at := day + 10*hour + time.Duration(i)*30*time.Second
		ip := fmt.Sprintf("192.0.2.%d", 10+i%10)
		pid := l.next()
		l.add(at, "postfix/submission/smtpd", pid, "warning: SASL: Connect to private/auth failed: Connection refused")
		l.add(at, "postfix/submission/smtpd", pid, "warning: unknown[%s]: SASL PLAIN authentication failed: Connection lost to authentication server", ip)
		l.add(at+time.Second, "postfix/submission/smtpd", pid, "disconnect from unknown[%s] ehlo=1 auth=0/1 quit=1 commands=2/3", ip)
	}
	l.attack(day+15*hour, attacker)
	return Situation{Name: "auth server down", Log: l, Attackers: []string{attacker}}
}

func userDatabaseDown() Situation {
	l := NewLog()
	l.life(2)
	outage := day + 10*hour
	for i := range 120 {
		at := outage + time.Duration(i)*15*time.Second
		n := i % 10
		if i%10 == 0 {
			l.add(at, "dovecot", 0, "auth: Error: sql(staff%d@example.org,192.0.2.%d,<S%d>): Password query failed: Can't connect to MySQL server on '192.0.2.250' (111)", n, 10+n, i)
		}
		l.imapFailure(at+2*time.Second, fmt.Sprintf("192.0.2.%d", 10+n), fmt.Sprintf("staff%d@example.org", n), 1)
	}
	l.attack(outage+5*hour, attacker)
	return Situation{Name: "user database down", Log: l, Attackers: []string{attacker}}
}

func greylisting() Situation {
	l := NewLog()
	l.life(2)
	for i := range 60 {
		for try := range 4 {
			l.refusal(day+time.Duration(i)*10*minute+time.Duration(try)*2*minute, sender(i), fmt.Sprintf("mail%d.example.com", i),
				"450 4.2.0 <alice@example.org>: Recipient address rejected: Greylisted, see http://postgrey.example.org/help/", "alice@example.org")
		}
	}
	l.attack(day+12*hour, attacker)
	return Situation{Name: "greylisting", Log: l, Attackers: []string{attacker}}
}

func refusingBlockList() Situation {
	l := NewLog()
	l.life(2)
	for i := range 120 {
		ip := sender(i % 30)
		l.refusal(day+time.Duration(i)*3*minute, ip, fmt.Sprintf("mail%d.example.com", i%30),
			fmt.Sprintf("554 5.7.1 Service unavailable; Client host [%s] blocked using bl.example.com; Error: open resolver; https://bl.example.com/returnc/pub/", ip), "alice@example.org")
	}
	l.attack(day+12*hour, attacker)
	return Situation{Name: "a DNS block list that refuses us", Log: l, Attackers: []string{attacker}}
}

func monitoring() Situation {
	l := NewLog()
	l.life(2)
	for t := time.Duration(0); t < 2*day; t += minute {
		pid := l.next()
		l.add(t, "postfix/smtpd", pid, "connect from unknown[198.51.100.9]")
		l.add(t, "postfix/smtpd", pid, "lost connection after CONNECT from unknown[198.51.100.9]")
		l.add(t, "postfix/smtpd", pid, "disconnect from unknown[198.51.100.9] commands=0/0")
		l.add(t+time.Second, "dovecot", 0, "imap-login: Disconnected (no auth attempts in 0 secs): user=<>, rip=198.51.100.9, lip=198.51.100.250, session=<M%d>", pid)
		l.add(t+2*time.Second, "postfix/postscreen", 44, "HANGUP after 0.1 from [198.51.100.9]:%d in tests before SMTP handshake", 20000+pid%20000)
	}
	l.attack(day+12*hour, attacker)
	return Situation{Name: "monitoring probes each minute", Log: l, Attackers: []string{attacker}}
}

func stalePassword() Situation {
	l := NewLog()
	const office = "192.0.2.200"
	for t := time.Duration(0); t < 8*day; t += 20 * minute {
		n := int(t/(20*minute)) % 10
		l.imapLogin(t, office, fmt.Sprintf("good%d@example.org", n))
	}
	l.imapLogin(12*hour, office, "phone@example.org")
	for t := day; t < 8*day; t += 15 * minute {
		l.imapFailure(t+5*time.Second, office, "phone@example.org", 1)
	}
	l.attack(4*day, attacker)
	return Situation{Name: "a phone with an old password behind an office", Log: l, Attackers: []string{attacker}}
}

func wrongFiveTimes() Situation {
	l := NewLog()
	l.life(1)
	l.imapLogin(9*hour, "192.0.2.201", "dora@example.org")
	for i := range 5 {
		l.imapFailure(12*hour+time.Duration(i)*20*time.Second, "192.0.2.201", "dora@example.org", 1)
	}
	l.imapLogin(12*hour+3*minute, "192.0.2.201", "dora@example.org")
	l.attack(14*hour, attacker)
	return Situation{Name: "a password wrong five times, then right", Log: l, Attackers: []string{attacker}}
}

func dockerGateway() Situation {
	l := NewLog()
	for i := range 500 {
		l.imapFailure(time.Duration(i)*minute, "172.18.0.1", fmt.Sprintf("user%d@example.org", i%40), 1)
		l.imapLogin(time.Duration(i)*minute+7*time.Second, "172.18.0.1", fmt.Sprintf("staff%d@example.org", i%10))
	}
	l.attack(3*hour, attacker)
	return Situation{Name: "a container gateway as everybody's address", Log: l, Attackers: []string{attacker}, Held: true}
}

func bigProvider() Situation {
	l := NewLog()
	l.life(10)
	const ip, name = "198.51.100.200", "mail-200.provider.example"
	for d := range 9 {
		for i := range 6 {
			l.delivery(time.Duration(d)*day+time.Duration(8+i)*hour, ip, name)
		}
	}
	for i := range 80 {
		to := fmt.Sprintf("old%d@example.org", i)
		l.refusal(9*day+time.Duration(i)*20*time.Second, ip, name, fmt.Sprintf("550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table", to), to)
	}
	l.attack(9*day+12*hour, attacker)
	return Situation{Name: "a big provider's burst of unknown recipients", Log: l, Attackers: []string{attacker}}
}

func backupMX() Situation {
	l := NewLog()
	l.life(2)
	for i := range 200 {
		to := fmt.Sprintf("nobody%d@example.org", i)
		l.refusal(day+time.Duration(i)*minute, "198.51.100.251", "mx2.example.org", fmt.Sprintf("550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table", to), to)
	}
	l.attack(day+12*hour, attacker)
	return Situation{Name: "a backup MX in guard.relays", Config: "guard: {relays: [198.51.100.251]}", Log: l, Attackers: []string{attacker}, Held: true}
}

func privacyAddresses() Situation {
	l := NewLog()
	for i := range 200 {
		ip := fmt.Sprintf("2001:db8:1:2:%x:%x:%x:%x", l.random.IntN(65536), l.random.IntN(65536), l.random.IntN(65536), l.random.IntN(65536))
		l.imapLogin(time.Duration(i)*hour, ip, "erin@example.org")
		if i > 24 {
			// The phone of the same home has an old password, and another address each time.
			l.imapFailure(time.Duration(i)*hour+30*minute, fmt.Sprintf("2001:db8:1:2::%x", i), "erin@example.org", 2)
		}
	}
	l.attack(5*day, attacker)
	return Situation{Name: "IPv6 privacy addresses of a good user", Log: l, Attackers: []string{attacker}}
}

func botnet() Situation {
	l := NewLog()
	l.life(2)
	var bots []string
	for i := range 400 {
		ip := fmt.Sprintf("2001:db8:%x::5", 0x100+i)
		bots = append(bots, ip)
		for try := range 8 {
			l.imapFailure(day+10*hour+time.Duration(try)*40*time.Second+time.Duration(i)*100*time.Millisecond, ip, fmt.Sprintf("user%d@example.org", (i+try)%90), 1)
		}
	}
	return Situation{Name: "400 bots guess while users log in", Log: l, Attackers: bots}
}

func ownNames() Situation {
	l := NewLog()
	l.life(2)
	// His names answer SERVFAIL when he likes; his guesses count all the same.
	for i := range 60 {
		l.add(day+time.Duration(i)*minute, "postfix/smtpd", l.pid+1, "warning: hostname h%d.evil.example does not resolve to address %s: Temporary failure in name resolution", i, attacker)
		l.refusal(day+time.Duration(i)*minute, attacker, "unknown", "554 5.7.1 <a@example.net>: Relay access denied", "a@example.net")
	}
	const second = "203.0.113.67"
	l.attack(day+30*minute, second)
	return Situation{Name: "an attacker who makes DNS fail for his own names", Log: l, Attackers: []string{attacker, second}}
}

func guessingInOutage() Situation {
	s := userDatabaseDown()
	s.Name = "guessing on many accounts while the user database is down"
	const second = "203.0.113.67"
	for i := range 40 {
		s.Log.imapFailure(day+10*hour+2*minute+time.Duration(i)*20*time.Second, second, fmt.Sprintf("victim%d@example.org", i), 1)
	}
	s.Attackers = append(s.Attackers, second)
	return s
}
