package situations

import "testing"

func TestWhoDidIt(t *testing.T) {
	all := append(Standing(), Providers()...)
	all = append(all, mailingBots(), loggedInBots(), afterTheOutage())
	for _, set := range []string{"balanced", "strict"} {
		for _, s := range all {
			t.Run(set+"/"+s.Name, func(t *testing.T) { check(t, set, s) })
		}
	}
}

// A mistake of ours that would ban many hosts whose mail is taken bans no more than
// the cap lets through.
func TestMistakeIsCapped(t *testing.T) {
	for _, set := range []string{"balanced", "strict"} {
		t.Run(set, func(t *testing.T) {
			banned, held := map[string]bool{}, map[string]bool{}
			for _, a := range backtest(t, set, Situation{Log: wrongTable()}) {
				switch a.Verdict {
				case "ban":
					banned[a.Value] = true
				case "hold":
					held[a.Value] = true
				}
			}
			if len(banned) > 2 || len(held) < 50 {
				t.Errorf("%d of 60 hosts are banned and %d held, want 2 at the most and all others", len(banned), len(held))
			}
		})
	}
}

// What a source does that is held for long is reported as often as a blackhole lets it,
// though each of its attempts is judged.
func TestHeldIsReportedOnce(t *testing.T) {
	for set, most := range map[string]int{"balanced": 120, "strict": 130} {
		s := dockerGateway()
		held := 0
		for _, a := range backtest(t, set, s) {
			if covers(a, "172.18.0.1") && a.Verdict == "hold" {
				held++
			}
		}
		if held == 0 || held > most {
			t.Errorf("%s: the gateway is held %d times, want %d at the most", set, held, most)
		}
	}
}
