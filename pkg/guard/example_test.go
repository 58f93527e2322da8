package guard_test

import (
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// The address belongs to a network of guard.allow, so it is never banned.
func ExampleGuard_Decide() {
	g := guard.New(guard.Facts{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, guard.Options{})
	now := time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)
	verdict := g.Decide(guard.Finding{
		Scenario: "me/bf", Scope: event.ScopeIP, Addr: netip.MustParseAddr("192.0.2.7"),
		Needed: 3, First: now.Add(-time.Minute), Last: now,
	}, now)
	fmt.Println(verdict.Action, verdict.Rule)
	fmt.Println(verdict.Reason)
	// Output:
	// hold never
	// never banned: in guard.allow
}
