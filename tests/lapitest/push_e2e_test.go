//go:build e2e

package lapitest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
)

func client(t *testing.T, credentials string) *lapi.Client {
	t.Helper()
	creds, err := lapi.LoadCredentials(credentials)
	if err != nil {
		t.Fatal(err)
	}
	c, err := lapi.New(creds, "v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// machine starts a LAPI with a machine of ours.
func machine(t *testing.T, r Release) (*Server, *lapi.Client) {
	t.Helper()
	s := start(t, r)
	path, err := s.AddMachine(t.Context(), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	return s, client(t, path)
}

// finding is an alert whose last event was so long ago.
func finding(source string, scope event.Scope, ago time.Duration) event.Alert {
	addr := netip.MustParseAddr(source)
	last := time.Now().Add(-ago).UTC()
	return event.Alert{
		Scenario: "csmail/auth-bf", Scope: scope, Source: addr, Count: 6,
		First: last.Add(-time.Minute), Last: last,
		Message:  "Ip " + source + " performed csmail/auth-bf",
		Kinds:    []event.Count{{Name: "auth-failed", N: 6}},
		Services: []string{"dovecot"},
		Evidence: []event.Event{{
			Time: last, Service: event.Dovecot, Program: "dovecot/imap-login", Kind: event.AuthFailed, Addr: addr,
			// CrowdSec's client packs a request over 5 KiB, and 1.4 cannot unpack it.
			User: "bob@example.org", Message: "imap-login: Login aborted: <bob@example.org> " + strings.Repeat("\"<x>\" and so on", 300),
		}},
	}
}

func push(t *testing.T, c *lapi.Client, o lapi.PushOptions, alerts ...event.Alert) []lapi.Outcome {
	t.Helper()
	outcomes, err := c.Push(t.Context(), alerts, o)
	if err != nil {
		t.Fatalf("%v (hint: %s)", err, hint.Of(err))
	}
	if len(outcomes) != len(alerts) {
		t.Fatalf("%d outcomes of %d alerts", len(outcomes), len(alerts))
	}
	return outcomes
}

func decisions(t *testing.T, s *Server) []Decision {
	t.Helper()
	ds, err := s.Decisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func onEach(t *testing.T, test func(t *testing.T, s *Server, c *lapi.Client)) {
	onEachRelease(t, func(t *testing.T, _ Release, s *Server, c *lapi.Client) { test(t, s, c) })
}

func onEachRelease(t *testing.T, test func(t *testing.T, r Release, s *Server, c *lapi.Client)) {
	for _, r := range releases {
		t.Run(string(r), func(t *testing.T) {
			s, c := machine(t, r)
			test(t, r, s, c)
		})
	}
}

func TestPushIsBannedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *Server, c *lapi.Client) {
		alerts := []event.Alert{
			finding("192.0.2.1", event.ScopeIP, 5*time.Hour), // a backfill: longer ago than the ban lasts
			finding("2001:db8::1", event.ScopeIP, time.Minute),
			finding("198.51.100.7", event.ScopeRange, time.Minute),
		}
		for _, o := range push(t, c, lapi.PushOptions{}, alerts...) {
			if o.Status != lapi.Pushed || o.ID == "" {
				t.Errorf("%s: %s %q %q", o.Alert.Source, o.Status, o.ID, o.Reason)
			}
			inspected, err := s.Cscli(t.Context(), "alerts", "inspect", "-d", o.ID, "-o", "json")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(inspected, "bob@example.org") || !strings.Contains(inspected, "csmail_id") {
				t.Errorf("alert %s: %s", o.ID, inspected)
			}
			if _, err := s.Cscli(t.Context(), "alerts", "inspect", "-d", o.ID); err != nil {
				t.Error(err) // cscli cannot show a context that is not made of lists
			}
		}
		got := map[string]string{}
		for _, d := range decisions(t, s) {
			got[d.Value] = d.Scope + " " + d.Type + " " + d.Origin + " " + d.Scenario
			if d.Simulated || d.Duration < 3*time.Hour+59*time.Minute || d.Duration > 4*time.Hour {
				t.Errorf("%s: simulated %t, %s left", d.Value, d.Simulated, d.Duration)
			}
		}
		for value, scope := range map[string]string{"192.0.2.1": "Ip", "2001:db8::1": "Ip", "198.51.100.0/24": "Range"} {
			if want := scope + " ban crowdsec csmail/auth-bf"; got[value] != want {
				t.Errorf("decision on %s: %q, want %q", value, got[value], want)
			}
		}

		// A human takes the ban back; the same log comes again.
		if _, err := s.Cscli(t.Context(), "decisions", "delete", "-i", "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		for _, o := range push(t, c, lapi.PushOptions{Duration: time.Hour}, alerts...) {
			if o.Status != lapi.HeldBack || !strings.HasPrefix(o.Reason, "already reported as alert ") {
				t.Errorf("again: %s: %s %q", o.Alert.Source, o.Status, o.Reason)
			}
		}
		if n := len(decisions(t, s)); n != 2 {
			t.Errorf("%d decisions, want the 2 that nobody deleted", n)
		}
		more := alerts[0]
		more.Last = more.Last.Add(time.Second)
		if o := push(t, c, lapi.PushOptions{}, more)[0]; o.Status != lapi.Pushed {
			t.Errorf("a later offence: %s %q", o.Status, o.Reason)
		}
	})
}

func TestPushSimulated(t *testing.T) {
	onEach(t, func(t *testing.T, s *Server, c *lapi.Client) {
		a := finding("192.0.2.2", event.ScopeIP, time.Minute)
		want := []lapi.Status{lapi.Pushed, lapi.HeldBack}
		for i, status := range want {
			if o := push(t, c, lapi.PushOptions{Simulate: true}, a)[0]; o.Status != status {
				t.Errorf("dry run %d: %s %q", i+1, o.Status, o.Reason)
			}
		}
		if ds := decisions(t, s); len(ds) != 1 || !ds[0].Simulated {
			t.Errorf("decisions: %+v", ds)
		}
		table, err := s.Cscli(t.Context(), "decisions", "list")
		if err != nil || !strings.Contains(table, "(simul)ban") {
			t.Errorf("cscli shows %s, %v", table, err)
		}
		if o := push(t, c, lapi.PushOptions{}, a)[0]; o.Status != lapi.Pushed {
			t.Errorf("for real: %s %q", o.Status, o.Reason)
		}
	})
}

func TestPushExplicitDuration(t *testing.T) {
	onEach(t, func(t *testing.T, s *Server, c *lapi.Client) {
		push(t, c, lapi.PushOptions{Duration: 36 * time.Hour}, finding("192.0.2.3", event.ScopeIP, 48*time.Hour))
		ds := decisions(t, s)
		if len(ds) != 1 || ds[0].Duration < 35*time.Hour || ds[0].Duration > 36*time.Hour || ds[0].Origin != "crowdsec" {
			t.Errorf("decisions: %+v", ds)
		}
	})
}

func TestPushManyAndOrderOfIDs(t *testing.T) {
	onEach(t, func(t *testing.T, s *Server, c *lapi.Client) {
		var alerts []event.Alert
		for i := range 120 {
			alerts = append(alerts, finding(fmt.Sprintf("203.0.113.%d", i+1), event.ScopeIP, time.Minute))
		}
		began := time.Now()
		outcomes := push(t, c, lapi.PushOptions{}, alerts...)
		t.Logf("120 alerts in %s", time.Since(began))
		value := map[string]string{}
		for _, d := range decisions(t, s) {
			value[fmt.Sprint(d.AlertID)] = d.Value
		}
		for _, o := range outcomes {
			if o.Status != lapi.Pushed || value[o.ID] != o.Alert.Source.String() {
				t.Errorf("%s: %s, alert %s is about %q", o.Alert.Source, o.Status, o.ID, value[o.ID])
			}
		}
		began = time.Now()
		push(t, c, lapi.PushOptions{}, alerts...)
		t.Logf("again, all held back, in %s", time.Since(began))
	})
}

func TestPushHoldsAllowlisted(t *testing.T) {
	s, c := machine(t, Current)
	for _, args := range [][]string{
		{"allowlists", "create", "office", "-d", "ours"},
		{"allowlists", "add", "office", "203.0.113.0/24"},
	} {
		if _, err := s.Cscli(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	alerts := []event.Alert{
		finding("203.0.113.9", event.ScopeIP, time.Minute),
		finding("192.0.2.9", event.ScopeIP, time.Minute),
		finding("203.0.113.9", event.ScopeRange, time.Minute),
	}
	for _, d := range []time.Duration{0, time.Hour} {
		outcomes := push(t, c, lapi.PushOptions{Duration: d}, alerts...)
		for _, i := range []int{0, 2} {
			if o := outcomes[i]; o.Status != lapi.HeldBack || !strings.Contains(o.Reason, "office") {
				t.Errorf("duration %s: %s %q", d, o.Status, o.Reason)
			}
		}
	}
	if ds := decisions(t, s); len(ds) != 1 || ds[0].Value != "192.0.2.9" {
		t.Errorf("decisions: %+v", ds)
	}
}

func TestPushRefusedAndUnreachable(t *testing.T) {
	onEach(t, func(t *testing.T, s *Server, c *lapi.Client) {
		a := finding("192.0.2.4", event.ScopeIP, time.Minute)
		path, err := s.AddMachine(t.Context(), "other")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), "password: ", "password: x", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = client(t, path).Push(t.Context(), []event.Alert{a}, lapi.PushOptions{})
		if !errors.Is(err, lapi.ErrRefused) || !strings.Contains(hint.Of(err), "cscli machines add other") {
			t.Errorf("wrong password: %v (%s)", err, hint.Of(err))
		}

		push(t, c, lapi.PushOptions{}, a)
		s.process.end()
		a.Last = time.Now()
		began := time.Now()
		_, err = c.Push(t.Context(), []event.Alert{a}, lapi.PushOptions{})
		if !errors.Is(err, lapi.ErrUnreachable) || time.Since(began) > 10*time.Second {
			t.Errorf("stopped: %v after %s", err, time.Since(began))
		}
	})
}

func TestPushAfterRestart(t *testing.T) {
	for _, r := range releases {
		t.Run(string(r), func(t *testing.T) {
			o, err := Find(r)
			if err != nil {
				t.Fatal(err)
			}
			o.Dir = t.TempDir()
			s, err := Start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			path, err := s.AddMachine(t.Context(), "csmail")
			if err != nil {
				t.Fatal(err)
			}
			c := client(t, path)
			a := finding("192.0.2.5", event.ScopeIP, time.Minute)
			push(t, c, lapi.PushOptions{}, a)
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			o.Listen = strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/")
			if s, err = Start(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			})
			// The token of before is worth nothing now, the database is the same.
			if got := push(t, c, lapi.PushOptions{}, a)[0]; got.Status != lapi.HeldBack {
				t.Errorf("%s %q", got.Status, got.Reason)
			}
		})
	}
}
