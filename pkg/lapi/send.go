package lapi

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/hint"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// sendBatch is how many alerts go in one request: LAPI stores them in
// transactions of 50 (pkg/database/alerts.go, v1.7.8), so a request of that size
// is stored whole or not at all.
const sendBatch = 50

// send sends one request.
func (p *push) send(ctx context.Context) error {
	items := p.open()
	for len(items) > 0 {
		batch := items[:min(sendBatch, len(items))]
		items = items[len(batch):]
		if err := p.sendBatch(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// sendBatch sends one batch and settles every alert of it, or returns why not.
func (p *push) sendBatch(ctx context.Context, batch []int) error {
	err := p.post(ctx, batch)
	if isLost(err) {
		err = p.afterLost(ctx, batch, err)
	}
	if !dependsOnContent(err) {
		return err
	}
	left, lookErr := p.readBack(ctx, batch)
	if lookErr != nil {
		return lookErr
	}
	rejected := map[int]string{}
	if err := p.bisect(ctx, left, err, rejected); err != nil {
		return err
	}
	if len(batch) > 1 && len(rejected) == len(batch) {
		// Not one got through, so it is not about the alerts: a full disk, a locked
		// database. To give them all up would lose them.
		return hint.Wrap(fmt.Errorf("%w at %s: send alerts: %w: %s", ErrUnreachable, shownURL(p.client.credentials.URL),
			ErrTakesNone, rejected[batch[0]]), "%s", brokenHint)
	}
	for item, words := range rejected {
		p.reject(item, "the LAPI rejects it: "+words)
	}
	return nil
}

// bisect finds the alerts that the LAPI does not take, and sends the others. The error
// is the LAPI's answer to the push of all items together.
func (p *push) bisect(ctx context.Context, items []int, answer error, rejected map[int]string) error {
	if len(items) == 0 {
		return nil
	}
	parts := [][]int{items} // a single one gets its second chance: the database may have been busy
	if len(items) > 1 {
		parts = [][]int{items[:len(items)/2], items[len(items)/2:]}
	}
	for _, part := range parts {
		err := p.post(ctx, part)
		if isLost(err) {
			err = p.afterLost(ctx, part, err)
		}
		if !dependsOnContent(err) {
			if err != nil {
				return err
			}
			continue
		}
		if len(items) == 1 {
			rejected[items[0]] = wordsOf(err)
			return nil
		}
		if err := p.bisect(ctx, part, err, rejected); err != nil {
			return err
		}
	}
	return nil
}

// afterLost handles a batch whose answer was lost: it reads back the stored alerts, and
// sends the rest once more. After a timeout it does not send: the LAPI may still be
// working on the batch.
func (p *push) afterLost(ctx context.Context, batch []int, lost error) error {
	left, err := p.readBack(ctx, batch)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return nil
	}
	if isTimeout(lost) {
		return lost
	}
	return p.post(ctx, left)
}

// defaultRangeBan is as long as the ban of CrowdSec's profiles.
const defaultRangeBan = 4 * time.Hour

// optionsFor gives an alert on a range its ban where no profile would.
func (p *push) optionsFor(a event.Alert) PushOptions {
	o := p.options
	if a.Scope == event.ScopeRange && o.Duration == 0 && p.client.noAllowlists {
		o.Duration = cmp.Or(o.RangeDuration, defaultRangeBan)
	}
	return o
}

// post sends the items in one request and settles them if the LAPI answers.
func (p *push) post(ctx context.Context, items []int) error {
	request := make(models.AddAlertsRequest, 0, len(items))
	for _, i := range items {
		request = append(request, toModel(p.alert(i), p.optionsFor(p.alert(i))))
	}
	if !p.client.maySend() {
		return ErrFollows
	}
	var ids models.AddAlertsResponse
	err := p.client.call(ctx, "send alerts", func(ctx context.Context) (*apiclient.Response, error) {
		answer, resp, err := p.client.api.Alerts.Add(ctx, request)
		if err != nil {
			return resp, err
		}
		ids = *answer
		return resp, nil
	})
	if err != nil {
		return err
	}
	if len(ids) == len(items) {
		for n, i := range items {
			p.pushed(i, ids[n])
		}
		return nil
	}
	// The LAPI reports the number of stored alerts, not their names.
	left, err := p.readBack(ctx, items)
	for _, i := range left {
		p.holdBack(i, "dropped by the LAPI (allowlist?)")
	}
	return err
}

// readBack settles those of the items that the LAPI has, and returns the rest;
// with an error, it returns none.
func (p *push) readBack(ctx context.Context, items []int) (left []int, err error) {
	for _, i := range items {
		a := p.alert(i)
		list, err := p.client.priorAlerts(ctx, a)
		if err != nil {
			return nil, err
		}
		if number := numberOf(list, idOf(a, p.options), p.options.Simulate); number != "" {
			p.pushed(i, number)
			continue
		}
		left = append(left, i)
	}
	return left, nil
}

// numberOf returns the LAPI's number of an alert with an ID.
func numberOf(list []priorAlert, id string, simulated bool) string {
	for _, t := range list {
		if t.id == id && t.simulated == simulated {
			return t.number
		}
	}
	return ""
}
