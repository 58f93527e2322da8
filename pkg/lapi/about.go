package lapi

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/event"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// Known is an alert that the LAPI has about a source. It may come from any machine, for
// example from a CrowdSec agent on another host.
type Known struct {
	Number    int64     `json:"number"`
	Scenario  string    `json:"scenario"`
	Scope     string    `json:"scope"`
	Value     string    `json:"value"`
	Message   string    `json:"message"`
	Created   string    `json:"created"`
	Machine   string    `json:"machine"`
	Decisions []Decided `json:"decisions"`
}

// Decided is a decision of such an alert.
type Decided struct {
	Type      string    `json:"type"`
	Value     string    `json:"value"`
	Origin    string    `json:"origin"`
	Scenario  string    `json:"scenario"`
	Until     time.Time `json:"until"` // by the LAPI's clock
	Over      bool      `json:"over"`
	Simulated bool      `json:"simulated"` // no bouncer gets it
}

// knownLimit bounds how many alerts are asked for.
const knownLimit = 50

// About returns the alerts on an address and those whose decisions cover it, the
// newest first.
func (c *Client) About(ctx context.Context, addr netip.Addr) ([]Known, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Known
	for _, options := range [...]apiclient.AlertsListOpts{
		{ScopeEquals: string(event.ScopeIP), ValueEquals: addr.String(), Limit: new(knownLimit)},
		{IPEquals: addr.String(), Limit: new(knownLimit)}, // finds covering ranges, but no alert without a decision
	} {
		err := c.call(ctx, "ask for alerts", func(ctx context.Context) (*apiclient.Response, error) {
			answer, resp, err := c.api.Alerts.List(ctx, options)
			if err != nil {
				return resp, err
			}
			for _, m := range *answer {
				if k, ok := knownOf(m, clockOf(resp)); ok && !slices.ContainsFunc(all, func(o Known) bool { return o.Number == k.Number }) {
					all = append(all, k)
				}
			}
			return resp, nil
		})
		if err != nil {
			return nil, settle(err)
		}
	}
	slices.SortFunc(all, func(a, b Known) int { return int(b.Number - a.Number) })
	return all, nil
}

// knownOf returns an alert of the LAPI in csmail's form. It reports false for one that is
// incomplete.
func knownOf(m *models.Alert, now time.Time) (Known, bool) {
	if m == nil || m.Source == nil || m.Source.Value == nil || m.Source.Scope == nil || m.Scenario == nil {
		return Known{}, false
	}
	k := Known{Number: m.ID, Scenario: *m.Scenario, Scope: *m.Source.Scope, Value: *m.Source.Value, Created: m.CreatedAt, Machine: m.MachineID, Decisions: []Decided{}}
	if m.Message != nil {
		k.Message = *m.Message
	}
	for _, d := range m.Decisions {
		ban := banOf(d, now)
		if ban.Until.IsZero() {
			continue // nothing that could be shown
		}
		k.Decisions = append(k.Decisions, Decided{
			Type: ban.Type, Value: textOf(d.Value), Origin: textOf(d.Origin), Scenario: ban.Scenario, Until: ban.Until, Over: !ban.Until.After(now),
			Simulated: d.Simulated != nil && *d.Simulated,
		})
	}
	return k, true
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// String describes a decision for a person, a simulated one as cscli decisions list
// does.
func (d Decided) String() string {
	kind, end := d.Type, " until "
	if d.Simulated {
		kind = "(simul)" + kind
	}
	if d.Over {
		end = ", over since "
	}
	return fmt.Sprintf("%s on %s by %s%s%s", kind, d.Value, d.Origin, end, d.Until.Format(time.RFC3339))
}
