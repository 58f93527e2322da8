package report

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

var start = time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)

func result(second int, addr, user string, kind event.Kind, attempts int) *engine.Result {
	return &engine.Result{Record: &event.Record{Outcome: event.Noted, Event: event.Event{
		Time: start.Add(time.Duration(second) * time.Second), Addr: netip.MustParseAddr(addr), User: user,
		Kind: kind, Attempts: attempts, Service: event.Postfix, Message: fmt.Sprint("line ", second),
	}}}
}

func add(c *Collector, second int, addr, user string, kind event.Kind, attempts int) {
	c.Add(result(second, addr, user, kind, attempts))
}

// finding is one of six events in the last minute before second.
func finding(scenario, value string, second int, action guard.Action) engine.Finding {
	f := engine.Finding{Verdict: guard.Verdict{Action: action, Reason: "because " + scenario}, Alert: event.Alert{
		Scenario: scenario, Scope: event.ScopeIP, Count: 6, Services: []string{"postfix"},
		First: start.Add(time.Duration(second-60) * time.Second), Last: start.Add(time.Duration(second) * time.Second),
		Kinds: []event.Count{{Name: "auth-failed", N: 6}},
	}}
	f.At = f.Alert.Last
	if p, err := netip.ParsePrefix(value); err == nil {
		f.Alert.Scope, f.Alert.Source = event.ScopeRange, p.Addr()
		return f
	}
	f.Alert.Source = netip.MustParseAddr(value)
	return f
}

func TestSources(t *testing.T) {
	c := NewCollector(Scope{})
	add(c, 0, "192.0.2.1", "Bob", event.AuthFailed, 2)
	add(c, 60, "192.0.2.1", "bob", event.AuthFailed, 1)
	add(c, 90, "192.0.2.1", "", event.NoHostname, 1)
	add(c, 5, "192.0.2.2", "", event.NoHostname, 1)
	add(c, 5, "192.0.2.3", "", event.AuthFault, 1)
	add(c, 5, "192.0.2.4", "eve", event.LoginOK, 1)
	c.Add(&engine.Result{Record: &event.Record{Outcome: event.Noted, Event: event.Event{Kind: event.AuthFailed, Attempts: 1}}})
	folded := result(6, "192.0.2.2", "Joe", event.AuthFailed, 0)
	folded.Folded = true
	c.Add(folded)
	c.Add(&engine.Result{Record: &event.Record{Outcome: event.Witness}})
	sources := c.Sources()
	if len(sources) != 2 || c.Events() != 7 {
		t.Fatalf("%d sources, %d events", len(sources), c.Events())
	}
	if got := fmt.Sprint(sources[1].Users); got != "[joe]" {
		t.Errorf("the folded line's user: %s", got)
	}
	s := sources[0]
	if s.Addr.String() != "192.0.2.1" || s.Count != 4 || s.Hostile != 3 || fmt.Sprint(s.Users) != "[bob]" {
		t.Errorf("got %+v", s)
	}
	if !s.First.Equal(start) || !s.Last.Equal(start.Add(90*time.Second)) {
		t.Errorf("times %s, %s", s.First, s.Last)
	}
	if s.Verdict.Action != guard.None || s.Verdict.Reason == "" {
		t.Errorf("verdict %+v", s.Verdict)
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

func TestVerdicts(t *testing.T) {
	c := NewCollector(Scope{})
	for i := range 4 {
		add(c, i, fmt.Sprint("203.0.113.", i), "", event.AuthFailed, 1)
	}
	c.AddFindings([]engine.Finding{
		finding("csmail/auth-bf", "203.0.113.1", 60, guard.Hold),
		finding("csmail/auth-bf", "203.0.113.1", 120, guard.Ban),
		finding("csmail/auth-bf", "203.0.113.1", 180, guard.Hold),
		finding("csmail/auth-slow-bf", "203.0.113.2", 60, guard.Hold),
		finding("csmail/auth-bf", "192.0.2.99", 60, guard.Ban), // not a source of the log
	})
	want := map[string]string{"203.0.113.0": "none []", "203.0.113.1": "ban [csmail/auth-bf]", "203.0.113.2": "hold [csmail/auth-slow-bf]", "203.0.113.3": "none []"}
	for _, s := range c.Sources() {
		if got := fmt.Sprint(s.Verdict.Action, s.Scenarios); got != strings.ReplaceAll(want[s.Addr.String()], " [", "[") && got != want[s.Addr.String()] {
			t.Errorf("%s: %s, expected %s", s.Addr, got, want[s.Addr.String()])
		}
	}
	// A network's ban is everybody's in it.
	c.AddFindings([]engine.Finding{finding("csmail/range-bf", "203.0.113.0/24", 60, guard.Ban)})
	for _, s := range c.Sources() {
		if s.Verdict.Action != guard.Ban {
			t.Errorf("%s in a banned network: %s", s.Addr, s.Verdict.Action)
		}
	}
	found := c.Findings()
	if len(found) != 4 {
		t.Fatalf("%d findings", len(found))
	}
	first := found[0].Alert
	if first.Count != 18 || first.Last.Sub(first.First) != 3*time.Minute || first.Kinds[0].N != 18 || found[0].Verdict.Action != guard.Ban {
		t.Errorf("three findings in one: %+v, %s", first, found[0].Verdict.Action)
	}
	if want := "203.0.113.1 made 18 × auth-failed on postfix within 3m (csmail/auth-bf)"; first.Message != want {
		t.Errorf("message %q, expected %q", first.Message, want)
	}
}

func TestBounds(t *testing.T) {
	c := NewCollector(Scope{})
	for i := range 1000 {
		add(c, i, "192.0.2.1", fmt.Sprint("user", i), event.AuthFailed, 1)
	}
	if s := c.Sources()[0]; len(s.Users) != maxUsers || s.Hostile != 1000 {
		t.Errorf("%d users, %d counted", len(s.Users), s.Hostile)
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

// Of two words of one weight on one source the last stands.
func TestLastWordStands(t *testing.T) {
	c := NewCollector(Scope{})
	for i, action := range []guard.Action{guard.Hold, guard.Hold, guard.Alert} {
		f := finding("csmail/a", "192.0.2.1", 60*i, action)
		f.Verdict.Reason = fmt.Sprint("word ", i)
		c.AddFindings([]engine.Finding{f})
	}
	got := c.Findings()
	if len(got) != 1 || got[0].Verdict.Reason != "word 1" || got[0].Alert.Count != 18 {
		t.Errorf("%+v", got)
	}
}

// A source that does many kinds of things has a count of each.
func TestManyKinds(t *testing.T) {
	c := NewCollector(Scope{})
	kinds := []event.Kind{event.AuthFailed, event.RelayDenied, event.NonSMTP, event.Pregreet, event.Hangup, event.TLSError, event.NoAuth}
	for range 2 {
		for i, kind := range kinds {
			add(c, 0, "192.0.2.1", "", kind, i+1)
		}
	}
	var want []event.Count
	for i, kind := range kinds {
		want = append(want, event.Count{Name: kind.String(), N: 2 * (i + 1)})
	}
	if got := c.Sources()[0].Kinds; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSourcesWithinANetwork(t *testing.T) {
	var all []*Source
	for _, addr := range []string{"192.0.1.255", "192.0.2.0", "192.0.2.9", "192.0.2.255", "192.0.3.0", "2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::"} {
		all = append(all, &Source{Addr: netip.MustParseAddr(addr)})
	}
	for network, want := range map[string]int{
		"192.0.2.0/24": 3, "192.0.2.7/24": 3, "192.0.2.9/32": 1, "198.51.100.0/24": 0, "2001:db8::/64": 2, "2001:db8::/32": 3, "0.0.0.0/0": 5, "::/0": 3,
	} {
		if got := within(all, netip.MustParsePrefix(network)); len(got) != want {
			t.Errorf("%s: got %d sources, want %d", network, len(got), want)
		}
	}
	if got := within(all, netip.Prefix{}); len(got) != 0 {
		t.Errorf("no network: got %d sources, want none", len(got))
	}
}

func TestLongUserNames(t *testing.T) {
	c := NewCollector(Scope{})
	long := strings.Repeat("a", 300)
	for second, name := range []string{long + "1", long + "2", long + "1", strings.Repeat("ä", 100), "bob"} {
		add(c, second, "192.0.2.1", name, event.AuthFailed, 1)
	}
	got := c.Sources()[0].Users
	want := []string{long[:96], long[:96], strings.Repeat("ä", 48), "bob"} // two accounts that begin alike
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	c = NewCollector(Scope{})
	add(c, 0, "192.0.2.1", "x"+strings.Repeat("ä", 100), event.AuthFailed, 1)
	if got, want := c.Sources()[0].Users[0], "x"+strings.Repeat("ä", 47); got != want {
		t.Errorf("a character that is cut: got %q, want %q", got, want)
	}
}

// Only who pushes findings has their evidence kept: a flood has thousands of them.
func TestEvidenceIsKeptForThoseWhoAsk(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		c := NewCollector(Scope{})
		if keeps {
			c.KeepEvidence()
		}
		for _, action := range []guard.Action{guard.Alert, guard.Ban} { // the second replaces the first
			f := finding("csmail/auth-bf", "192.0.2.1", 0, action)
			f.Alert.Evidence = make([]event.Event, 3)
			c.AddFindings([]engine.Finding{f})
			if len(f.Alert.Evidence) != 3 {
				t.Error("the caller's finding has lost its evidence")
			}
			if got := c.Findings()[0]; len(got.Alert.Evidence) > 0 != keeps || got.Verdict.Action != action {
				t.Errorf("%v: got %d events and %v, want any: %t", action, len(got.Alert.Evidence), got.Verdict.Action, keeps)
			}
		}
	}
}
