package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"csmail/pkg/event"
)

// live has a guard see a scene as it happens and asks once, after `ask` of its
// records; it returns what the guard said then, and what it said later and when.
func live(t *testing.T, ask int, build func(*scene)) string {
	t.Helper()
	var s scene
	build(&s)
	g := New(s.facts, Options{})
	var told string
	for i := range s.log {
		r := &s.log[i]
		g.Observe(r, false)
		for _, ruling := range g.Due(r.Time) {
			told += fmt.Sprintf("; %s %s after %s", ruling.Verdict.Action, ruling.Verdict.Rule, r.Time.Sub(sceneStart))
		}
		if i == ask {
			f := found("192.0.2.1", 1, r.Time)
			f.First = r.Time
			v := g.Decide(f, r.Time)
			told = fmt.Sprintf("%s %s %v", v.Action, v.Rule, v.Pending)
		}
	}
	return fmt.Sprintf("%s; %d wait", told, g.Pending())
}

func TestPatience(t *testing.T) {
	fail := func(s *scene, second int, user string) {
		s.fail(time.Duration(second)*time.Second, "192.0.2.1", user, event.Dovecot)
	}
	tick := func(s *scene, second int) { s.connect(time.Duration(second)*time.Second, "192.0.2.9", "unknown") }
	tests := map[string]struct {
		build func(*scene)
		want  string
	}{
		"the right password comes": {
			func(s *scene) { fail(s, 0, "bob"); s.login(time.Minute, "192.0.2.1", "bob") },
			"hold typing true; hold stale-password after 1m0s; 0 wait",
		},
		"it never comes": {
			func(s *scene) { fail(s, 0, "bob"); tick(s, 299); tick(s, 300) },
			"hold typing true; ban none after 5m0s; 0 wait",
		},
		"each failure begins the wait anew": {
			func(s *scene) { fail(s, 0, "bob"); fail(s, 200, "bob"); tick(s, 499); tick(s, 501) },
			"hold typing true; ban none after 8m21s; 0 wait",
		},
		"the sixth failure ends it": {
			func(s *scene) {
				for i := range 6 {
					fail(s, i, "bob")
				}
			},
			"hold typing true; ban none after 5s; 0 wait",
		},
		"a second account ends it": {
			func(s *scene) { fail(s, 0, "bob"); fail(s, 1, "eve") },
			"hold typing true; ban none after 1s; 0 wait",
		},
		"the same account without its domain": {
			func(s *scene) {
				fail(s, 0, "bob@example.org")
				fail(s, 1, "bob")
				fail(s, 2, "Bob@example.org")
				s.login(time.Minute, "192.0.2.1", "bob@example.org")
			},
			"hold typing true; hold stale-password after 1m0s; 0 wait",
		},
		"the same name in a second domain ends it": {
			func(s *scene) { fail(s, 0, "bob@example.org"); fail(s, 1, "bob"); fail(s, 2, "bob@example.net") },
			"hold typing true; ban none after 2s; 0 wait",
		},
		"another offence ends it": {
			func(s *scene) { fail(s, 0, "bob"); s.kind(time.Second, "192.0.2.1", event.NonSMTP, "") },
			"hold typing true; ban none after 1s; 0 wait",
		},
		"an outage shows while it lasts": {
			func(s *scene) {
				fail(s, 0, "bob")
				s.put(30*time.Second, "", event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}})
				tick(s, 300)
				tick(s, 1801)
			},
			"hold typing true; hold login-outage after 30m1s; 0 wait",
		},
		"what looked like an outage was none": {
			func(s *scene) {
				s.login(-time.Minute, "192.0.2.8", "eve")
				fail(s, 0, "bob")
				s.put(30*time.Second, "", event.Record{Event: event.Event{Service: event.Dovecot, Kind: event.AuthFault}})
				tick(s, 300)
				s.login(400*time.Second, "192.0.2.8", "eve")
				tick(s, 401)
			},
			"hold typing true; ban none after 6m41s; 0 wait",
		},
		"a suspect offence at first sight": {
			func(s *scene) { s.kind(0, "192.0.2.1", event.RecipientUnknown, ""); tick(s, 59); tick(s, 60) },
			"hold first-contact true; ban none after 1m0s; 0 wait",
		},
		"our resolver is seen to work": {
			func(s *scene) {
				s.connect(0, "192.0.2.8", "mx.example")
				s.kind(time.Second, "192.0.2.1", event.NoHostname, "")
				s.connect(2*time.Second, "192.0.2.8", "mx.example")
				s.connect(3*time.Second, "192.0.2.8", "mx.example")
				s.connect(70*time.Second, "192.0.2.8", "mx.example")
			},
			"hold resolver true; ban none after 1m10s; 0 wait",
		},
		"our resolver is not seen to work": {
			func(s *scene) {
				s.connect(0, "192.0.2.8", "mx.example")
				s.kind(time.Second, "192.0.2.1", event.NoHostname, "")
				tick(s, 600)
				tick(s, 3*3600)
			},
			"hold resolver true; hold resolver after 3h0m0s; 0 wait",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ask := 0
			if name == "our resolver is seen to work" || name == "our resolver is not seen to work" || name == "what looked like an outage was none" {
				ask = 1
			}
			if got := live(t, ask, tt.build); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Who has no room to wait stays held, and is counted.
func TestPendingIsBounded(t *testing.T) {
	g := New(Facts{}, Options{MaxPending: 2})
	for i := range 4 {
		var s scene
		addr := fmt.Sprintf("192.0.2.%d", i)
		s.fail(0, addr, "bob", event.Dovecot)
		g.Observe(&s.log[0], false)
		g.Decide(found(addr, 1, sceneStart), sceneStart)
	}
	if _, _, findings := g.Forgot(); g.Pending() != 2 || findings != 2 {
		t.Errorf("%d wait, %d could not", g.Pending(), findings)
	}
}

// The user of a folded line belongs to the failure before it.
func TestFoldedName(t *testing.T) {
	var s scene
	s.fail(0, "192.0.2.1", "", event.Postfix)
	s.fail(time.Second, "192.0.2.1", "eve", event.Dovecot)
	s.fail(time.Minute, "192.0.2.1", "joe", event.Dovecot)
	g := New(Facts{}, Options{})
	for i := range s.log {
		g.Observe(&s.log[i], i > 0)
	}
	if h := g.History(s.log[0].Addr); h.Tried != 1 || h.Offences[0].N != 1 {
		t.Errorf("%+v", h)
	}
}

// Who asks is told that a verdict is yet to come.
func TestHistoryTellsOfWhatWaits(t *testing.T) {
	var s scene
	s.fail(0, "192.0.2.1", "bob", event.Dovecot)
	s.fail(0, "192.0.2.2", "eve", event.Dovecot)
	g := New(s.facts, Options{})
	for i := range s.log {
		g.Observe(&s.log[i], false)
	}
	f := found("192.0.2.1", 1, sceneStart)
	f.Scenario = "csmail/strict-auth"
	if v := g.Decide(f, sceneStart); !v.Pending {
		t.Fatalf("not pending: %+v", v)
	}
	got := g.History(netip.MustParseAddr("192.0.2.1")).Waiting
	if want := []Waiting{{"csmail/strict-auth", sceneStart.Add(5 * time.Minute), Typing, "1 failed login on one account: waiting until 2026-06-03 04:05:00 UTC for the right password"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := g.History(netip.MustParseAddr("192.0.2.2")).Waiting; len(got) != 0 {
		t.Errorf("somebody else waits: %v", got)
	}
	g.Due(sceneStart.Add(6 * time.Minute))
	if got := g.History(netip.MustParseAddr("192.0.2.1")).Waiting; len(got) != 0 {
		t.Errorf("still waits after its time: %v", got)
	}
}
