package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/scenario"
)

// attempt is a login of a client at a time after noon; right or wrong.
func attempt(at time.Duration, addr, user string, kind event.Kind) *event.Record {
	noon := time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)
	return &event.Record{Outcome: event.Noted, Event: event.Event{
		Time: noon.Add(at), Service: event.Dovecot, Program: "dovecot/imap-login", Kind: kind, Attempts: 1,
		Addr: netip.MustParseAddr(addr), User: user, Session: fmt.Sprint(addr, at),
	}}
}

// A break-in is one finding a day for each source and account, which bans nobody and
// names no user in its message.
func TestBreakInFinding(t *testing.T) {
	const attacker = "203.0.113.99"
	guesses := func(n int, user string) []*event.Record {
		var all []*event.Record
		for i := range n {
			all = append(all, attempt(time.Duration(i)*3*time.Second, attacker, user, event.AuthFailed))
		}
		return all
	}
	login := func(at time.Duration, addr, user string) *event.Record { return attempt(at, addr, user, event.LoginOK) }
	tests := map[string]struct {
		log    []*event.Record
		counts func(*event.Event) bool
		facts  guard.Facts
		want   string // messages
	}{
		"40 guesses and the login": {
			log:  append(guesses(40, "alice"), login(time.Hour, attacker, "alice")),
			want: "203.0.113.99 logged in on dovecot after 40 wrong passwords within 60m (csmail/break-in)",
		},
		"it logs in again and again": {
			log:  append(guesses(40, "alice"), login(time.Hour, attacker, "alice"), login(2*time.Hour, attacker, "ALICE"), login(3*time.Hour, attacker, "alice")),
			want: "203.0.113.99 logged in on dovecot after 40 wrong passwords within 60m (csmail/break-in)",
		},
		"the end of the session, which names nobody": {
			log:  append(guesses(40, "alice"), login(time.Hour, attacker, "alice"), login(61*time.Minute, attacker, "")),
			want: "203.0.113.99 logged in on dovecot after 40 wrong passwords within 60m (csmail/break-in)",
		},
		"nobody is named at all": {
			log:  append(guesses(40, ""), login(time.Hour, attacker, ""), login(61*time.Minute, attacker, "")),
			want: "203.0.113.99 logged in on dovecot after 40 wrong passwords within 60m (csmail/break-in)",
		},
		"two accounts": {
			log:  append(guesses(40, "alice"), login(time.Hour, attacker, "alice"), login(61*time.Minute, attacker, "bob")),
			want: "203.0.113.99 logged in on dovecot after 40 wrong passwords within 60m (csmail/break-in)\n203.0.113.99 logged in on dovecot after 40 wrong passwords within 61m (csmail/break-in)",
		},
		"ten mistakes":            {log: append(guesses(10, "alice"), login(time.Hour, attacker, "alice"))},
		"a login from elsewhere":  {log: append(guesses(40, "alice"), login(time.Hour, "198.51.100.7", "alice"))},
		"a friend's host":         {log: append(guesses(40, "alice"), login(time.Hour, attacker, "alice")), facts: guard.Facts{Allow: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}},
		"what is not asked about": {log: append(guesses(40, "alice"), login(time.Hour, attacker, "alice")), counts: func(*event.Event) bool { return false }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Scenarios: new(scenario.Set), Guard: guard.New(tt.facts, guard.Options{}), Counts: tt.counts})
			var got []string
			for _, r := range tt.log {
				result := e.Step(r)
				for _, f := range result.Findings {
					got = append(got, f.Alert.Message)
					if f.Alert.Scenario != BreakIn || f.Verdict.Action != guard.Alert || !f.Alert.Informational || f.Alert.Source != r.Addr {
						t.Errorf("finding %+v", f)
					}
					if strings.Contains(strings.ToLower(f.Alert.Message+f.Verdict.Reason), "alice") {
						t.Errorf("it names the user: %q, %q", f.Alert.Message, f.Verdict.Reason)
					}
				}
			}
			if got := strings.Join(got, "\n"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A break-in that was told of is not told of again after a restart.
func TestBreakInOutlivesARestart(t *testing.T) {
	const attacker = "203.0.113.99"
	e := New(Options{Scenarios: new(scenario.Set), Guard: guard.New(guard.Facts{}, guard.Options{})})
	found := 0
	for i := range 40 {
		found += len(e.Step(attempt(time.Duration(i)*3*time.Second, attacker, "alice", event.AuthFailed)).Findings)
	}
	found += len(e.Step(attempt(time.Hour, attacker, "alice", event.LoginOK)).Findings)
	b, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	restored := New(Options{Scenarios: new(scenario.Set), Guard: guard.New(guard.Facts{}, guard.Options{})})
	if err := restored.Restore(b); err != nil {
		t.Fatal(err)
	}
	again := len(restored.Step(attempt(time.Hour+time.Minute, attacker, "alice", event.LoginOK)).Findings)
	if found != 1 || again != 0 {
		t.Errorf("got %d findings and %d after a restart, want 1 and 0", found, again)
	}
}
