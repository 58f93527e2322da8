package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

func TestForgivenNetworks(t *testing.T) {
	const network = "192.0.2.0/28"
	now := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	g := New(Facts{}, Options{})
	g.Due(now)
	g.ForgiveNetwork(netip.MustParsePrefix(network), now.Add(time.Hour))
	decide := func(network string, at time.Time) Verdict {
		t.Helper()
		return g.Decide(Finding{Scenario: "x", Scope: event.ScopeRange, Network: netip.MustParsePrefix(network), Needed: 1}, at)
	}
	for network, want := range map[string]Rule{
		"192.0.2.0/24": Amnesty, "192.0.2.8/29": Amnesty, "192.0.2.0/28": Amnesty, "192.0.2.16/28": Forgotten, "2001:db8::/64": Forgotten,
	} {
		v := decide(network, now.Add(time.Minute))
		if v.Action != Hold || v.Rule != want {
			t.Errorf("%s: %s %s, want %s", network, v.Action, v.Rule, want)
		}
		if want == Amnesty && v.Reason != "192.0.2.0/28 was forgiven by a person until 2026-06-03 05:00:00 UTC" {
			t.Errorf("%s: %q", network, v.Reason)
		}
	}
	g.Rewind(now.Add(-48 * time.Hour))
	if v := decide(network, now.Add(-24*time.Hour)); v.Rule != Forgotten {
		t.Errorf("a day after the clock was set back: %s", v.Rule)
	}
}

// Networks with amnesty are bounded: those go first whose amnesty is over, then ends
// first. One that is forgiven again is there once.
func TestForgivenNetworksAreBounded(t *testing.T) {
	now := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	g := New(Facts{}, Options{})
	g.Due(now)
	network := func(n int) netip.Prefix {
		return netip.MustParsePrefix(fmt.Sprintf("198.%d.%d.0/24", 18+n/256, n%256))
	}
	for n := range maxForgiven + 1 {
		end := time.Duration(n)
		if n == 1 {
			end = -2 // the first to end
		}
		for range 2 {
			g.ForgiveNetwork(network(n), now.Add(time.Hour+end*time.Second))
		}
	}
	if _, gone := g.isForgiven(network(1)); len(g.forgiven) != maxForgiven || gone {
		t.Errorf("%d networks, the first to end is there: %t", len(g.forgiven), gone)
	}
	if _, kept := g.isForgiven(network(0)); !kept {
		t.Error("another went")
	}
	g.Due(now.Add(time.Hour + time.Minute))
	g.ForgiveNetwork(network(1), now.Add(2*time.Hour))
	if want := maxForgiven - 60 + 1; len(g.forgiven) != want {
		t.Errorf("%d networks after a minute of ends, want %d", len(g.forgiven), want)
	}
	if _, kept := g.isForgiven(network(0)); kept {
		t.Error("what is over is kept")
	}
}
