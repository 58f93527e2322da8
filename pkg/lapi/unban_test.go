package lapi

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/crowdsecurity/crowdsec/pkg/models"
)

func decisionOn(id int64, value, left string) *models.Decision {
	return &models.Decision{
		ID: id, Type: new("ban"), Value: &value, Scope: new("x"), Origin: new("crowdsec"), Scenario: new("csmail/auth-bf"), Duration: &left,
	}
}

func TestUnban(t *testing.T) {
	tests := map[string]struct {
		network       string
		ended, covers string // values
	}{
		"an address in a network that is banned": {"203.0.113.7/32", "203.0.113.7", "203.0.113.0/24"},
		"its neighbour":                          {"203.0.113.8/32", "203.0.113.8", "203.0.113.0/24"},
		"the network":                            {"203.0.113.0/24", "203.0.113.7 203.0.113.8 203.0.113.0/24", ""},
		"a wider one":                            {"203.0.112.0/20", "203.0.113.7 203.0.113.8 203.0.113.0/24", ""},
		"an address of a banned /64":             {"2001:db8:0:1::5/128", "2001:db8:0:1::/64 2001:db8:0:1::9", ""},
		"an address that is not banned":          {"192.0.2.1/32", "", ""},
		"one whose ban is over":                  {"198.51.100.1/32", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := &fakeLAPI{alerts: []*models.Alert{
				{ID: 1, Decisions: []*models.Decision{decisionOn(11, "203.0.113.7", "4h"), decisionOn(12, "203.0.113.8", "4h"), nil}},
				{ID: 2, Decisions: []*models.Decision{decisionOn(21, "203.0.113.0/24", "4h"), decisionOn(22, "198.51.100.1", "-4h")}},
				{ID: 3, Decisions: []*models.Decision{decisionOn(31, "2001:db8:0:1::/64", "4h"), decisionOn(32, "2001:db8:0:1::9", "4h"), decisionOn(33, "bob", "4h")}},
			}, holes: true}
			for _, a := range f.alerts {
				a.Source = &models.Source{Value: new("x"), Scope: new("x")}
			}
			slices.Reverse(f.alerts) // the LAPI lists the newest first
			done, err := f.serve(t).Unban(t.Context(), netip.MustParsePrefix(tt.network))
			if err != nil {
				t.Fatal(err)
			}
			if got := valuesOfDecided(done.Ended); got != tt.ended {
				t.Errorf("ended: got %q, want %q", got, tt.ended)
			}
			if got := valuesOfDecided(done.Covers); got != tt.covers {
				t.Errorf("covers: got %q, want %q", got, tt.covers)
			}
			for _, a := range f.alerts {
				for _, d := range a.Decisions {
					if d != nil && slices.Contains(strings.Fields(tt.ended), *d.Value) != (*d.Duration == "-1s") {
						t.Errorf("%s: %s is left", *d.Value, *d.Duration)
					}
				}
			}
		})
	}
}

func valuesOfDecided(all []Decided) string {
	var values []string
	for _, d := range all {
		values = append(values, d.Value)
	}
	return strings.Join(values, " ")
}

func TestUnbanOfALAPIThatFails(t *testing.T) {
	f := &fakeLAPI{always: http.StatusInternalServerError}
	if _, err := f.serve(t).Unban(t.Context(), netip.MustParsePrefix("192.0.2.1/32")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v, want %v", err, ErrUnreachable)
	}
}
