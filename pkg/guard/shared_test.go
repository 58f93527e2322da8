package guard

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// A finding about an address is a person's to decide while ten accounts log in from it,
// if the tenth did so a day before the first attempt.
func TestSharedSince(t *testing.T) {
	for name, tt := range map[string]struct {
		users int
		last  uint32 // when the last of them logged in; the others did so a day before
		again uint32 // when the first one logged in again
		first uint32 // the finding's first attempt
		want  bool
	}{
		"ten for a day":             {10, noon, noon, noon + day, true},
		"ten for less than a day":   {10, noon, noon, noon + day - 1, false},
		"nine for a day":            {9, noon, noon, noon + day, false},
		"ten, two weeks ago":        {10, noon, noon, noon + 15*day, false},
		"ten, of which one is left": {10, noon, noon + 20*day, noon + 21*day, false},
		"more than are remembered":  {maxAccounts + 1, noon, noon, noon + day, true},
	} {
		g := New(Facts{}, Options{})
		s := g.memory.add(keyOf(netip.MustParseAddr("192.0.2.1")))
		login := func(user int, at uint32) {
			g.memory.noteLogin(s, accountOf(fmt.Sprint("user", user)), at)
			g.noteShared(s, at)
		}
		for i := range tt.users - 1 {
			login(i, noon-day)
		}
		login(tt.users-1, tt.last)
		login(0, tt.again)
		g.now = tt.first
		f := Finding{Scope: event.ScopeIP, Addr: netip.MustParseAddr("192.0.2.1"), First: time.Unix(int64(tt.first), 0)}
		if got := g.sharedAmong(f) != nil; got != tt.want {
			t.Errorf("%s: got %t, want %t", name, got, tt.want)
		}
	}
}

// When the log of a host began, only the logins of that host say.
func TestYoungLog(t *testing.T) {
	g := New(Facts{}, Options{})
	for _, login := range []struct {
		host health.Host
		at   uint32
	}{{1, 500_000}, {2, 100_000}, {1, 400_000}, {1, 450_000}} {
		g.began.note(login.host, login.at)
	}
	for _, tt := range []struct {
		host health.Host
		at   uint32
		want bool
	}{{1, 400_001, true}, {1, 400_000 + day, false}, {1, 399_999, true}, {2, 400_001, false}, {3, 400_001, false}} {
		s := g.source(7, tt.at)
		g.memory.setOffences(s, nil)
		g.memory.push(s, offence{at: tt.at, host: tt.host, kind: event.AuthFailed, n: 1})
		if got := g.isYoung(s, tt.at); got != tt.want {
			t.Errorf("host %d at %d: got %v, want %v", tt.host, tt.at, got, tt.want)
		}
	}
	restored := New(Facts{}, Options{})
	if err := restored.Restore(g.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(restored.began, g.began) {
		t.Errorf("restored %v, want %v", restored.began, g.began)
	}
}
