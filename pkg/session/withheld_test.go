package session

import (
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// decided says in words what the latest call decided: "+relay-denied" counts,
// "-relay-denied" does not.
func decided(j *Joiner) string {
	var words []string
	for _, r := range j.Earlier().Released {
		words = append(words, "+"+r.Record.Kind.String())
	}
	for _, r := range j.Earlier().Excused {
		words = append(words, "-"+r.Kind.String())
	}
	return strings.Join(words, " ")
}

// refusal is one by smtpd of a process that serves the first client.
func refusal(pid int, kind event.Kind) event.Record {
	r := record(pid, one, kind, event.NoTestimony, 1)
	r.Code = "554 5.7.1"
	return r
}

// TestWithheld: what a session did before it logged in is no offence, whatever shows
// the login; without a login it counts, once, when the session ends.
func TestWithheld(t *testing.T) {
	const relay, helo, early = event.RelayDenied, event.HeloRejected, event.Pipelining
	connect := record(1, one, event.NoKind, event.Connected, 0)
	end := record(1, one, event.NoKind, event.Disconnected, 0)
	failed := record(1, one, event.AuthFailed, event.Disconnected, 1)
	loggedIn := record(1, one, event.LoginOK, event.Disconnected, 1)
	sent := record(1, one, event.AuthMailOK, event.MailAccepted, 1)
	mail := record(1, one, event.NoKind, event.MailAccepted, 0)
	pipelined := record(1, one, early, event.NoTestimony, 1)
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		status Status
		want   string
	}{
		"waits":                           {[]event.Record{connect}, refusal(1, relay), Withheld, ""},
		"ends":                            {[]event.Record{connect, refusal(1, relay)}, end, New, "+relay-denied"},
		"ends with failed logins":         {[]event.Record{connect, refusal(1, relay)}, failed, New, "+relay-denied"},
		"ends with a login":               {[]event.Record{connect, refusal(1, relay)}, loggedIn, New, "-relay-denied"},
		"sends as a user":                 {[]event.Record{connect, refusal(1, helo), pipelined}, sent, New, "-helo-rejected -pipelining"},
		"sends as nobody":                 {[]event.Record{connect, refusal(1, helo)}, mail, New, ""},
		"two kinds, in their order":       {[]event.Record{connect, pipelined, refusal(1, relay)}, end, New, "+pipelining +relay-denied"},
		"the next connection":             {[]event.Record{connect, refusal(1, relay)}, connect, New, "+relay-denied"},
		"another client of the process":   {[]event.Record{connect, refusal(1, relay)}, of(two, refusal(1, helo)), New, "+relay-denied"},
		"another process logs in":         {[]event.Record{connect, refusal(1, relay)}, record(2, one, event.AuthMailOK, event.MailAccepted, 1), New, ""},
		"another client logs in":          {[]event.Record{connect, refusal(1, relay)}, of(two, sent), New, "+relay-denied"},
		"another host's process logs in":  {[]event.Record{connect, refusal(1, relay)}, onHost("mx2", sent), New, ""},
		"after the login":                 {[]event.Record{connect, sent}, refusal(1, relay), LoggedIn, ""},
		"after the login, no end":         {[]event.Record{connect, sent, connect}, refusal(1, relay), Withheld, ""},
		"the connect line is missing":     {nil, refusal(1, relay), New, ""},
		"no process ID":                   {[]event.Record{record(0, one, event.NoKind, event.Connected, 0)}, refusal(0, relay), New, ""},
		"a failed login":                  {[]event.Record{connect}, record(1, one, event.AuthFailed, event.NoTestimony, 1), New, ""},
		"a failed login before a login":   {[]event.Record{connect, record(1, one, event.AuthFailed, event.NoTestimony, 1)}, loggedIn, New, ""},
		"just before a minute":            {[]event.Record{after(0, connect), after(0, refusal(1, relay))}, after(withholdFor-1, refusal(2, helo)), New, ""},
		"a minute, and another's line":    {[]event.Record{after(0, connect), after(0, refusal(1, relay))}, after(withholdFor, refusal(2, helo)), New, "+relay-denied"},
		"a minute, then a login":          {[]event.Record{after(0, connect), after(0, refusal(1, relay))}, after(withholdFor, loggedIn), New, "+relay-denied"},
		"once more in the session":        {[]event.Record{connect, refusal(1, relay)}, refusal(1, relay), Repeat, ""},
		"once more after a minute":        {[]event.Record{after(0, connect), after(0, refusal(1, relay))}, after(withholdFor, refusal(1, relay)), Repeat, "+relay-denied"},
		"a queue file, by another daemon": {[]event.Record{connect}, func() event.Record { r := refusal(1, event.ContentRejected); r.Program = "postfix/cleanup"; return r }(), New, ""},
	}
	for name, tt := range tests {
		for _, restored := range []bool{false, true} {
			j := NewJoiner(event.HashKey{})
			for _, r := range tt.before {
				j.Join(&r)
			}
			if restored {
				other := NewJoiner(event.HashKey{})
				if err := other.Restore(j.AppendSnapshot(nil)); err != nil {
					t.Fatal(err)
				}
				j = other
			}
			last := tt.last
			if status := j.Join(&last); status != tt.status || decided(j) != tt.want {
				t.Errorf("%s (restored %v): got status %d, %q; want %d, %q", name, restored, status, decided(j), tt.status, tt.want)
			}
		}
	}
}

// A flood of sessions that stay open lets nobody wait longer, and takes no more room.
func TestWithheldFlood(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	const sessions = 3 * maxWithheld
	released := 0
	for pid := 1; pid <= sessions; pid++ {
		connect, offence := record(pid, one, event.NoKind, event.Connected, 0), refusal(pid, event.RelayDenied)
		offence.Message = strings.Repeat("x", 8192)
		j.Join(&connect)
		if status := j.Join(&offence); status != Withheld {
			t.Fatalf("session %d: got status %d, want %d", pid, status, Withheld)
		}
		for _, r := range j.Earlier().Released {
			if released++; r.Record.PID != released || len(r.Record.Message) > maxWithheldText {
				t.Fatalf("got the offence of session %d with %d bytes, want %d with %d at the most", r.Record.PID, len(r.Record.Message), released, maxWithheldText)
			}
		}
	}
	if got := j.withheld.len(); got != maxWithheld || released != sessions-maxWithheld {
		t.Errorf("got %d that wait and %d released, want %d and %d", got, released, maxWithheld, sessions-maxWithheld)
	}
	j.ReleaseAll(time.Unix(0, 0).Add(24 * time.Hour))
	if got := len(j.Earlier().Released); got != maxWithheld || j.Waiting() {
		t.Errorf("at the end: got %d released, still waiting %v; want %d, false", got, j.Waiting(), maxWithheld)
	}
}

// Names of any length are kept in 16 bytes.
func TestLongNames(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	name := strings.Repeat("x", 4000)
	for _, r := range []event.Record{auth("", name, event.AuthFailed), auth("s"+name, name, event.AuthFailed), saslOf(name), module(event.Dovecot)} {
		r.Reason = "pam_unix(dovecot:auth): authentication failure"
		j.Join(&r)
	}
	if got, most := len(j.AppendSnapshot(nil)), 2000; got > most {
		t.Errorf("got a snapshot of %d bytes, want %d at the most", got, most)
	}
}

// The client of a message is found as fast among many as among few, and an unknown one
// is not looked for among all.
func BenchmarkUnknownMessage(b *testing.B) {
	j := NewJoiner(event.HashKey{})
	for n := range maxOpen {
		r := record(1, one, event.NoKind, event.MailAccepted, 0)
		r.Session = "4Zk" + strings.Repeat("z", n%7) + time.Duration(n).String()
		j.Join(&r)
	}
	r := record(2, one, event.ContentRejected, event.NoTestimony, 1)
	r.Program, r.Session = "postfix/cleanup", "5Zk1Yq2Lz3z9v"
	for b.Loop() {
		last := r
		last.Addr = two
		j.messages.reject(&last, j.smtp)
	}
}
