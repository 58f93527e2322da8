package session

import (
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"csmail/pkg/event"
)

var (
	one = netip.MustParseAddr("192.0.2.1")
	two = netip.MustParseAddr("192.0.2.2")
)

func record(pid int, addr netip.Addr, kind event.Kind, t event.Testimony, n int) event.Record {
	outcome := event.Noted
	if kind == event.NoKind {
		outcome = event.Witness
	}
	return event.Record{Outcome: outcome, Testimony: t, Event: event.Event{
		Host: "mx1", Program: "postfix/smtpd", Service: event.Postfix, PID: pid, Addr: addr, Kind: kind, Attempts: n,
	}}
}

// What a session was said to bring is taken back if nothing came, and nobody
// else's with it.
func TestWithdrawn(t *testing.T) {
	mail := record(1, one, event.NoKind, event.MailAccepted, 0)
	sent := record(1, one, event.AuthMailOK, event.MailAccepted, 1)
	end := record(1, one, event.NoKind, event.Undelivered, 0)
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		want   int
	}{
		"one":              {[]event.Record{mail}, end, 1},
		"three":            {[]event.Record{mail, mail, mail}, end, 3},
		"and a failure":    {[]event.Record{mail}, record(1, one, event.AuthFailed, event.Undelivered, 1), 1},
		"a message came":   {[]event.Record{mail}, record(1, one, event.NoKind, event.Disconnected, 0), 0},
		"after a login":    {[]event.Record{sent}, end, 0},
		"none":             {nil, end, 0},
		"ended before":     {[]event.Record{mail, end}, end, 0},
		"another client":   {[]event.Record{record(1, two, event.NoKind, event.MailAccepted, 0)}, end, 0},
		"another process":  {[]event.Record{record(2, one, event.NoKind, event.MailAccepted, 0)}, end, 0},
		"connected anew":   {[]event.Record{mail, record(1, one, event.NoKind, event.Connected, 0)}, end, 0},
		"no process ID":    {[]event.Record{record(0, one, event.NoKind, event.MailAccepted, 0)}, record(0, one, event.NoKind, event.Undelivered, 0), 0},
		"restored between": {[]event.Record{mail, mail}, end, 2},
	}
	for name, tt := range tests {
		j := NewJoiner(event.HashKey{})
		for _, r := range tt.before {
			j.Join(&r)
		}
		if name == "restored between" {
			restored := NewJoiner(event.HashKey{})
			if err := restored.Restore(j.AppendSnapshot(nil)); err != nil {
				t.Fatal(err)
			}
			j = restored
		}
		last := tt.last
		if j.Join(&last); last.Withdrawn != tt.want {
			t.Errorf("%s: %d, want %d", name, last.Withdrawn, tt.want)
		}
	}
}

func TestJoin(t *testing.T) {
	connect := record(1, one, event.NoKind, event.Connected, 0)
	failed := record(1, one, event.AuthFailed, event.NoTestimony, 1)
	fault := record(1, one, event.AuthFault, event.NoTestimony, 1)
	limited := record(1, one, event.AuthRateLimited, event.NoTestimony, 1)
	pipelined := record(1, one, event.Pipelining, event.NoTestimony, 1)
	lost := withReason(record(1, one, event.LostConnection, event.NoTestimony, 1), "lost connection after AUTH")
	end := func(n int) event.Record { return record(1, one, event.AuthFailed, event.Disconnected, n) }
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		folded bool
		left   int
	}{
		"told before":                 {[]event.Record{connect, failed, failed}, end(2), true, 0},
		"more than was told":          {[]event.Record{connect, failed}, end(3), false, 2},
		"never told":                  {[]event.Record{connect}, end(2), false, 2},
		"our fault":                   {[]event.Record{connect, fault}, end(1), true, 0},
		"connect not in the log":      {[]event.Record{failed}, end(1), true, 0},
		"process taken up anew":       {[]event.Record{failed, connect}, end(1), false, 1},
		"ended before":                {[]event.Record{failed, end(1)}, end(1), false, 1},
		"went away before a password": {[]event.Record{connect, lost}, end(1), true, 0},
		"not let in":                  {[]event.Record{connect, limited}, end(1), true, 0},
		"pipelining again":            {[]event.Record{connect, pipelined}, pipelined, true, 1},
		"pipelining by the next":      {[]event.Record{pipelined, connect}, pipelined, false, 1},
		"no process ID":               {nil, record(0, one, event.AuthFailed, event.Disconnected, 1), true, 1},
		"another process":             {[]event.Record{record(2, one, event.AuthFailed, event.NoTestimony, 1)}, end(1), false, 1},
		"another client":              {[]event.Record{record(1, two, event.AuthFailed, event.NoTestimony, 1)}, end(1), false, 1},
		"interleaved":                 {[]event.Record{failed, record(2, two, event.AuthFailed, event.Disconnected, 5)}, end(1), true, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := NewJoiner(event.HashKey{})
			for _, r := range tt.before {
				j.Join(&r)
			}
			last := tt.last
			if folded := j.Join(&last) == Folded; folded != tt.folded || last.Attempts != tt.left {
				t.Errorf("folded %v, %d attempts left, want folded %v, Attempts %d", folded, last.Attempts, tt.folded, tt.left)
			}
		})
	}
}

// at puts a record of Dovecot's or Postfix's at a second of the log.
func at(second int, r event.Record) event.Record {
	r.Time = time.Unix(int64(1780459869+second), 0)
	return r
}

func dovecot(program, session, user string, n int) event.Record {
	r := record(0, one, event.AuthFailed, event.NoTestimony, n)
	r.Service, r.Program, r.Session, r.User = event.Dovecot, program, session, user
	return r
}

func TestDovecot(t *testing.T) {
	auth := func(second int, session, user string) event.Record {
		return at(second, dovecot("dovecot/auth", session, user, 1))
	}
	login := func(second, n int) event.Record { return at(second, dovecot("dovecot/imap-login", "s", "a", n)) }
	smtpd := func(second int) event.Record {
		return at(second, record(9, one, event.AuthFailed, event.NoTestimony, 1))
	}
	elsewhere := smtpd(2)
	elsewhere.Host = "smtp"
	end := func(second, n int) event.Record {
		return at(second, record(9, one, event.AuthFailed, event.Disconnected, n))
	}
	tests := map[string]struct {
		before []event.Record
		last   event.Record
		folded bool
		left   int
	}{
		"auth, then login":               {[]event.Record{auth(0, "s", "a"), auth(3, "s", "b")}, login(9, 2), true, 0},
		"login tells of more":            {[]event.Record{auth(0, "s", "a")}, login(9, 3), false, 2},
		"login alone":                    {nil, login(9, 3), false, 3},
		"another session":                {[]event.Record{auth(0, "x", "a")}, login(9, 1), false, 1},
		"two databases":                  {[]event.Record{auth(0, "s", "a")}, auth(1, "s", "a"), true, 1},
		"two attempts":                   {[]event.Record{auth(0, "s", "a")}, auth(2, "s", "a"), false, 1},
		"two users":                      {[]event.Record{auth(0, "s", "a")}, auth(1, "s", "b"), false, 1},
		"Postfix asks Dovecot":           {[]event.Record{auth(0, "", "a")}, smtpd(2), true, 0},
		"Postfix, then the session ends": {[]event.Record{auth(0, "", "a"), smtpd(2)}, end(3, 1), true, 0},
		"Postfix asks twice":             {[]event.Record{auth(0, "", "a"), smtpd(2)}, smtpd(4), false, 1},
		"Postfix, two databases":         {[]event.Record{auth(0, "", "a")}, auth(1, "", "a"), true, 1},
		"Postfix under another host":     {[]event.Record{auth(0, "", "a")}, elsewhere, true, 0},
		"Postfix much later":             {[]event.Record{auth(0, "", "a")}, smtpd(60), false, 1},
		"Dovecot tells of another time":  {[]event.Record{auth(0, "", "a"), auth(60, "", "a"), smtpd(62)}, smtpd(63), false, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			j := NewJoiner(event.HashKey{})
			for _, r := range tt.before {
				j.Join(&r)
			}
			last := tt.last
			if folded := j.Join(&last) == Folded; folded != tt.folded || last.Attempts != tt.left {
				t.Errorf("folded %v, %d attempts left, want folded %v, Attempts %d", folded, last.Attempts, tt.folded, tt.left)
			}
		})
	}
}

// What one connection to postscreen did wrong is one event: the first hostile thing, or
// the first suspect one if there is nothing hostile.
func TestPostscreen(t *testing.T) {
	type line struct {
		kind       event.Kind
		port       string
		status     Status
		superseded event.Kind
	}
	const pregreet, pipelining, listed, hangup = event.Pregreet, event.Pipelining, event.DNSBLListed, event.Hangup
	tests := map[string][]line{
		"too early, then everything else":   {{pregreet, "1", New, 0}, {pipelining, "1", Folded, 0}, {listed, "1", Folded, 0}, {hangup, "1", Folded, 0}},
		"three connections at once":         {{pregreet, "1", New, 0}, {pregreet, "2", New, 0}, {pregreet, "3", New, 0}, {pregreet, "2", Folded, 0}},
		"listed, then hung up":              {{listed, "1", New, 0}, {hangup, "1", Folded, 0}},
		"listed, then two hostile things":   {{listed, "1", New, 0}, {pipelining, "1", New, listed}, {pregreet, "1", Folded, 0}, {hangup, "1", Folded, 0}},
		"two connections, listed and early": {{listed, "1", New, 0}, {pregreet, "2", New, 0}, {hangup, "1", Folded, 0}},
		"lines that name no port":           {{pregreet, "", New, 0}, {pregreet, "", New, 0}},
	}
	for name, lines := range tests {
		j := NewJoiner(event.HashKey{})
		for i, l := range lines {
			r := port(l.port, at(i, record(1, one, l.kind, event.NoTestimony, 1)))
			r.Service, r.Program = event.Postscreen, "postfix/postscreen"
			got := j.Join(&r)
			superseded := event.NoKind
			for _, s := range j.Earlier().Superseded {
				superseded = s.Kind
			}
			if got != l.status || superseded != l.superseded {
				t.Errorf("%s, line %d: got status %d in place of %q, want %d in place of %q", name, i+1, got, superseded, l.status, l.superseded)
			}
		}
	}
}

// A process ID that is used again is as new as its last use, and a dropped one
// makes room.
func TestReusedKey(t *testing.T) {
	m := newFIFOMap[int, int](3)
	m.put(1)
	m.drop(1)
	m.put(2)
	*m.put(1) = 10
	m.put(3)
	m.put(1)
	m.put(4) // 2 goes
	if one := m.get(1); m.get(2) != nil || one == nil || *one != 0 {
		t.Error("2 is remembered, or 1 forgotten, or as it was before")
	}
	m.drop(3)
	m.put(5)
	if m.get(1) == nil || m.get(4) == nil || m.get(5) == nil {
		t.Error("a dropped key made no room")
	}
	m.put(6)
	m.put(7)
	var keys []int
	m.each(func(k, _ int) { keys = append(keys, k) })
	if m.get(1) != nil || m.len() != 3 || !slices.Equal(keys, []int{5, 6, 7}) || len(m.slots) > 4 {
		t.Errorf("%v in %d slots", keys, len(m.slots))
	}
}

func TestQueueID(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	accepted := record(1, two, event.NoKind, event.MailAccepted, 0)
	accepted.Session = "4Zk1Yq2Lz3z9v"
	j.Join(&accepted)
	for id, want := range map[string]netip.Addr{"4Zk1Yq2Lz3z9v": two, "4Zk1Yq2Lz3z9w": {}} {
		refused := record(2, netip.Addr{}, event.ContentRejected, event.NoTestimony, 1)
		refused.Program, refused.Session = "postfix/cleanup", id
		if j.Join(&refused); refused.Addr != want {
			t.Errorf("%s: client %s, want Addr %s", id, refused.Addr, want)
		}
	}
}

func TestBounded(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	for pid := 1; pid <= 3*maxOpen; pid++ {
		r := record(pid, one, event.AuthFailed, event.NoTestimony, 1)
		j.Join(&r)
	}
	if j.smtp.len() > maxOpen || len(j.smtp.slots) > maxOpen+1 {
		t.Errorf("%d sessions open, %d slots, want len at most %v, slots at most %v", j.smtp.len(), len(j.smtp.slots), maxOpen, maxOpen+1)
	}
	last := record(3*maxOpen, one, event.AuthFailed, event.Disconnected, 1)
	if j.Join(&last) != Folded {
		t.Error("the newest session is forgotten")
	}
}

// A flood of connections that have ended makes no open one forgotten: its end would
// count again what its lines have told.
func TestFloodOfEnds(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	told := at(0, dovecot("dovecot/auth", "s", "a", 2))
	j.Join(&told)
	for n := range 2 * maxOpen {
		r := at(n/1000, dovecot("dovecot/imap-login", strconv.Itoa(n), "", 1))
		r.Addr, r.Kind = two, event.LoginRefused
		j.Join(&r)
	}
	if j.ended.len() > maxOpen {
		t.Errorf("%d sessions that ended, want len at most %v", j.ended.len(), maxOpen)
	}
	end := at(100, dovecot("dovecot/imap-login", "s", "a", 2))
	if j.Join(&end) != Folded {
		t.Errorf("%d attempts count again", end.Attempts)
	}
}

// Whoever is refused by csmail hangs up, which is no second thing that he did.
func TestHangupAfterOurRefusal(t *testing.T) {
	own := record(1, one, event.OwnRefusal, event.NoTestimony, 1)
	atLogin := record(1, one, event.LostConnection, event.NoTestimony, 1)
	atLogin.Cause = event.LoginService
	later := record(1, one, event.LostConnection, event.NoTestimony, 1)
	connected := record(1, one, event.NoKind, event.Connected, 0)
	for name, c := range map[string]struct {
		before []event.Record
		last   event.Record
		folded bool
	}{
		"at the login":       {[]event.Record{connected, own}, atLogin, true},
		"later":              {[]event.Record{connected, own}, later, true},
		"not refused":        {[]event.Record{connected}, atLogin, false},
		"another client":     {[]event.Record{own, record(1, two, event.NoKind, event.Connected, 0)}, record(1, two, event.LostConnection, event.NoTestimony, 1), false},
		"another process":    {[]event.Record{own}, record(2, one, event.LostConnection, event.NoTestimony, 1), false},
		"the next session":   {[]event.Record{connected, own, connected}, later, false},
		"something hostile":  {[]event.Record{connected, own}, record(1, one, event.NonSMTP, event.NoTestimony, 1), false},
		"refused once again": {[]event.Record{connected, own}, own, false},
	} {
		j := NewJoiner(event.HashKey{})
		for _, r := range c.before {
			j.Join(&r)
		}
		restored := NewJoiner(event.HashKey{})
		if err := restored.Restore(j.AppendSnapshot(nil)); err != nil {
			t.Fatal(err)
		}
		for _, joiner := range []*Joiner{j, restored} {
			r := c.last
			if got := joiner.Join(&r); (got == Folded) != c.folded {
				t.Errorf("%s: got %v, want folded %t", name, got, c.folded)
			}
		}
	}
}
