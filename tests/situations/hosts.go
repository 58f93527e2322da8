package situations

import (
	"fmt"
	"time"
)

// Form is a log by itself, or with that of a second host in it, as a central syslog
// has it.
type Form struct {
	Name   string
	Beside func() *Log // nil: no second host
}

// Forms are those in which every situation comes out the same: what befalls the
// services of one host says nothing of another's.
func Forms() []Form {
	return []Form{{"alone", nil}, {"beside a healthy host", healthyHost}, {"beside a sick host", sickHost}}
}

// Put adds the second host to a situation.
func (f Form) Put(s Situation) Situation {
	if f.Beside == nil {
		return s
	}
	both := *s.Log
	both.lines = append(append([]line{}, s.Log.lines...), f.Beside().lines...)
	s.Log = &both
	return s
}

// guest gives the clients of the second host addresses that the first does not know.
func guest(i int) string { return fmt.Sprintf("2001:db8:f000:%x::1", i) }

// healthyHost is two days on which users log in all the time, and mail hosts with names
// deliver.
func healthyHost() *Log {
	l := NewLogOn("mx2")
	for t := time.Duration(0); t < 2*day; t += 4 * minute {
		i := int(t/(4*minute)) % 50
		l.delivery(t+3*time.Second, guest(i), fmt.Sprintf("mail%d.example.net", i))
		l.imapLogin(t+20*time.Second, guest(100+i), fmt.Sprintf("user%d@example.net", i))
		l.submission(t+40*time.Second, guest(150+i), fmt.Sprintf("user%d@example.net", i))
	}
	return l
}

// sickHost is healthy for an hour, and then two days without a resolver, without a user
// database and without tables, behind a block list that refuses it.
func sickHost() *Log {
	l := NewLogOn("mx2")
	for t := time.Duration(0); t < hour; t += minute {
		i := int(t/minute) % 20
		l.delivery(t+3*time.Second, guest(i), fmt.Sprintf("mail%d.example.net", i))
		l.imapLogin(t+20*time.Second, guest(100+i), fmt.Sprintf("user%d@example.net", i))
	}
	for i := range 3 { // the tables go first
		l.refusal(hour-time.Duration(3-i)*10*time.Second, guest(1900+i), "unknown", "451 4.3.0 <bob@example.net>: Temporary lookup failure", "bob@example.net")
	}
	for t := hour; t < 2*day; t += 4 * minute {
		i := int(t/(4*minute)) % 20
		l.add(t, "dovecot", 0, "auth: Error: mysql(db.example.net): Connect failed to database (mail): Can't connect to MySQL server on 'db.example.net' (111)")
		l.add(t+time.Second, "dovecot", 0, "auth: Error: sql(user%d@example.net,%s,<F%d>): Password query failed: Not connected to database", i, guest(100+i), l.next())
		// Strangers: each tries for half an hour.
		stranger := int(t/(30*minute)) % 60
		l.imapFailure(t+2*time.Second, guest(1000+stranger), fmt.Sprintf("new%d@example.net", stranger), 2)
		l.nameless(t+3*time.Second, guest(2000+int(t/(4*minute))), "mail.example.net")
		l.refusal(t+4*time.Second, guest(2000+int(t/(4*minute))), "unknown", "451 4.3.0 <bob@example.net>: Temporary lookup failure", "bob@example.net")
		l.refusal(t+5*time.Second, guest(3000+stranger), "unknown", "550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown in virtual mailbox table", "bob@example.net")
		l.refusal(t+6*time.Second, guest(4000+stranger), "unknown", fmt.Sprintf(
			"554 5.7.1 Service unavailable; Client host [%s] blocked using bl.example.com; Error: open resolver; https://bl.example.com/returnc/pub/", guest(4000+stranger)), "bob@example.net")
	}
	return l
}

// submission is a login at Postfix that succeeds, with the message that follows.
func (l *Log) submission(after time.Duration, ip, user string) {
	pid := l.next()
	const program = "postfix/submission/smtpd"
	l.add(after, program, pid, "connect from unknown[%s]", ip)
	l.add(after+time.Second, program, pid, "%011X: client=unknown[%s], sasl_method=PLAIN, sasl_username=%s", l.random.Uint64()>>20, ip, user)
	l.add(after+2*time.Second, program, pid, "disconnect from unknown[%s] ehlo=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=6", ip)
}
