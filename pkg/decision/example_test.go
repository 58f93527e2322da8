package decision_test

import (
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/decision"
)

// A door looks an address up without a lock.
func ExampleTable_Lookup() {
	now := time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)
	d, err := decision.Parse(decision.Raw{
		ID: 1, Scope: "Range", Value: "192.0.2.0/24", Type: "ban", Origin: "cscli", Scenario: "manual", Duration: "4h",
	}, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	table := decision.New(decision.DefaultLimit)
	table.Apply([]decision.Decision{d}, nil, now)
	found, ok := table.Lookup(netip.MustParseAddr("192.0.2.7"), now)
	fmt.Println(ok, found.Value(), found.Until.Format(time.TimeOnly))
	_, ok = table.Lookup(netip.MustParseAddr("192.0.2.7"), now.Add(5*time.Hour))
	fmt.Println(ok)
	// Output:
	// true 192.0.2.0/24 08:11:09
	// false
}
