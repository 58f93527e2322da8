package lapi

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// Unbanned is the effect of [Client.Unban].
type Unbanned struct {
	Ended []Decided // by this call, of any origin
	// Covers are decisions in force on larger networks that cover the named one. They
	// also hit other addresses, so they stay.
	Covers []Decided
}

// Unban ends all decisions in force on an address, which is a network of full length, or
// on anything in a network. Of IPv6 that is the /64 at least, since csmail bans whole
// ones. Any machine may do it (jwtAuth.DELETE("/decisions/:decision_id") in
// pkg/apiserver/controllers/controller.go, v1.7.8).
//
// It names each decision by its number: DELETE /v1/decisions?ip= would end every
// decision that contains the address, those on whole providers included.
func (c *Client) Unban(ctx context.Context, network netip.Prefix) (Unbanned, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var done Unbanned
	network = network.Masked()
	if network.Addr().Is6() && network.Bits() > 64 {
		network = netip.PrefixFrom(network.Addr(), 64).Masked()
	}
	found, err := c.decisionsOn(ctx, network)
	if err != nil {
		return done, err
	}
	for _, d := range found {
		on, ok := prefixOf(d.Value)
		switch {
		case !ok || !on.Overlaps(network):
		case on.Bits() < network.Bits():
			done.Covers = append(done.Covers, d.Decided)
		default:
			if err := c.endDecision(ctx, d.id); err != nil {
				return done, err
			}
			done.Ended = append(done.Ended, d.Decided)
		}
	}
	return done, nil
}

// numbered is a decision with the LAPI's number.
type numbered struct {
	Decided
	id int64
}

// decisionsOn returns the decisions in force that contain the network or are in it: the
// LAPI looks for one or the other. It also returns others of the same alerts.
func (c *Client) decisionsOn(ctx context.Context, network netip.Prefix) ([]numbered, error) {
	var all []numbered
	for _, contains := range [...]bool{true, false} {
		options := apiclient.AlertsListOpts{
			RangeEquals: network.String(), Contains: &contains, ActiveDecisionEquals: new(true), Limit: new(0), // 0: all
		}
		err := c.call(ctx, "ask for decisions", func(ctx context.Context) (*apiclient.Response, error) {
			answer, resp, err := c.api.Alerts.List(ctx, options)
			if err != nil {
				return resp, err
			}
			for _, m := range *answer {
				all = addDecisions(all, m, resp)
			}
			return resp, nil
		})
		if err != nil {
			return nil, settle(err)
		}
	}
	return all, nil
}

func addDecisions(all []numbered, m *models.Alert, resp *apiclient.Response) []numbered {
	if m == nil {
		return all
	}
	now := clockOf(resp)
	for _, d := range m.Decisions {
		ban := banOf(d, now)
		if ban.Until.IsZero() || !ban.Until.After(now) || slices.ContainsFunc(all, func(o numbered) bool { return o.id == ban.ID }) {
			continue
		}
		all = append(all, numbered{id: ban.ID, Decided: Decided{
			Type: ban.Type, Value: ban.Value, Origin: ban.Origin, Scenario: ban.Scenario, Until: ban.Until,
			Simulated: d.Simulated != nil && *d.Simulated,
		}})
	}
	return all
}

// prefixOf reads the value of a decision on an address or a network.
func prefixOf(value string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(value); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	network, err := netip.ParsePrefix(value)
	return network.Masked(), err == nil
}

// endDecision ends one decision. It is no error if that was already ended or flushed by
// then.
func (c *Client) endDecision(ctx context.Context, id int64) error {
	status := 0
	err := c.call(ctx, "end a decision", func(ctx context.Context) (*apiclient.Response, error) {
		_, resp, err := c.api.Decisions.DeleteOne(ctx, strconv.FormatInt(id, 10))
		if resp != nil && resp.Response != nil {
			status = resp.Response.StatusCode
		}
		return resp, err
	})
	if status == http.StatusNotFound {
		return nil
	}
	return settle(err)
}
