package session

import (
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// relayedRecord is a line of Dovecot about the session "s" of a client.
func relayedRecord(host, program, reason string, second, attempts int, phase event.Phase) event.Record {
	r := event.Record{Outcome: event.Noted}
	r.Service, r.Program, r.Host, r.Addr, r.Session = event.Dovecot, program, host, one, "s"
	r.Kind, r.Attempts, r.Reason, r.Phase, r.User = event.AuthFailed, attempts, reason, phase, "bob"
	r.Time = time.Unix(int64(1_700_000_000+second), 0)
	if strings.Contains(reason, "proxy") {
		r.Cause = event.Relayed
	}
	return r
}

// Proxy and server log the same attempts, in any order; attempts that only one of them
// logged count.
func TestRelayed(t *testing.T) {
	const login = "dovecot/imap-login"
	server := func(host string, second int) event.Record {
		return relayedRecord(host, login, "Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)", second, 1, event.End)
	}
	auth := func(host string, second int) event.Record {
		return relayedRecord(host, "dovecot/auth", "Password mismatch", second, 1, event.NoPhase)
	}
	proxy := func(second int) event.Record {
		return relayedRecord("front", login, "proxy(bob,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] x", second, 1, event.Attempt)
	}
	end := func(second int) event.Record {
		return relayedRecord("front", login, "Disconnected: Logged out (proxy dest auth failed)", second, 1, event.End)
	}
	elsewhere := server("back", 40)
	elsewhere.Addr = two
	local := auth("front", 0) // of the proxy's own users
	local.User = "me"
	refused := auth("back", 0)
	refused.Kind = event.OwnRefusal
	for name, tt := range map[string]struct {
		log  []event.Record
		want int
	}{
		"server, then proxy":            {[]event.Record{server("back", 2), proxy(2), end(3)}, 1},
		"proxy, then server":            {[]event.Record{proxy(2), server("back", 2), end(3)}, 1},
		"two attempts":                  {[]event.Record{auth("back", 0), server("back", 2), proxy(2), auth("back", 8), server("back", 12), proxy(12), end(13)}, 2},
		"two attempts, on one host":     {[]event.Record{auth("front", 0), server("front", 2), proxy(2), auth("front", 8), server("front", 12), proxy(12), end(13)}, 2},
		"two attempts, the end alone":   {[]event.Record{server("back", 2), server("back", 12), end(13)}, 2},
		"no server in the log":          {[]event.Record{proxy(2), proxy(12), proxy(22), end(23)}, 3},
		"one that the server missed":    {[]event.Record{server("back", 2), proxy(2), proxy(12), end(13)}, 2},
		"a guess behind one's own user": {[]event.Record{local, proxy(2), end(3)}, 2},
		"and one's own user behind it":  {[]event.Record{proxy(2), local, end(3)}, 2},
		"csmail refused it":             {[]event.Record{refused, server("back", 2), proxy(2), end(3)}, 1},
		"an address that is not shared": {[]event.Record{proxy(38), elsewhere}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			j := NewJoiner(event.HashKey{})
			if got := attemptsOf(j, tt.log); got != tt.want {
				t.Errorf("got %d attempts, want %d", got, tt.want)
			}
		})
	}
}

// attemptsOf returns the number of attempts that count of a log that ends.
func attemptsOf(j *Joiner, log []event.Record) (n int) {
	for _, r := range log {
		if j.Join(&r) == New {
			n += r.Attempts
		}
		n += released(j)
	}
	j.ReleaseAll(log[len(log)-1].Time)
	return n + released(j)
}

// released returns the number of attempts that count since the last call of j.
func released(j *Joiner) (n int) {
	for _, r := range j.Earlier().Released {
		n += r.Record.Attempts
	}
	return n
}

// A line of sshd that a connection has once, and that is there twice, shows that the log
// holds sshd's lines twice. Several wrong passwords in a second show nothing.
func TestSSHTwice(t *testing.T) {
	line := func(pid, second int, phase event.Phase, text string) event.Record {
		r := event.Record{Outcome: event.Noted}
		r.Service, r.Program, r.Host, r.PID, r.Addr = event.SSHD, "sshd", "mx1", pid, one
		r.Kind, r.Attempts, r.Message, r.Phase, r.Mechanism = event.AuthFailed, 1, text, phase, "password"
		r.Time = time.Unix(int64(1_700_000_000+second), 0)
		return r
	}
	invalid := line(7, 0, event.NoPhase, "Invalid user x from 192.0.2.1 port 5")
	failed := func(pid, second int) event.Record {
		return line(pid, second, event.Attempt, "Failed password for x from 192.0.2.1 port 5 ssh2")
	}
	closed := func(pid, second int) event.Record {
		r := line(pid, second, event.NoPhase, "Connection closed by authenticating user x 192.0.2.1 port 5 [preauth]")
		r.Kind = event.AuthAborted
		return r
	}
	for name, tt := range map[string]struct {
		log  []event.Record
		want int
	}{
		"each line twice":                 {[]event.Record{invalid, invalid, failed(7, 1), failed(7, 1)}, 1},
		"two files":                       {[]event.Record{invalid, failed(7, 0), invalid, failed(7, 0)}, 1},
		"two guesses in a second":         {[]event.Record{failed(7, 1), failed(7, 1)}, 2},
		"the next connection":             {[]event.Record{invalid, invalid, failed(7, 1), failed(8, 9), failed(8, 9)}, 2},
		"the next day, no longer":         {[]event.Record{invalid, invalid, failed(8, 86400), failed(8, 86400)}, 3},
		"another process is no sign":      {[]event.Record{invalid, line(8, 0, event.NoPhase, invalid.Message), failed(9, 1), failed(9, 1)}, 4},
		"twice, and guesses in two":       {[]event.Record{invalid, invalid, failed(7, 1), failed(7, 1), failed(7, 2), failed(7, 2)}, 2},
		"a module that does not delay":    {[]event.Record{module(event.SSHD), module(event.SSHD)}, 2},
		"of a user that there is":         {[]event.Record{failed(7, 1), failed(7, 1), failed(7, 5), failed(7, 5), closed(7, 6), closed(7, 6)}, 2},
		"the same, and each line once":    {[]event.Record{failed(7, 1), failed(7, 1), failed(7, 5), failed(7, 5), closed(7, 6)}, 4},
		"two connections, each twice":     {[]event.Record{failed(7, 1), failed(7, 1), failed(8, 2), failed(8, 2), closed(7, 3), closed(7, 3), closed(8, 4), closed(8, 4)}, 2},
		"its end twice, far apart":        {[]event.Record{failed(7, 1), failed(7, 1), closed(7, 6), closed(7, 60)}, 2},
		"a process ID that is used again": {[]event.Record{failed(7, 1), failed(7, 1), closed(7, 2), failed(7, 9), failed(7, 9), closed(7, 10), closed(7, 10)}, 3},
		"its end comes much later":        {[]event.Record{failed(7, 1), failed(7, 1), closed(7, 200), closed(7, 200)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, j := 0, NewJoiner(event.HashKey{})
			for _, r := range tt.log {
				if j.Join(&r) == New && r.Kind == event.AuthFailed {
					got += r.Attempts
				}
				got += released(j)
				again := NewJoiner(event.HashKey{})
				if err := again.Restore(j.AppendSnapshot(nil)); err != nil {
					t.Fatal(err)
				}
				j = again
			}
			j.ReleaseAll(time.Unix(1_800_000_000, 0))
			if got += released(j); got != tt.want {
				t.Errorf("got %d attempts, want %d", got, tt.want)
			}
		})
	}
}
