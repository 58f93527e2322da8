package render

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/lapi"
	"csmail/pkg/report"
)

// Each way that a finding can go has its own first line.
func TestVerdictLine(t *testing.T) {
	first := time.Date(2026, 6, 3, 4, 11, 0, 0, time.UTC)
	guesses := report.Alert{
		Scenario: "csmail/auth-bf", Count: 6, First: first, Last: first.Add(54 * time.Second), Verdict: "ban", Reason: "6 attempts count",
		Kinds: []event.Count{{Name: "auth-failed", N: 6}},
	}
	with := func(change func(*report.Alert)) []report.Alert {
		told := guesses
		change(&told)
		return []report.Alert{told}
	}
	state := func(name string) []report.Alert { return with(func(t *report.Alert) { t.State = name }) }
	decided := func(value string, over, simulated bool) []lapi.Known {
		return []lapi.Known{{Scenario: "csmail/auth-bf", Decisions: []lapi.Decided{{
			Type: "ban", Value: value, Scenario: "csmail/auth-bf", Until: first.Add(4 * time.Hour), Over: over, Simulated: simulated,
		}}}}
	}
	evidence := []report.Evidence{{Time: first, Kind: "auth-failed", User: "Alice"}, {Time: first.Add(time.Second), Kind: "auth-failed", User: "alice"}}
	tests := map[string]struct {
		answer Answer
		want   string
	}{
		"in force":                        {Answer{Why: report.Why{Alerts: state("delivered"), Evidence: evidence}, LAPI: decided("203.0.113.7", false, false)}, "is banned until Jun  3 08:11: 6 wrong passwords for alice in 54 s"},
		"simulated":                       {Answer{Why: report.Why{Alerts: state("delivered")}, LAPI: decided("203.0.113.7", false, true)}, "is banned in simulation only until Jun  3 08:11: 6 wrong passwords in 54 s"},
		"a network":                       {Answer{LAPI: decided("203.0.113.0/24", false, false)}, "is banned with 203.0.113.0/24 until Jun  3 08:11: csmail/auth-bf"},
		"of another":                      {Answer{Why: report.Why{Alerts: state("delivered")}, LAPI: decided("203.0.113.8", false, false)}, "is no longer banned; it was for 6 wrong passwords in 54 s"},
		"over":                            {Answer{Why: report.Why{Alerts: state("delivered")}, LAPI: decided("203.0.113.7", true, false)}, "is no longer banned; it was for 6 wrong passwords in 54 s"},
		"nobody knows whether it is over": {Answer{Why: report.Why{Alerts: state("delivered")}, LAPIErr: "lapi unreachable"}, "was banned, and the LAPI was not asked whether it still is: 6 wrong passwords in 54 s"},
		"on its way":                      {Answer{Why: report.Why{Alerts: state("outbox")}}, "is about to be banned, its alert waits for the LAPI: 6 wrong passwords in 54 s"},
		"parked":                          {Answer{Why: report.Why{Alerts: state("parked")}}, "is not banned, the LAPI would not take the alert on it: 6 wrong passwords in 54 s"},
		"allowlisted":                     {Answer{Why: report.Why{Alerts: state("held-back")}}, "is not banned again: 6 wrong passwords in 54 s, but 6 attempts count"},
		"a dropped hold":                  {Answer{Why: report.Why{Alerts: with(func(t *report.Alert) { t.State, t.Verdict = "dropped", "none" })}}, "is not banned: the alert on it was dropped (6 wrong passwords in 54 s)"},
		"held": {
			Answer{Why: report.Why{Alerts: with(func(t *report.Alert) { t.Verdict, t.Rule, t.Reason = "hold", "typing", "may be somebody who mistypes" })}},
			"is not banned: 6 wrong passwords in 54 s, but the guard holds the ban back by the rule typing: may be somebody who mistypes",
		},
		"not decided": {
			Answer{Why: report.Why{Waiting: []report.Waiting{{Scenario: "csmail/auth-bf", Until: first, Rule: "login-outage", Reason: "trouble"}}}},
			"is not banned yet: csmail/auth-bf found it, and the guard waits until Jun  3 04:11 at the latest by the rule login-outage: trouble",
		},
		"not decided, and held before": {
			Answer{Why: report.Why{Alerts: with(func(t *report.Alert) { t.Verdict, t.State = "hold", "held" }), Waiting: []report.Waiting{{Scenario: "csmail/auth-bf", Until: first}}}},
			"is not banned yet: csmail/auth-bf found it, and the guard waits until Jun  3 04:11 at the latest",
		},
		"not decided, and on its way": {
			Answer{Why: report.Why{Alerts: state("outbox"), Waiting: []report.Waiting{{Scenario: "csmail/auth-spray", Until: first}}}},
			"is about to be banned, its alert waits for the LAPI: 6 wrong passwords in 54 s",
		},
		"only told":     {Answer{Why: report.Why{Alerts: with(func(t *report.Alert) { t.Verdict = "alert" })}}, "is not banned: csmail/auth-bf only tells of it (6 wrong passwords in 54 s)"},
		"from a log":    {Answer{Why: report.Why{Alerts: with(func(t *report.Alert) { t.Kinds = append(t.Kinds, event.Count{Name: "no-auth", N: 2}) })}}, "is to be banned: 6 attempts that csmail/auth-bf counts in 54 s"},
		"some attempts": {Answer{Why: report.Why{History: []string{"offences"}, Buckets: []report.Bucket{{Scenario: "a", Count: 2, Needed: 10}, {Scenario: "b", Count: 2, Needed: 6}}}}, "is not banned: 2 of the 6 attempts that b asks for"},
		"nothing known": {Answer{Why: report.Why{Buckets: []report.Bucket{{Scenario: "of its network", Count: 2, Needed: 10}}}}, "is not banned, and nothing is known of it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.answer.Addr = netip.MustParseAddr("203.0.113.7")
			if got, want := tt.answer.verdictLine(time.UTC), "203.0.113.7 "+tt.want; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// A ban that is over cannot be ended.
func TestRemedyOfABanThatIsOver(t *testing.T) {
	addr := netip.MustParseAddr("203.0.113.7")
	decided := func(over bool) Answer {
		return Answer{
			Why: report.Why{Addr: addr, Alerts: []report.Alert{{Scenario: "csmail/auth-bf", Value: "203.0.113.7", Verdict: "ban", State: "delivered"}}},
			LAPI: []lapi.Known{{Scenario: "csmail/auth-bf", Decisions: []lapi.Decided{{
				Type: "ban", Value: "203.0.113.7", Scenario: "csmail/auth-bf", Until: time.Now().Add(time.Hour), Over: over,
			}}}},
		}
	}
	for over, want := range map[bool]bool{false: true, true: false} {
		var b strings.Builder
		remedy(&b, decided(over))
		if got := strings.Contains(b.String(), "csmail unban 203.0.113.7"); got != want {
			t.Errorf("over %t: got %q, want the command that ends it: %t", over, b.String(), want)
		}
	}
}
