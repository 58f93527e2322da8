package daemon

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/control"
)

func (r *rig) reloaded(more string) {
	r.t.Helper()
	r.configure(more)
	r.reload <- struct{}{}
	r.await("READY=1")
	if s, err := r.ask.Status(r.t.Context()); err != nil || s.Reload != "" {
		r.t.Fatalf("the reload: %q, %v, want Reload \"\"", s.Reload, err)
	}
}

func (r *rig) waiting(n int) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%d alerts wait", n), func() bool {
		list, err := r.ask.List(r.t.Context(), control.Outbox)
		return err == nil && len(list) == n
	})
}

// What waits for the LAPI over reloads is delivered, once.
func TestReloadWhileLAPIIsDown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lapi.setDown(true)
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	r.waiting(1)
	r.reloaded("guard: {bans_per_hour: 7}")
	r.waiting(1)
	r.guesses(3, "203.0.113.8", "bob", time.Now())
	r.eventually("nine lines are read", func() bool { return r.lines() == 9 })
	r.reloaded("guard: {bans_per_hour: 8}")
	r.guesses(3, "203.0.113.8", "bob", time.Now())
	r.waiting(2)
	r.lapi.setDown(false)
	r.delivered(2)
	r.waiting(0)
	r.reloaded("")
	r.guesses(6, "203.0.113.9", "bob", time.Now())
	want := []string{"csmail/auth-bf " + attacker, "csmail/auth-bf 203.0.113.8", "csmail/auth-bf 203.0.113.9"}
	if got := r.delivered(1); !slices.Equal(got, want) {
		t.Errorf("alerts %q, want %q", got, want)
	}
}

// A reload takes the answer to a push away; the LAPI has the alert all the same.
func TestReloadWhileAPushIsUnderWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lapi.mute(true)
	r.start()
	r.guesses(6, attacker, "bob", time.Now())
	r.delivered(1)
	r.waiting(1)
	r.lapi.mute(false)
	r.reloaded("guard: {bans_per_hour: 7}")
	r.waiting(0)
	r.guesses(6, "203.0.113.8", "bob", time.Now())
	want := []string{"csmail/auth-bf " + attacker, "csmail/auth-bf 203.0.113.8"}
	if got := r.delivered(1); !slices.Equal(got, want) {
		t.Errorf("alerts %q, want %q", got, want)
	}
}

// The figures of a run go on over its reloads: in the LAPI, in status and in the
// metrics, also those of a source that is no longer followed.
// (The port is below those that the kernel gives to connections.)
func TestReloadKeepsFigures(t *testing.T) {
	r := newRig(t)
	r.configure("prometheus: {enabled: true, listen_port: 26604}")
	r.start()
	r.eventually("the first report came", func() bool { return r.lapi.reports() > 0 })
	r.guesses(6, attacker, "bob", time.Now())
	r.delivered(1)
	r.eventually("six lines are read", func() bool { return r.lines() == 6 })
	r.reloaded("prometheus: {enabled: true, listen_port: 26604}")
	r.eventually("the LAPI has six lines", func() bool { return r.lapi.linesOf(r.path("mail.log")) == 6 })
	r.guesses(2, attacker, "bob", time.Now())
	r.eventually("status counts from the start", func() bool {
		s, err := r.ask.Status(t.Context())
		return err == nil && s.Lines == 8 && s.Sources[0].Lines == 8 && s.LAPI.Delivered == 1 && !s.LAPI.Reached.IsZero()
	})
	r.write("other.log", "")
	r.reloaded(fmt.Sprintf("prometheus: {enabled: true, listen_port: 26604}\nsources: [{source: file, filenames: [%s]}]", r.path("other.log")))
	r.eventually("the LAPI has eight lines", func() bool { return r.lapi.linesOf(r.path("mail.log")) == 8 })
	r.eventually("the other log alone is followed", func() bool {
		text := r.get(26604, "/metrics")
		return strings.Contains(text, fmt.Sprintf("csmail_lines{source=%q} 8\n", r.path("mail.log"))) &&
			strings.Contains(text, `csmail_lapi{outcome="delivered"} 1`+"\n") &&
			strings.Contains(text, fmt.Sprintf("csmail_source_up{source=%q} 1\n", r.path("other.log"))) &&
			!strings.Contains(text, fmt.Sprintf("csmail_source_up{source=%q}", r.path("mail.log")))
	})
	if n := r.lines(); n != 8 {
		t.Errorf("status has %d lines, want 8", n)
	}
	if got := r.lapi.datasources(); got != 1 {
		t.Errorf("the LAPI knows of %v sources that are followed, want 1", got)
	}
}

// What was counted since the last report is told at the end, by a restarted daemon
// nothing twice.
func TestStopTellsUsage(t *testing.T) {
	r := newRig(t)
	r.start()
	r.eventually("the first report came", func() bool { return r.lapi.reports() > 0 })
	r.guesses(6, attacker, "bob", time.Now())
	r.eventually("six lines are read", func() bool { return r.lines() == 6 })
	r.stop()
	if got := r.lapi.linesOf(r.path("mail.log")); got != 6 {
		t.Errorf("the LAPI has %v lines, want 6", got)
	}
	r.start()
	r.eventually("it reports again", func() bool { return r.lapi.reports() > 2 })
	r.stop()
	if got := r.lapi.linesOf(r.path("mail.log")); got != 6 || r.lapi.reports() != 3 {
		t.Errorf("the LAPI has %v lines in %d reports, want 6 in 3", got, r.lapi.reports())
	}
}

// What the LAPI could not be told at the end, it is told by the next daemon that finds
// it, once, and the runs between add theirs.
func TestStopKeepsUsage(t *testing.T) {
	r := newRig(t)
	r.start()
	r.eventually("the first report came", func() bool { return r.lapi.reports() > 0 })
	r.guesses(6, attacker, "bob", time.Now())
	r.eventually("six lines are read", func() bool { return r.lines() == 6 })
	r.lapi.setDown(true)
	r.stop()
	r.start()
	r.guesses(2, attacker, "bob", time.Now())
	r.eventually("two lines are read", func() bool { return r.lines() == 2 })
	r.stop()
	r.lapi.setDown(false)
	for range 2 {
		before := r.lapi.reports()
		r.start()
		r.eventually("it reports", func() bool { return r.lapi.reports() > before })
		r.stop()
		if got := r.lapi.linesOf(r.path("mail.log")); got != 8 {
			t.Errorf("the LAPI has %v lines, want 8", got)
		}
	}
}

// A journalctl that hangs does not hang the daemon.
func TestReloadEnds(t *testing.T) {
	r := newRig(t)
	r.journal, r.patience = r.path("journalctl"), 300*time.Millisecond
	if err := os.WriteFile(r.journal, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.configure("sources: []")
	r.reload <- struct{}{}
	r.await("READY=1")
	s, err := r.ask.Status(t.Context())
	if err != nil || !strings.Contains(s.Reload, "the host's journalctl or postconf gave no answer within 300ms") {
		t.Errorf("the reload: %q, %v, want it to contain \"the host's journalctl or postconf gave no answer within 300ms\"", s.Reload, err)
	}
	r.guesses(6, attacker, "bob", time.Now()) // by the configuration before
	r.delivered(1)
}

// A reload that only a restart can do says which key is in the way.
func TestReloadNamesTheKey(t *testing.T) {
	r := newRig(t)
	r.start()
	r.configure("prometheus: {enabled: true, listen_port: 26601}")
	r.reload <- struct{}{}
	r.await("READY=1")
	s, err := r.ask.Status(t.Context())
	if err != nil || s.Reload != "prometheus cannot change while csmail runs: restart it" {
		t.Errorf("the reload: %q, %v, want Reload \"prometheus cannot change while csmail runs: restart it\"", s.Reload, err)
	}
}
