package lapi

import (
	"context"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/apiclient"
	"github.com/crowdsecurity/crowdsec/pkg/models"
)

// Heartbeat reports to the LAPI that this machine is alive, as cscli machines list shows
// it. It is to be called at the start and every minute.
func (c *Client) Heartbeat(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return settle(c.call(ctx, "send a heartbeat", func(ctx context.Context) (*apiclient.Response, error) {
		_, resp, err := c.api.HeartBeat.Ping(ctx)
		return resp, err
	}))
}

// Usage is csmail's part of cscli machines list and cscli machines inspect.
type Usage struct {
	Version   string    // csmail's
	OSName    string    // as ID in os-release(5): debian
	OSVersion string    // as VERSION_ID there: 12
	Started   time.Time // when the daemon started

	Now     time.Time
	Window  time.Duration // since the report before
	Sources []SourceUsage
}

// SourceUsage counts the lines of one source since the report before: the LAPI
// adds up.
type SourceUsage struct {
	Source                 string // as the configuration names it: /var/log/mail.log
	Type                   string // file, journalctl, syslog, stdin
	Gone                   bool   // it is no longer followed
	Read, Parsed, Unparsed uint64
}

// SendUsage reports usage. An old LAPI (before 1.6.4) that takes no reports is no
// error, and is not asked again.
func (c *Client) SendUsage(ctx context.Context, u Usage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noUsage {
		return nil
	}
	metrics := usageModel(u)
	err := c.call(ctx, "send usage metrics", func(ctx context.Context) (*apiclient.Response, error) {
		_, resp, err := c.api.UsageMetrics.Add(ctx, metrics)
		return resp, err
	})
	if isUnknownEndpoint(err) {
		c.noUsage = true
		return nil
	}
	return settle(err)
}

// usageModel uses the names that cscli machines inspect reads
// (cmd/crowdsec-cli/climachine/inspect.go and pkg/metrics/lp.go, v1.7.8).
func usageModel(u Usage) *models.AllMetrics {
	datasources := map[string]int64{}
	items := []*models.MetricsDetailItem{}
	for _, s := range u.Sources {
		if !s.Gone {
			datasources[s.Type]++
		}
		labels := models.MetricsLabels{"datasource_type": s.Type, "source": s.Source, "acquis_type": "mail"}
		for _, count := range []struct {
			name string
			n    uint64
		}{{"read", s.Read}, {"global_parsed", s.Parsed}, {"global_unparsed", s.Unparsed}} {
			if count.n > 0 {
				items = append(items, &models.MetricsDetailItem{
					Name: new(count.name), Unit: new("line"), Value: new(float64(count.n)), Labels: labels,
				})
			}
		}
	}
	return &models.AllMetrics{LogProcessors: []*models.LogProcessorsMetrics{{
		BaseMetrics: models.BaseMetrics{
			FeatureFlags: []string{},
			Metrics: []*models.DetailedMetrics{{
				Items: items,
				Meta: &models.MetricsMeta{
					UtcNowTimestamp:   new(u.Now.Unix()),
					WindowSizeSeconds: new(int64(u.Window / time.Second)),
				},
			}},
			Os:                  &models.OSversion{Name: new(u.OSName), Version: new(u.OSVersion)},
			UtcStartupTimestamp: new(u.Started.Unix()),
			Version:             new(u.Version),
		},
		Datasources: datasources,
		HubItems:    models.HubItems{},
	}}}
}
