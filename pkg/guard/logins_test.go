package guard

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// logsInAt asks the guard about a login name as a failed login has it.
func logsInAt(g *Guard, name string, at time.Time, host string) bool {
	return g.logsIn(g.key.Account(name), stamp(at), health.HostOf(&event.Record{Event: event.Event{Host: host}}))
}

// An account logs in if any source logged in to it, with or without its domain, within
// the time that a login proves.
func TestLogsIn(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		s.login(0, "203.0.113.1", "alice@example.org")
		s.login(time.Minute, "203.0.113.1", "bob")
		s.login(20*24*time.Hour, "203.0.113.2", "carol")
	})
	for name, want := range map[string]bool{
		"carol": true, "carol@example.org": true, "alice@example.org": false, "eve": false,
	} {
		if got := logsInAt(g, name, now, ""); got != want {
			t.Errorf("%s: got %t, want %t", name, got, want)
		}
	}
	for name, want := range map[string]bool{
		"alice": true, "alice@example.org": true, "alice@example.com": false, "bob": true, "bob@example.com": true,
	} {
		if got := logsInAt(g, name, sceneStart.Add(time.Hour), ""); got != want {
			t.Errorf("%s on the first day: got %t, want %t", name, got, want)
		}
	}
}

// At the limit the accounts go that have not logged in for longest. A name in any domain is
// an entry of its own.
func TestLoginsAreBounded(t *testing.T) {
	const sources = 64
	g, now := told(Options{MaxSources: sources}, func(s *scene) {
		for i := range 1000 {
			s.login(time.Duration(i)*time.Minute, fmt.Sprintf("203.0.113.%d", i%32), fmt.Sprintf("user%d@example.org", i))
		}
	})
	if n := len(g.logins); n > 2*sources || n < sources {
		t.Errorf("got %d entries, want at most %d and half of them at least", n, 2*sources)
	}
	if !logsInAt(g, "user999", now, "") || logsInAt(g, "user0", now, "") {
		t.Error("the newest account is gone, or the oldest is left")
	}
}

// What a stolen edge reported is forgotten, and what another one reported stays. In a
// cluster a login that one host alone reported speaks on that host only.
func TestLoginsOfEdges(t *testing.T) {
	s := &scene{}
	for _, one := range []struct{ edge, addr, user string }{
		{"mx7", "203.0.113.1", "alice"}, {"mx7", "203.0.113.2", "bob"}, {"mx1", "203.0.113.3", "bob"},
	} {
		s.login(time.Duration(len(s.log))*time.Minute, one.addr, one.user)
		r := &s.log[len(s.log)-1]
		r.Host, r.Origin = one.edge, event.OriginOf(one.edge, "")
		r.Origin.Edge = event.EdgeOf(one.edge)
	}
	g := guardOf(s, true)
	now := s.log[len(s.log)-1].Time
	logsInOn := func(name, host string) bool {
		return g.logsIn(g.key.Account(name), stamp(now), health.HostOf(&event.Record{Origin: event.OriginOf(host, "")}))
	}
	got := []bool{logsInOn("alice", "mx7"), logsInOn("alice", "mx1"), logsInOn("bob", "mx2")}
	if want := []bool{true, false, true}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	g.Distrust(event.EdgeOf("mx7"), []event.Origin{event.OriginOf("mx7", "")})
	got = []bool{logsInOn("alice", "mx7"), logsInOn("bob", "mx2"), logsInOn("bob", "mx1")}
	if want := []bool{false, false, true}; !slices.Equal(got, want) {
		t.Errorf("after distrust: got %v, want %v", got, want)
	}
}

// A restored guard knows the logins; from an older snapshot, which lacks the table, it
// knows those of the sources.
func TestLoginsAreKept(t *testing.T) {
	g, now := told(Options{}, func(s *scene) {
		s.login(0, "203.0.113.1", "alice@example.org")
		s.login(time.Hour, "203.0.113.2", "bob")
	})
	whole := g.AppendSnapshot(nil)
	var table codec
	table.version = snapshotVersion
	table.logins(g.logins)
	table.began(&g.began)
	if !bytes.HasSuffix(whole, table.B) {
		t.Fatal("the table is not at the end of the snapshot")
	}
	old := slices.Clone(whole[:len(whole)-len(table.B)])
	old[0] = 15
	for name, b := range map[string][]byte{"now": whole, "version 15": old} {
		restored := New(Facts{}, Options{})
		if err := restored.Restore(b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b[0] == 15 { // which lacks it
			restored.began = g.began
		}
		if got := restored.AppendSnapshot(nil); !bytes.Equal(got, whole) {
			t.Errorf("%s: the restored guard's snapshot differs", name)
		}
		if !logsInAt(restored, "alice", now, "") || !logsInAt(restored, "bob@example.com", now, "") || logsInAt(restored, "eve", now, "") {
			t.Errorf("%s: the restored guard knows other accounts", name)
		}
	}
	g.Rewind(sceneStart.Add(time.Minute))
	if !logsInAt(g, "bob", sceneStart.Add(time.Minute), "") {
		t.Error("after the clock was set back bob does not log in")
	}
}
