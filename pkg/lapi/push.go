package lapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"csmail/pkg/event"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// PushOptions are the settings of a push.
type PushOptions struct {
	// Duration of the ban that each alert carries. 0: no ban, so that the LAPI's
	// profiles decide, as its operator expects.
	Duration time.Duration

	// RangeDuration is that of the ban that an alert on a range carries to a LAPI
	// without allowlists, although Duration is 0: the profiles that CrowdSec 1.4
	// ships (config/profiles.yaml, v1.4.6) know addresses only, and a ban of a
	// network would come to nothing. 0: four hours, as profiles have it.
	RangeDuration time.Duration

	// Simulate stores alerts and decisions, shown by cscli as (simul), that no
	// bouncer gets to see.
	Simulate bool

	// ShareAccounts sends alerts on accounts as well, with the account's name. From
	// the LAPI they go on to CrowdSec's central API unless its operator has turned
	// that off. Without it such alerts are held back.
	ShareAccounts bool

	// Renewal is the number of a repetition that keeps a long ban alive; 0: the
	// first alert. A renewal is sent though the LAPI knows its events.
	Renewal int

	// Until is the final end of a renewed ban, by the LAPI's clock. Unless it is the
	// zero time it takes the place of Duration. Once it has come, nothing is sent.
	Until time.Time

	// Now is the time from which bans count. The zero time: the present by the LAPI's
	// clock, because the LAPI ends them.
	Now time.Time
}

// Status is the result of pushing one alert.
type Status uint8

// The statuses.
const (
	undecided Status = iota
	Pushed           // the LAPI has it
	HeldBack         // the LAPI need not or must not get it
	Rejected         // the LAPI will not take it, however often it is sent
)

var statusNames = [...]string{"undecided", "pushed", "held-back", "rejected"}

// String returns the status as it is printed.
func (s Status) String() string { return statusNames[s] }

// Outcome is the result of one alert of a push.
type Outcome struct {
	Alert  event.Alert
	Status Status
	Reason string // why it was held back or rejected; "" if pushed
	ID     string // the LAPI's number of the alert; "" if it does not have this very alert
}

// Push sends the alerts to the LAPI and returns the outcome of each, in their order.
// Nothing is stored twice: an alert is held back if an earlier alert of the same
// scenario and source already counted its last event. This is also so after a human
// deleted the earlier alert's decision.
//
// On an error (see [ErrUnreachable] and [ErrRefused]) the outcomes are those of the
// alerts that were settled before it; pushing all of them again later is safe.
func (c *Client) Push(ctx context.Context, alerts []event.Alert, o PushOptions) ([]Outcome, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := min(o.Duration, o.RangeDuration); d < 0 {
		return nil, fmt.Errorf("duration %s of a ban is negative", d)
	}
	if len(alerts) == 0 {
		return nil, nil
	}
	p := &push{client: c, options: o, outcomes: make([]Outcome, len(alerts))}
	for i, a := range alerts {
		p.outcomes[i].Alert = a
	}
	err := p.run(ctx)
	return p.settled(), settle(err)
}

// push is the work on one list of alerts. Items are indices into outcomes.
type push struct {
	client   *Client
	options  PushOptions
	outcomes []Outcome
}

// run sends the alerts in requests, and splits a request that the LAPI rejects.
func (p *push) run(ctx context.Context) error {
	p.rejectUnsendable()
	if err := p.holdAllowlisted(ctx); err != nil {
		return err
	}
	if err := p.holdReported(ctx); err != nil {
		return err
	}
	p.setTime()
	return p.send(ctx)
}

// setTime sets the time from which bans count, as late as it can: the LAPI has
// answered by now, so its clock is known.
func (p *push) setTime() {
	o := &p.options
	if o.Now.IsZero() {
		o.Now = p.client.clock.now()
	}
	if o.Until.IsZero() {
		return
	}
	o.Duration = o.Until.Sub(o.Now).Round(time.Second)
	for _, i := range p.open() {
		if o.Duration <= 0 {
			p.holdBack(i, "the ban was over before it could be renewed")
		}
	}
}

// settled returns the outcomes of the alerts that need no further attempt.
func (p *push) settled() []Outcome {
	settled := make([]Outcome, 0, len(p.outcomes))
	for _, o := range p.outcomes {
		if o.Status != undecided {
			settled = append(settled, o)
		}
	}
	return settled
}

// open returns the items that nothing is decided about.
func (p *push) open() []int {
	var items []int
	for i, o := range p.outcomes {
		if o.Status == undecided {
			items = append(items, i)
		}
	}
	return items
}

func (p *push) alert(item int) event.Alert { return p.outcomes[item].Alert }

func (p *push) pushed(item int, id string) {
	p.outcomes[item].Status, p.outcomes[item].ID = Pushed, id
}

func (p *push) holdBack(item int, reason string) {
	p.outcomes[item].Status, p.outcomes[item].Reason = HeldBack, reason
}

func (p *push) reject(item int, reason string) {
	p.outcomes[item].Status, p.outcomes[item].Reason = Rejected, reason
}

// rejectUnsendable also holds back duplicates in the list.
func (p *push) rejectUnsendable() {
	seen := map[string]bool{}
	for i := range p.outcomes {
		a := p.alert(i)
		if err := Check(a); err != nil {
			p.reject(i, err.Error())
			continue
		}
		if a.Scope == event.ScopeAccount && !p.options.ShareAccounts {
			p.holdBack(i, "alerts on accounts stay on this host (share_accounts)")
			continue
		}
		id := idOf(a, p.options)
		if seen[id] {
			p.holdBack(i, "the same alert stands twice in this push")
		}
		seen[id] = true
	}
}

// allowlistBatch is how many values one question is about; the LAPI makes one
// database query for each.
const allowlistBatch = 500

// holdAllowlisted asks in both modes: the LAPI does not look at its allowlists for an
// alert with a decision, and silently drops an allowlisted alert without one.
func (p *push) holdAllowlisted(ctx context.Context) error {
	items := map[string][]int{}
	var values []string
	for _, i := range p.open() {
		if p.alert(i).Scope == event.ScopeAccount {
			continue // allowlists hold addresses
		}
		value := p.alert(i).Value()
		if items[value] == nil {
			values = append(values, value)
		}
		items[value] = append(items[value], i)
	}
	for len(values) > 0 {
		batch := values[:min(allowlistBatch, len(values))]
		values = values[len(batch):]
		listed, err := p.client.allowlisted(ctx, batch)
		if err != nil {
			return err
		}
		for value, reason := range listed {
			for _, i := range items[value] {
				p.holdBack(i, "allowlisted in the LAPI: "+reason)
			}
		}
	}
	return nil
}

// allowlisted returns the values that an allowlist covers, each with the name of the
// list. An old LAPI that has no allowlists covers none.
func (c *Client) allowlisted(ctx context.Context, values []string) (map[string]string, error) {
	listed := map[string]string{}
	c.noAllowlists = false
	err := c.ask(ctx, "ask for allowlists", func(ctx context.Context) (*apiclient.Response, error) {
		answer, resp, err := c.api.Allowlists.CheckIfAllowlistedBulk(ctx, values)
		if err != nil {
			return resp, err
		}
		if answer.Results == nil {
			return resp, errNotLAPI
		}
		for _, r := range answer.Results {
			if r != nil && r.Target != nil {
				listed[*r.Target] = strings.Join(r.Allowlists, ", ")
			}
		}
		return resp, nil
	})
	if isUnknownEndpoint(err) {
		return c.allowlistedOneByOne(ctx, values)
	}
	return listed, err
}

// allowlistedOneByOne is for the first LAPIs with allowlists, which cannot be
// asked about several values at once.
func (c *Client) allowlistedOneByOne(ctx context.Context, values []string) (map[string]string, error) {
	listed := map[string]string{}
	for _, value := range values {
		err := c.ask(ctx, "ask for allowlists", func(ctx context.Context) (*apiclient.Response, error) {
			answer, resp, err := c.api.Allowlists.CheckIfAllowlistedWithReason(ctx, value)
			if err == nil && answer.Allowlisted {
				listed[value] = answer.Reason
			}
			return resp, err
		})
		if isUnknownEndpoint(err) {
			c.noAllowlists = true
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return listed, nil
}

// priorAlert is an alert that csmail sent earlier and that the LAPI still has.
type priorAlert struct {
	number    string // the LAPI's
	id        string // csmail_id
	last      time.Time
	simulated bool
}

// priorLimit bounds how many alerts of one scenario and source are looked at; the LAPI
// gives the newest first.
const priorLimit = 100

// priorAlerts returns csmail's alerts at the LAPI on the alert's scenario and source,
// newest first.
func (c *Client) priorAlerts(ctx context.Context, a event.Alert) ([]priorAlert, error) {
	value := valueOf(a)
	options := apiclient.AlertsListOpts{
		// Not by ip: that filter finds covering ranges, and no alert without decision.
		ScopeEquals: string(a.Scope), ValueEquals: value, ScenarioEquals: a.Scenario, Limit: new(priorLimit),
	}
	var list []priorAlert
	err := c.ask(ctx, "ask for earlier alerts", func(ctx context.Context) (*apiclient.Response, error) {
		answer, resp, err := c.api.Alerts.List(ctx, options)
		if err != nil {
			return resp, err
		}
		for _, m := range *answer {
			if t, ok := priorOf(m, a, value); ok {
				list = append(list, t)
			}
		}
		return resp, nil
	})
	return list, settle(err)
}

// priorOf reads an alert of the LAPI. It checks scenario and source again, because the
// LAPI's own filter also matches by decisions.
func priorOf(m *models.Alert, a event.Alert, value string) (priorAlert, bool) {
	if m == nil || m.Source == nil || m.Source.Value == nil || *m.Source.Value != value ||
		m.Scenario == nil || *m.Scenario != a.Scenario {
		return priorAlert{}, false
	}
	last, err := time.Parse(time.RFC3339Nano, metaValue(m.Meta, metaLast))
	if err != nil {
		return priorAlert{}, false // not csmail's
	}
	return priorAlert{
		number:    fmt.Sprint(m.ID),
		id:        metaValue(m.Meta, metaID),
		last:      last,
		simulated: m.Simulated != nil && *m.Simulated,
	}, true
}

// holdReported holds back alerts that the LAPI has already.
func (p *push) holdReported(ctx context.Context) error {
	for _, i := range p.open() {
		a := p.alert(i)
		list, err := p.client.priorAlerts(ctx, a)
		if err != nil {
			return err
		}
		if number := numberOf(list, idOf(a, p.options), p.options.Simulate); number != "" {
			p.holdBack(i, reportedBefore(number, a.Last))
			p.outcomes[i].ID = number
			continue
		}
		if p.options.Renewal > 0 {
			continue
		}
		newest := priorAlert{}
		for _, t := range list {
			if t.simulated && !p.options.Simulate {
				continue // a dry run: no bouncer got it
			}
			if t.last.After(newest.last) {
				newest = t
			}
		}
		if !newest.last.Before(a.Last) {
			p.holdBack(i, reportedBefore(newest.number, newest.last))
		}
	}
	return nil
}

// reportedBefore describes an alert that the LAPI has already.
func reportedBefore(number string, last time.Time) string {
	return fmt.Sprintf("already reported as alert %s, nothing new since %s", number, last.UTC().Format(time.RFC3339))
}

// ErrFollows says that another csmail delivers now, so that nothing was sent. What the LAPI
// has by now was settled.
var ErrFollows = errors.New("another judge delivers now")

// ErrTakesNone says that the LAPI answered 500 to each alert of a batch, sent
// alone: its disk or database, rather than the alerts. It comes with
// [ErrUnreachable].
var ErrTakesNone = errors.New("it takes none of the alerts")
