package lapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// Ban is one decision that the LAPI made of an alert, or that the alert carried.
type Ban struct {
	ID   int64
	Type string // "ban", "captcha" …

	Scope, Value     string // what it is about, as the LAPI has it
	Origin, Scenario string
	Simulated        bool // by the LAPI's simulation.yaml: no bouncer gets it

	// Until is the end of the ban by the LAPI's clock, to about two seconds. A deleted
	// decision ends at the time of its deletion. The zero time: the LAPI's answer does
	// not say.
	Until time.Time
}

// Look is the LAPI's answer about an alert and its decisions.
type Look struct {
	At      time.Time // what the LAPI's clock showed
	Known   bool      // it has the alert
	Created time.Time // when it stored it, by its clock; zero: it does not say
	Bans    []Ban     // also those that are over
}

// Bans looks at the decisions of an alert. The number is the LAPI's, as in [Outcome].
// The answer has Known false if the LAPI no longer has the alert, or has another one
// under that number. For example, it was flushed or deleted, or the database is a new
// one.
//
// Machines may not read decisions (GET /v1/decisions answers 403), so it reads the
// alert.
func (c *Client) Bans(ctx context.Context, number, id string) (look Look, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := strconv.Atoi(number)
	if err != nil {
		return Look{}, fmt.Errorf("alert number %q: %w", number, err)
	}
	err = c.call(ctx, "ask for an alert's decisions", func(ctx context.Context) (*apiclient.Response, error) {
		alert, resp, err := c.alertByID(ctx, n)
		look = Look{At: clockOf(resp).UTC()}
		if err != nil || metaValue(alert.Meta, metaID) != id {
			return resp, err
		}
		look.Known = true
		if created, err := time.Parse(time.RFC3339, alert.CreatedAt); err == nil {
			look.Created = created
		}
		for _, d := range alert.Decisions {
			look.Bans = append(look.Bans, banOf(d, look.At))
		}
		return resp, nil
	})
	if isUnknownEndpoint(err) {
		return look, nil
	}
	return look, settle(err)
}

// alertByID is [apiclient.AlertsService.GetByID], which keeps the status of an
// error to itself (v1.7.8).
func (c *Client) alertByID(ctx context.Context, number int) (*models.Alert, *apiclient.Response, error) {
	req, err := c.api.PrepareRequest(ctx, http.MethodGet, fmt.Sprintf("%s/alerts/%d", c.api.URLPrefix, number), nil)
	if err != nil {
		return nil, nil, err
	}
	var alert models.Alert
	resp, err := c.api.Do(ctx, req, &alert)
	return &alert, resp, err
}

// clockOf is the time on the LAPI's clock when it answered. The durations of decisions
// count from there, and not from this host's clock.
func clockOf(resp *apiclient.Response) time.Time {
	if resp != nil && resp.Response != nil {
		if t, err := http.ParseTime(resp.Response.Header.Get("Date")); err == nil {
			return t
		}
	}
	return time.Now()
}

// banOf returns a decision in csmail's form.
func banOf(d *models.Decision, now time.Time) Ban {
	if d == nil {
		return Ban{}
	}
	ban := Ban{
		ID: d.ID, Type: textOf(d.Type), Scope: textOf(d.Scope), Value: textOf(d.Value), Origin: textOf(d.Origin), Scenario: textOf(d.Scenario),
		Simulated: d.Simulated != nil && *d.Simulated,
	}
	if left, err := time.ParseDuration(textOf(d.Duration)); err == nil && d.Type != nil {
		ban.Until = now.Add(left).UTC()
	}
	return ban
}
