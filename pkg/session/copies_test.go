package session

import (
	"fmt"
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
