package session

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// twiceRecord is a line of smtpd with a stamp of full seconds.
func twiceRecord(pid, second int, kind event.Kind, testimony event.Testimony, text string) event.Record {
	r := event.Record{Outcome: event.Noted, Testimony: testimony}
	if kind == event.NoKind {
		r.Outcome = event.Witness
	}
	r.Service, r.Program, r.Host, r.PID = event.Postfix, "postfix/smtpd", "mx1", pid
	r.Addr, r.Kind, r.Attempts, r.Message = one, kind, 1, text
	r.Time = time.Unix(int64(1_700_000_000+second), 0)
	return r
}

// A log with full seconds that holds each line twice counts each login once; one that
// does not hold them twice counts two logins of one second.
func TestTwiceInFullSeconds(t *testing.T) {
	for name, tt := range map[string]struct {
		connects, failures, sessions int
		want                         int
	}{
		"each line twice":                  {2, 2, 3, 3},
		"two guesses in one second":        {1, 2, 3, 6},
		"each line once":                   {1, 1, 3, 3},
		"two guesses, and each line twice": {2, 4, 3, 6}, // the end counts the second
	} {
		for _, restored := range []bool{false, true} {
			t.Run(fmt.Sprint(name, restored), func(t *testing.T) {
				j, got := NewJoiner(event.HashKey{}), 0
				take := func(r event.Record) {
					if status := j.Join(&r); (status == New) && r.Kind == event.AuthFailed {
						got += r.Attempts
					}
				}
				for i := range tt.sessions {
					for range tt.connects {
						take(twiceRecord(7, 10*i, event.NoKind, event.Connected, "connect from unknown[192.0.2.1]"))
					}
					if restored {
						again := NewJoiner(event.HashKey{})
						if err := again.Restore(j.AppendSnapshot(nil)); err != nil {
							t.Fatal(err)
						}
						j = again
					}
					for range tt.failures {
						take(twiceRecord(7, 10*i+1, event.AuthFailed, event.NoTestimony, "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x"))
					}
					for range tt.connects {
						end := twiceRecord(7, 10*i+2, event.AuthFailed, event.Disconnected, "disconnect from unknown[192.0.2.1] auth=0/1")
						end.Attempts = max(1, tt.failures/tt.connects)
						take(end)
					}
				}
				if got != tt.want {
					t.Errorf("got %d attempts, want %d", got, tt.want)
				}
			})
		}
	}
}

// Once sessions come once, full seconds show nothing any more. Another host's lines are
// not affected.
func TestTwiceEnds(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	take := func(r event.Record) Status { return j.Join(&r) }
	connect := twiceRecord(7, 0, event.NoKind, event.Connected, "connect from unknown[192.0.2.1]")
	take(connect)
	take(connect)
	failed := twiceRecord(8, 1, event.AuthFailed, event.NoTestimony, "x")
	other := failed
	other.Host = "mx2"
	for r, want := range map[*event.Record]Status{&failed: Copy, &other: New} {
		take(*r)
		if got := take(*r); got != want {
			t.Errorf("%s: got %d, want %d", r.Host, got, want)
		}
	}
	once := twiceRecord(9, 2, event.NoKind, event.Connected, "connect from unknown[192.0.2.1]")
	take(once)
	take(twiceRecord(9, 3, event.NoKind, event.Disconnected, "disconnect from unknown[192.0.2.1]"))
	failed.Time = failed.Time.Add(time.Minute)
	take(failed)
	if got := take(failed); got != New {
		t.Errorf("after a session that came once: got %d, want %d", got, New)
	}
}

// dovecotRecord is a line of Dovecot with a stamp of full seconds.
func dovecotRecord(program, session string, second int, kind event.Kind, text string) event.Record {
	r := event.Record{Outcome: event.Noted}
	r.Service, r.Program, r.Host, r.Session = event.Dovecot, program, "imap1", session
	r.Addr, r.User, r.Kind, r.Attempts, r.Message = one, "bob", kind, 1, text
	r.Time = time.Unix(int64(1_700_000_000+second), 0)
	return r
}

// On a host without Postfix a session that begins or ends twice shows that the log holds
// each line twice. Then PAM's lines, which name no session, count once.
func TestDovecotTwiceInFullSeconds(t *testing.T) {
	pam := func(second int) event.Record {
		r := dovecotRecord("dovecot/auth", "", second, event.AuthFailed, "pam_unix(dovecot:auth): authentication failure")
		r.Mechanism = event.PAM
		return r
	}
	login := func(session string, second int) event.Record {
		return dovecotRecord("dovecot/imap-login", session, second, event.LoginOK, "imap-login: Login: session=<"+session+">")
	}
	end := func(session string, second int) event.Record {
		return dovecotRecord("dovecot/imap-login", session, second, event.AuthFailed, "imap-login: Disconnected: session=<"+session+">")
	}
	for name, tt := range map[string]struct {
		log  []event.Record
		want int // attempts of PAM's lines
	}{
		"a login twice, then a failure twice":   {[]event.Record{login("a", 0), login("a", 0), pam(10), pam(10)}, 1},
		"an end twice, then a failure twice":    {[]event.Record{end("a", 0), end("a", 0), pam(10), pam(10)}, 1},
		"two logins, two failures in a second":  {[]event.Record{login("a", 0), login("b", 0), pam(10), pam(10)}, 2},
		"logins without sessions":               {[]event.Record{login("", 0), login("", 0), pam(10), pam(10)}, 2},
		"a failure twice, before any session":   {[]event.Record{pam(10), pam(10), login("a", 12), login("a", 12)}, 2},
		"more than an hour later":               {[]event.Record{login("a", 0), login("a", 0), pam(3601), pam(3601)}, 2},
		"each line twice, two real failures":    {[]event.Record{login("a", 0), login("a", 0), pam(10), pam(10), pam(11), pam(11)}, 2},
		"another host's lines are there twice ": {[]event.Record{onHost("x", login("a", 0)), onHost("x", login("a", 0)), pam(10), pam(10)}, 2},
	} {
		for _, restored := range []bool{false, true} {
			t.Run(fmt.Sprint(name, restored), func(t *testing.T) {
				j, got := NewJoiner(event.HashKey{}), 0
				for _, r := range tt.log {
					if status := j.Join(&r); status == New && r.Mechanism == event.PAM {
						got += r.Attempts
					}
					if restored {
						again := NewJoiner(event.HashKey{})
						if err := again.Restore(j.AppendSnapshot(nil)); err != nil {
							t.Fatal(err)
						}
						j = again
					}
				}
				if got != tt.want {
					t.Errorf("got %d attempts, want %d", got, tt.want)
				}
			})
		}
	}
}

// A client that sends a login name as long as a message fills the part of the line that is
// kept, so that the lines of other sessions and clients in that second look the same. They
// are no copies, and no evidence that the log holds each line twice.
func TestLongNamesAreNoCopies(t *testing.T) {
	j := NewJoiner(event.HashKey{})
	long := "imap-login: Disconnected (auth failed, 1 attempts): user=<" + strings.Repeat("x", event.MaxMessage)
	other := netip.MustParseAddr("192.0.2.99")
	for i, r := range []event.Record{
		dovecotRecord("dovecot/imap-login", "a", 0, event.AuthFailed, long), dovecotRecord("dovecot/imap-login", "b", 0, event.AuthFailed, long),
		dovecotRecord("dovecot/imap-login", "a", 0, event.AuthFailed, long), dovecotRecord("dovecot/imap-login", "a", 0, event.AuthFailed, long),
	} {
		want := New
		if r.Message = r.Message[:event.MaxMessage]; i == 2 {
			r.Addr = other
		}
		if i == 3 {
			want = Copy
		}
		if got := j.Join(&r); got != want {
			t.Errorf("line %d: got %v, want %v", i+1, got, want)
		}
	}
}

// A mail that a doubled log reports twice was taken once, so one answer of a filter
// withdraws it.
func TestMailTwice(t *testing.T) {
	for name, queueID := range map[string]string{"a queue ID": "4Zk1Yq2Lz3z9v", "before the queue": ""} {
		t.Run(name, func(t *testing.T) {
			j, taken := NewJoiner(event.HashKey{}), 0
			for _, r := range []event.Record{
				twiceRecord(7, 0, event.NoKind, event.Connected, "connect from unknown[192.0.2.1]"),
				twiceRecord(7, 1, event.NoKind, event.MailAccepted, "client=unknown[192.0.2.1]"),
				twiceRecord(7, 2, event.NoKind, event.MailAccepted, "client=unknown[192.0.2.1]"),
				twiceRecord(7, 3, event.NoKind, event.Undelivered, "disconnect from unknown[192.0.2.1] mail=2 commands=3"),
			} {
				for range 2 {
					r := r
					if r.Testimony == event.MailAccepted && queueID != "" {
						r.Session = fmt.Sprint(queueID, r.Time.Unix())
					}
					status := j.Join(&r)
					if status == New && r.Testimony == event.MailAccepted {
						taken++
					}
					taken -= r.Withdrawn
				}
			}
			if taken != 0 {
				t.Errorf("got %d mails that were taken, want 0: the session ended without one", taken)
			}
		})
	}
}
