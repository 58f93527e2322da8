package enforce

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"csmail/pkg/event"
)

// aLogin is a failed login as a log line tells of it.
func aLogin(at time.Time, service event.Service, session, user string, attempts int) *event.Record {
	return &event.Record{Outcome: event.Noted, Event: event.Event{
		Time: at, Service: service, Kind: event.AuthFailed, Addr: netip.MustParseAddr("192.0.2.1"), Session: session, User: user, Attempts: attempts,
	}}
}

// A line gets the mark of a password only if nothing else is possible.
func TestMarkOf(t *testing.T) {
	at := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	try := func(after time.Duration, session, account string, p event.PasswordMark) Try {
		return Try{at.Add(after), netip.MustParseAddr("192.0.2.1"), account, session, p}
	}
	for name, c := range map[string]struct {
		tries []Try
		line  *event.Record
		want  event.PasswordMark
	}{
		"its session":               {[]Try{try(0, "s", "bob", 7)}, aLogin(at, event.Dovecot, "s", "bob", 1), 7},
		"realm added by Dovecot":    {[]Try{try(0, "s", "Bob", 7)}, aLogin(at, event.Dovecot, "s", "bob@example.org", 1), 7},
		"the end names nobody":      {[]Try{try(0, "s", "bob", 7)}, aLogin(at, event.Dovecot, "s", "", 1), 7},
		"three times the same":      {[]Try{try(0, "s", "bob", 7), try(time.Second, "s", "bob", 7), try(2*time.Second, "s", "bob", 7)}, aLogin(at.Add(time.Minute), event.Dovecot, "s", "bob", 3), 7},
		"more attempts than asked":  {[]Try{try(0, "s", "bob", 7), try(time.Second, "s", "bob", 7)}, aLogin(at, event.Dovecot, "s", "bob", 3), 0},
		"two passwords":             {[]Try{try(0, "s", "bob", 7), try(time.Second, "s", "bob", 8)}, aLogin(at, event.Dovecot, "s", "bob", 2), 0},
		"one password is not known": {[]Try{try(0, "s", "bob", 7), try(time.Second, "s", "bob", 0)}, aLogin(at, event.Dovecot, "s", "bob", 1), 0},
		"two accounts, none named":  {[]Try{try(0, "s", "bob", 7), try(time.Second, "s", "joe", 7)}, aLogin(at, event.Dovecot, "s", "", 2), 0},
		"two accounts, one named":   {[]Try{try(0, "s", "bob", 7), try(time.Second, "s", "joe", 8)}, aLogin(at, event.Dovecot, "s", "joe", 1), 8},
		"two spellings":             {[]Try{try(0, "s", "bob", 7), try(time.Second, "s", "bob@example.org", 7)}, aLogin(at, event.Dovecot, "s", "bob", 2), 0},
		"another session":           {[]Try{try(0, "s", "bob", 7)}, aLogin(at, event.Dovecot, "t", "bob", 1), 0},
		"another account":           {[]Try{try(0, "s", "bob", 7)}, aLogin(at, event.Dovecot, "s", "joe", 1), 0},
		"a session of long ago":     {[]Try{try(0, "s", "bob", 7)}, aLogin(at.Add(time.Hour), event.Dovecot, "s", "bob", 1), 0},
		"not asked yet":             {[]Try{try(time.Minute, "s", "bob", 7)}, aLogin(at, event.Dovecot, "s", "bob", 1), 0},
		"Postfix":                   {[]Try{try(0, "", "bob", 7)}, aLogin(at.Add(17*time.Second), event.Postfix, "", "bob", 1), 7},
		"Postfix, a queue ID":       {[]Try{try(0, "", "bob", 7)}, aLogin(at, event.Postfix, "4BcD", "bob", 1), 7},
		"Postfix, two within 30 s":  {[]Try{try(0, "", "bob", 7), try(20*time.Second, "", "bob", 8)}, aLogin(at.Add(20*time.Second), event.Postfix, "", "bob", 1), 0},
		"Postfix, two in a minute":  {[]Try{try(0, "", "bob", 7), try(time.Minute, "", "bob", 8)}, aLogin(at.Add(time.Minute), event.Postfix, "", "bob", 1), 8},
		"Postfix, another's":        {[]Try{try(0, "", "bob", 7), try(0, "", "joe", 8)}, aLogin(at, event.Postfix, "", "joe", 1), 8},
		"Dovecot's line on Postfix": {[]Try{try(0, "", "bob", 7)}, aLogin(at, event.Dovecot, "", "bob", 1), 7},
		"sshd":                      {[]Try{try(0, "", "bob", 7)}, aLogin(at, event.SSHD, "", "bob", 1), 0},
		"no tries":                  {nil, aLogin(at, event.Dovecot, "s", "bob", 1), 0},
	} {
		m := NewPasswords()
		for _, try := range c.tries {
			m.Add(try)
		}
		if got := m.MarkOf(c.line); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// Whoever makes more tries than there is room for hides none of them.
func TestMarkOfMoreTriesThanRoom(t *testing.T) {
	at := time.Now()
	m := NewPasswords()
	for i := range 3 * maxTries {
		m.Add(Try{at, netip.MustParseAddr("192.0.2.1"), "bob", "s", event.PasswordMark(1 + i/(2*maxTries))})
	}
	if got := m.MarkOf(aLogin(at, event.Dovecot, "s", "bob", 1)); got != 0 {
		t.Errorf("got %d, want none: a first password was forgotten", got)
	}
}

// However many come, the memory stays small, and it may be used at once.
func TestPasswordsAreBounded(t *testing.T) {
	at := time.Now()
	m := NewPasswords()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range maxLogins {
				m.Add(Try{at, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), "bob", fmt.Sprint(n), 7})
				m.MarkOf(aLogin(at, event.Dovecot, fmt.Sprint(n), "bob", 1))
			}
		})
	}
	group.Wait()
	if n := len(m.now) + len(m.before); n > maxLogins {
		t.Errorf("got %d logins, want at most %d", n, maxLogins)
	}
}
