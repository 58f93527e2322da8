package session

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// again is a Relays that goes on from the snapshot of another.
func again(t *testing.T, j *Relays) *Relays {
	t.Helper()
	c := &wire.Codec{}
	j.Encode(c)
	fresh := NewRelays()
	read := &wire.Codec{B: c.B, Reading: true}
	if fresh.Encode(read); read.Err != nil || len(read.B) != 0 {
		t.Fatalf("got %v and %d bytes left, want a snapshot that is read to its end", read.Err, len(read.B))
	}
	return fresh
}

// Proxy and server on two edges of a site log the same attempts; what only one of them
// logged counts, and so does all that hosts of another site, or the same edge, report.
func TestRelays(t *testing.T) {
	on := func(site, edge string, r event.Record) event.Record {
		r.Origin = event.Origin{Host: event.OriginOf(site, "").Host, Edge: event.EdgeOf(edge)}
		return r
	}
	server := func(site, edge string, attempts int) event.Record {
		return on(site, edge, relayedRecord("back", "dovecot/imap-login", "Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)", 2, attempts, event.End))
	}
	proxy := func(site, edge string) event.Record {
		return on(site, edge, relayedRecord("front", "dovecot/imap-login", "proxy(bob,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] x", 2, 1, event.Attempt))
	}
	end := func(site, edge string) event.Record {
		return on(site, edge, relayedRecord("front", "dovecot/imap-login", "Disconnected: Logged out (proxy dest auth failed)", 3, 1, event.End))
	}
	change := func(r event.Record, f func(*event.Record)) event.Record {
		f(&r)
		return r
	}
	refused := change(server("s", "back", 1), func(r *event.Record) { r.Kind = event.OwnRefusal })
	for name, tt := range map[string]struct {
		log  []event.Record
		want int
	}{
		"server, then proxy":            {[]event.Record{server("s", "back", 1), proxy("s", "front")}, 1},
		"proxy, then server":            {[]event.Record{proxy("s", "front"), server("s", "back", 1)}, 1},
		"two attempts":                  {[]event.Record{server("s", "back", 1), proxy("s", "front"), server("s", "back", 1), proxy("s", "front")}, 2},
		"two in one line":               {[]event.Record{proxy("s", "front"), server("s", "back", 2), proxy("s", "front")}, 2},
		"the end alone":                 {[]event.Record{server("s", "back", 1), server("s", "back", 1), end("s", "front")}, 2},
		"one that the server missed":    {[]event.Record{server("s", "back", 1), proxy("s", "front"), proxy("s", "front")}, 2},
		"of one edge, which joined it":  {[]event.Record{server("s", "front", 1), proxy("s", "front"), end("s", "front")}, 3},
		"of another site":               {[]event.Record{server("s", "back", 1), proxy("other", "front")}, 2},
		"of another edge meanwhile":     {[]event.Record{server("s", "back", 1), server("s", "other", 1), proxy("s", "front"), proxy("s", "front")}, 3},
		"another client":                {[]event.Record{server("s", "back", 1), change(proxy("s", "front"), func(r *event.Record) { r.Addr = two })}, 2},
		"another account":               {[]event.Record{server("s", "back", 1), change(proxy("s", "front"), func(r *event.Record) { r.User = "me" })}, 2},
		"another session":               {[]event.Record{server("s", "back", 1), change(proxy("s", "front"), func(r *event.Record) { r.Session = "t" })}, 2},
		"no session":                    {[]event.Record{change(server("s", "back", 1), func(r *event.Record) { r.Session = "" }), change(proxy("s", "front"), func(r *event.Record) { r.Session = "" })}, 2},
		"not Dovecot's":                 {[]event.Record{change(server("s", "back", 1), func(r *event.Record) { r.Service = event.Postfix }), proxy("s", "front")}, 2},
		"csmail refused it":             {[]event.Record{refused, proxy("s", "front")}, 0},
		"csmail refused it, other site": {[]event.Record{refused, proxy("other", "front")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, j := 0, NewRelays()
			for _, r := range tt.log {
				folded := j.Join(&r, &event.HashKey{1})
				if folded != (r.Attempts == 0) {
					t.Errorf("got folded %v with %d attempts left", folded, r.Attempts)
				}
				if r.Kind == event.AuthFailed {
					got += r.Attempts
				}
				j = again(t, j)
			}
			if got != tt.want {
				t.Errorf("got %d attempts, want %d", got, tt.want)
			}
		})
	}
}

// However many connections there are, the memory is bounded, and a snapshot that holds more
// is refused.
func TestRelaysAreBounded(t *testing.T) {
	j := NewRelays()
	for n := range 2 * maxRelayed {
		r := relayedRecord("back", "dovecot/imap-login", "x", 2, 1, event.End)
		r.Session = string(rune('a'+n%26)) + string(rune(n+1000))
		j.Join(&r, &event.HashKey{})
	}
	if got := j.known.len(); got != maxRelayed {
		t.Errorf("got %d connections, want %d", got, maxRelayed)
	}
	again(t, j)
	c := &wire.Codec{Reading: true, B: []byte{0xff, 0xff, 0x7f}}
	if NewRelays().Encode(c); c.Err == nil {
		t.Error("a snapshot of two million: got no error, want one")
	}
}

// The end of a connection may count less than was reported before; that is nothing, not less.
func TestAttemptsAreNeverNegative(t *testing.T) {
	proxied := func(reason string, second int, phase event.Phase) event.Record {
		return relayedRecord("front", "dovecot/imap-login", reason, second, 1, phase)
	}
	smtp := func(second int, testimony event.Testimony) event.Record {
		r := event.Record{Outcome: event.Noted, Testimony: testimony}
		r.Service, r.Program, r.Host, r.PID, r.Addr = event.Postfix, "postfix/smtpd", "mx1", 7, one
		r.Kind, r.Attempts, r.Time = event.AuthFailed, 1, time.Unix(int64(1_700_000_000+second), 0)
		r.Message = fmt.Sprint("line ", second)
		return r
	}
	for name, log := range map[string][]event.Record{
		"a proxy's": {
			proxied("proxy(bob,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] x", 1, event.Attempt),
			proxied("proxy(bob,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] x", 9, event.Attempt),
			proxied("Disconnected: Logged out (proxy dest auth failed)", 10, event.End),
		},
		"Postfix's": {smtp(1, event.NoTestimony), smtp(9, event.NoTestimony), smtp(10, event.Disconnected)},
	} {
		t.Run(name, func(t *testing.T) {
			j := NewJoiner(event.HashKey{})
			var status Status
			for i := range log {
				status = j.Join(&log[i])
			}
			if end := log[len(log)-1]; status != Folded || end.Attempts != 0 {
				t.Errorf("got %v with %d attempts, want it folded with none", status, end.Attempts)
			}
		})
	}
}
