package lapi

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// A dry run's ban must not look like one that is in force.
func TestKnownDecisions(t *testing.T) {
	now := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		left      string
		simulated bool
		want      string
	}{
		"in force":            {"4h", false, "ban on 203.0.113.7 by crowdsec until 2026-06-03T08:00:00Z"},
		"over":                {"-1h", false, "ban on 203.0.113.7 by crowdsec, over since 2026-06-03T03:00:00Z"},
		"of a dry run":        {"4h", true, "(simul)ban on 203.0.113.7 by crowdsec until 2026-06-03T08:00:00Z"},
		"of a dry run before": {"-1h", true, "(simul)ban on 203.0.113.7 by crowdsec, over since 2026-06-03T03:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			k, ok := knownOf(&models.Alert{
				Scenario: new("csmail/auth-bf"), Source: &models.Source{Scope: new("Ip"), Value: new("203.0.113.7")},
				Decisions: []*models.Decision{{
					Type: new("ban"), Value: new("203.0.113.7"), Origin: new("crowdsec"), Duration: &tt.left, Simulated: &tt.simulated,
				}},
			}, now)
			if !ok || len(k.Decisions) != 1 || k.Decisions[0].String() != tt.want || k.Decisions[0].Simulated != tt.simulated {
				t.Errorf("%+v, want %q", k, tt.want)
			}
		})
	}
}

// The newest comes first, whatever the order of the LAPI's answers.
func TestAboutIsInOrder(t *testing.T) {
	f := &fakeLAPI{}
	c := f.serve(t)
	for n := range 3 {
		a := alertOn("192.0.2.1")
		a.Scenario += strconv.Itoa(n)
		mustPush(t, c, PushOptions{}, a)
	}
	f.alerts[0].ID, f.alerts[2].ID = 3, 1
	f.holes = true
	known, err := c.About(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if err != nil || len(known) != 3 {
		t.Fatalf("got %+v, %v, want 3 known", known, err)
	}
	for i, k := range known {
		if want := int64(3 - i); k.Number != want {
			t.Errorf("%d comes in place of %d", k.Number, want)
		}
	}
}
