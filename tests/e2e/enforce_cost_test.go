//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"
)

// TestEnforcementCost logs what csmail adds to a clean connection and a clean login: the
// median of sessions one after the other, with csmail asked and without, in turn.
func TestEnforcementCost(t *testing.T) {
	r := enforcing(t)[0]
	without := guests()[0]
	plain := &lab{dir: t.TempDir(), setup: r.setup, clients: []*Client{without.Client}}
	defer func() {
		if err := plain.close(nil); err != nil {
			t.Error(err)
		}
	}()
	if err := plain.start(); err != nil {
		t.Fatal(err)
	}
	with := guests()[0]
	newDoorman(t, r, []*Client{with.Client})
	for _, door := range []string{"mail on 25", "login on 25", "submission", "imap"} {
		try := tries[door]
		var spent [2][]time.Duration
		for range 60 {
			for i, g := range []guest{without, with} {
				o, err := try(g.Client, g.user)
				if err != nil || o.refused {
					t.Fatalf("%s: %+v, %v", door, o, err)
				}
				spent[i] = append(spent[i], o.took)
			}
		}
		for i := range spent {
			slices.Sort(spent[i])
		}
		a, b := spent[0][30], spent[1][30]
		t.Logf("%-12s %s without, %s with csmail: %s more", door, a.Round(10*time.Microsecond), b.Round(10*time.Microsecond), (b - a).Round(10*time.Microsecond))
	}
}
