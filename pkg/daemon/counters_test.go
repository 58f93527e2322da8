package daemon

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/state"
)

// The counters go on over a restart, and a break-in stays in sight.
func TestCountersOutliveARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	r.delivered(1)
	total := func() control.Total {
		s, err := r.ask.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Total
	}
	r.eventually("all is counted", func() bool { return total().Lines == 6 && total().Delivered == 1 })
	before := total()
	r.stop()
	r.start()
	if got := total(); got != before {
		t.Errorf("got %+v, want %+v", got, before)
	}
	r.guesses(2, "203.0.113.8", "bob", time.Now())
	r.eventually("the counters go on", func() bool { return total().Lines == 8 })
	if got := total(); !got.Since.Equal(before.Since) {
		t.Errorf("counted since %s, want %s", got.Since, before.Since)
	}
}

// A status counts each banned value once, and nothing that only looks like a ban.
func TestBans(t *testing.T) {
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{History: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	now := time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)
	yesterday := now.Add(-24 * time.Hour)
	settle := func(addr, scenario string, at time.Time, status state.Status, simulate bool, ends time.Time) {
		t.Helper()
		a := event.Alert{Scenario: scenario, Scope: event.ScopeIP, Source: netip.MustParseAddr(addr), First: at, Last: at, Count: 6, Informational: scenario == engine.BreakIn}
		if err := store.Commit(state.Batch{Alerts: []state.Entry{{Alert: a, Queued: at, Simulate: simulate}}}); err != nil {
			t.Fatal(err)
		}
		waiting, err := store.Pending(0, 1)
		if err != nil || len(waiting) != 1 {
			t.Fatal(len(waiting), err)
		}
		if err := store.Settle([]state.Settlement{{Seq: waiting[0].Seq, Status: status, Number: "7", At: at}}); err != nil {
			t.Fatal(err)
		}
		if ends.IsZero() {
			return
		}
		told, err := store.History(a.Value(), 1)
		if err != nil || len(told) != 1 {
			t.Fatal(len(told), err)
		}
		var bans []state.Ban
		if ends.After(at) {
			bans = []state.Ban{{ID: 1, Type: "ban", Until: ends}}
		}
		if err := store.Looked(told[0], at, bans); err != nil {
			t.Fatal(err)
		}
	}
	later := now.Add(time.Hour)
	settle("203.0.113.1", "csmail/auth-bf", yesterday, state.Delivered, false, later)                         // still runs
	settle("203.0.113.2", "csmail/auth-bf", yesterday, state.Delivered, false, yesterday.Add(time.Hour))      // is over
	settle("203.0.113.3", "csmail/auth-bf", now.Add(-time.Hour), state.Delivered, false, later)               // today's
	settle("203.0.113.3", "csmail/auth-slow-bf", now.Add(-time.Minute), state.Delivered, false, later)        // the same source
	settle("203.0.113.4", "csmail/auth-bf", now.Add(-time.Second), state.Delivered, false, time.Time{})       // not looked at yet
	settle("203.0.113.5", "csmail/auth-bf", now.Add(-time.Hour), state.Delivered, false, now.Add(-time.Hour)) // the profiles made no decision
	settle("203.0.113.6", "csmail/auth-bf", now.Add(-time.Hour), state.Delivered, true, time.Time{})          // in simulation
	settle("203.0.113.7", "csmail/auth-bf", now.Add(-time.Hour), state.HeldBack, false, time.Time{})          // allowlisted
	settle("203.0.113.8", engine.BreakIn, now.Add(-time.Hour), state.Delivered, false, time.Time{})           // bans nobody
	got, err := answers{&Daemon{stateWriter: stateWriter{store: store}}}.bans(now)
	if want := (control.Bans{Now: 3, Today: 2, Simulated: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// More bans than are read at once.
func TestManyBans(t *testing.T) {
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{History: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	now := time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)
	const n = 2*pageSize + 1
	var batch state.Batch
	var settled []state.Settlement
	for i := range n {
		a := event.Alert{Scenario: "csmail/auth-bf", Scope: event.ScopeIP, Source: netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)), First: now, Last: now, Count: 6}
		batch.Alerts = append(batch.Alerts, state.Entry{Alert: a, Queued: now})
	}
	if err := store.Commit(batch); err != nil {
		t.Fatal(err)
	}
	waiting, err := store.Pending(0, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range waiting {
		settled = append(settled, state.Settlement{Seq: e.Seq, Status: state.Delivered, Number: "7", At: now})
	}
	if err := store.Settle(settled); err != nil {
		t.Fatal(err)
	}
	if got, err := (answers{&Daemon{stateWriter: stateWriter{store: store}}}).bans(now); err != nil || got.Now != n || got.Today != n {
		t.Errorf("got %+v, %v, want %d", got, err, n)
	}
}
