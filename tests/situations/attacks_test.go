package situations

import (
	"slices"
	"testing"
)

// Each attack sequence overflows its scenario, leads to the bans that it should,
// and to no other.
func TestAttacksOverflow(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for _, a := range Attacks() {
		t.Run(a.Name, func(t *testing.T) {
			var banned []string
			met := map[Told]bool{}
			for _, alert := range backtest(t, "balanced", Situation{Log: a.Log}) {
				met[Told{alert.Scenario, alert.Scope, alert.Value, alert.Verdict}] = true
				if alert.Verdict == "ban" && !slices.Contains(banned, alert.Value) {
					banned = append(banned, alert.Value)
				}
			}
			for _, want := range a.Told {
				if !met[want] {
					t.Errorf("no alert %+v among %v", want, met)
				}
			}
			if slices.Sort(banned); !slices.Equal(banned, a.Banned) {
				t.Errorf("banned %q, want %q", banned, a.Banned)
			}
		})
	}
}
