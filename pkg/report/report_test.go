package report

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

var start = time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)

func add(c *Collector, second int, addr, user string, kind event.Kind, attempts int) {
	c.Add(engine.Result{Record: &event.Record{Outcome: event.Noted, Event: event.Event{
		Time: start.Add(time.Duration(second) * time.Second), Addr: netip.MustParseAddr(addr), User: user,
		Kind: kind, Attempts: attempts, Service: event.Postfix, Message: fmt.Sprint("line ", second),
	}}})
}

func TestSources(t *testing.T) {
	c := NewCollector(Scope{Evidence: true})
	add(c, 0, "192.0.2.1", "Bob", event.AuthFailed, 2)
	add(c, 60, "192.0.2.1", "bob", event.AuthFailed, 1)
	add(c, 90, "192.0.2.1", "", event.NoHostname, 1)
	add(c, 5, "192.0.2.2", "", event.NoHostname, 1)
	add(c, 5, "192.0.2.3", "", event.AuthFault, 1)
	add(c, 5, "192.0.2.4", "eve", event.LoginOK, 1)
	c.Add(engine.Result{Record: &event.Record{Outcome: event.Noted, Event: event.Event{Kind: event.AuthFailed, Attempts: 1}}})
	c.Add(engine.Result{Folded: true, Record: &event.Record{Outcome: event.Noted, Event: event.Event{
		Kind: event.AuthFailed, Addr: netip.MustParseAddr("192.0.2.2"), User: "Joe",
	}}})
	c.Add(engine.Result{Record: &event.Record{Outcome: event.Witness}})
	sources := c.Sources()
	if got := fmt.Sprint(sources[1].Users); got != "[joe]" {
		t.Errorf("the folded line's user: %s", got)
	}
	if len(sources) != 2 || c.Events() != 7 {
		t.Fatalf("%d sources, %d events", len(sources), c.Events())
	}
	s := sources[0]
	if s.Addr.String() != "192.0.2.1" || s.Count != 4 || s.Hostile != 3 || fmt.Sprint(s.Users) != "[bob]" {
		t.Errorf("got %+v", s)
	}
	if !s.First.Equal(start) || !s.Last.Equal(start.Add(90*time.Second)) || !s.LastHostile.Equal(start.Add(time.Minute)) {
		t.Errorf("times %s, %s, %s", s.First, s.Last, s.LastHostile)
	}
}

func TestConduct(t *testing.T) {
	c := NewCollector(Scope{})
	add(c, 0, "192.0.2.1", "Bob", event.AuthFailed, 5)
	add(c, 1, "192.0.2.1", "bob", event.LoginOK, 1)
	if v := guard.New(guard.Facts{}).Judge(c.Sources()[0].Conduct(), 3); v.Action != guard.Hold {
		t.Errorf("a mistyped password: %s, %s", v.Action, v.Reason)
	}
	add(c, 2, "192.0.2.1", "eve", event.AuthFailed, 2)
	add(c, 2, "192.0.2.1", "joe", event.AuthFailed, 2)
	if v := guard.New(guard.Facts{}).Judge(c.Sources()[0].Conduct(), 3); v.Action != guard.Ban {
		t.Errorf("guesses at another account: %s, %s", v.Action, v.Reason)
	}
}

func TestOutage(t *testing.T) {
	for second, want := range map[int]guard.Action{30: guard.Hold, 90: guard.Ban} {
		c := NewCollector(Scope{})
		c.Add(engine.Result{Record: &event.Record{Outcome: event.Noted, Event: event.Event{Kind: event.AuthFault, Time: start, Attempts: 1}}})
		add(c, second, "192.0.2.1", "bob", event.AuthFailed, 5)
		if v := guard.New(guard.Facts{}).Judge(c.Sources()[0].Conduct(), 3); v.Action != want {
			t.Errorf("%d seconds after the trouble: %s, %s", second, v.Action, v.Reason)
		}
	}
}

// A login before --since speaks for its source all the same.
func TestLoginBeforeSince(t *testing.T) {
	c := NewCollector(Scope{Since: start.Add(time.Hour)})
	add(c, 0, "192.0.2.1", "bob", event.LoginOK, 1)
	add(c, 4000, "192.0.2.1", "bob", event.AuthFailed, 5)
	if v := guard.New(guard.Facts{}).Judge(c.Sources()[0].Conduct(), 3); v.Action != guard.Hold {
		t.Errorf("%s, %s", v.Action, v.Reason)
	}
}

func TestScope(t *testing.T) {
	c := NewCollector(Scope{
		Since: start.Add(10 * time.Second), Until: start.Add(20 * time.Second),
		Only: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	})
	for second, addr := range map[int]string{9: "192.0.2.9", 10: "192.0.2.10", 19: "192.0.2.19", 20: "192.0.2.20", 15: "198.51.100.1"} {
		add(c, second, addr, "", event.AuthFailed, 1)
	}
	if got := len(c.Sources()); got != 2 {
		t.Errorf("%d sources", got)
	}
}

func TestBounds(t *testing.T) {
	c := NewCollector(Scope{Evidence: true})
	for i := range 1000 {
		add(c, i, "192.0.2.1", fmt.Sprint("user", i), event.AuthFailed, 1)
	}
	s := c.Sources()[0]
	if len(s.Users) != maxUsers || len(s.Conduct().FailedLogins) != maxUsers || len(s.Evidence) != maxEvidence {
		t.Errorf("%d users, %d accounts, %d events kept", len(s.Users), len(s.Conduct().FailedLogins), len(s.Evidence))
	}
	if s.Evidence[2].Message != "line 2" || s.Evidence[3].Message != "line 993" || s.Evidence[9].Message != "line 999" {
		t.Errorf("evidence %q, %q, %q", s.Evidence[2].Message, s.Evidence[3].Message, s.Evidence[9].Message)
	}
	if s.Hostile != 1000 {
		t.Errorf("%d counted", s.Hostile)
	}
}

func TestLargeOffice(t *testing.T) {
	c := NewCollector(Scope{})
	for i := range 2 * maxUsers {
		add(c, i, "192.0.2.1", fmt.Sprint("user", i), event.LoginOK, 1)
		add(c, i, "192.0.2.1", fmt.Sprint("user", i), event.AuthFailed, 1)
	}
	if v := guard.New(guard.Facts{}).Judge(c.Sources()[0].Conduct(), 3); v.Action != guard.Hold {
		t.Errorf("%s, %s", v.Action, v.Reason)
	}
}

func TestAlertIsDiscreet(t *testing.T) {
	c := NewCollector(Scope{Evidence: true})
	add(c, 0, "2001:db8::1", "alice@example.org", event.AuthFailed, 2)
	add(c, 60, "2001:db8::1", "bob@example.org", event.RelayDenied, 1)
	add(c, 90, "2001:db8::1", "", event.NoHostname, 1)
	a := c.Sources()[0].Alert()
	if want := "2001:db8::1 made 3 hostile attempts on postfix within 1m0s: 2 × auth-failed, 1 × relay-denied"; a.Message != want {
		t.Errorf("message %q", a.Message)
	}
	if strings.Contains(a.Message, "@") || a.Count != 3 || len(a.Evidence) != 3 {
		t.Errorf("alert %+v", a)
	}
}

// What is kept of a source must not hold the block that a line came in.
func TestBlocksAreLetGo(t *testing.T) {
	c := NewCollector(Scope{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 200 {
		block := strings.Repeat("x", 1<<20) + fmt.Sprint("user", i%10)
		add(c, i, "192.0.2.1", block[1<<20:], event.AuthFailed, 1)
		add(c, i, "192.0.2.1", block[1<<20:], event.LoginOK, 1)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 5<<20 {
		t.Errorf("%d MB are held", grown>>20)
	}
	runtime.KeepAlive(c)
}
