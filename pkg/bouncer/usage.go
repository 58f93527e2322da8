package bouncer

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/crowdsecurity/crowdsec/pkg/models"
	csbouncer "github.com/crowdsecurity/go-cs-bouncer"
	"github.com/sirupsen/logrus"

	"csmail/pkg/decision"
)

// Usage holds the counts since the last report.
type Usage struct {
	Processed map[string]uint64 // by "ipv4", "ipv6" or "" for accounts
	Dropped   map[Dropped]uint64
}

// Dropped describes a refusal, by its decision.
type Dropped struct {
	Origin      string // "lists:NAME" of a list
	Remediation string // "ban", "captcha"
	IPType      string
}

// The times of usage metrics. CrowdSec asks for no more than one report in ten minutes;
// its bouncers report each quarter of an hour, the first time after a quarter. csmail's
// first report comes soon, so that it is visible while csmail is being set up.
const (
	firstUsage = 20 * time.Second
	usageEvery = 15 * time.Minute
	usageTime  = 5 * time.Second
)

// reportUsage reports until the context ends, and once more then.
func (b *Bouncer) reportUsage(ctx context.Context) {
	b.sendUsage(ctx, firstUsage)
	for ctx.Err() == nil {
		b.sendUsage(ctx, usageEvery)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	b.sendUsage(last, time.Millisecond)
}

// sendUsage has the library's provider wait and report once. The provider reports
// after each interval, never at an end, and cannot be asked for a report.
func (b *Bouncer) sendUsage(ctx context.Context, wait time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	once := false
	provider, err := csbouncer.NewMetricsProvider(b.client.api, componentType, func(m *models.RemediationComponentsMetrics, _ time.Duration) {
		if once {
			cancel() // the next report would overwrite csmail's version by an empty one
			return
		}
		once = true
		b.fillUsage(m)
		time.AfterFunc(usageTime, cancel)
	}, silent)
	if err != nil {
		return
	}
	provider.Interval = wait
	_ = provider.Run(ctx) // it ends with the context and returns no other error
}

// fillUsage puts the figures in CrowdSec's form (docs/contributing/specs,
// bouncer_metrics_specs). cscli sums all but active_decisions up.
func (b *Bouncer) fillUsage(m *models.RemediationComponentsMetrics) {
	now, version := b.o.Now(), "v"+b.o.Version
	window := int64(now.Sub(b.usageSince).Seconds())
	b.usageSince = now
	m.Version = &version
	stamp := now.Unix()
	details := &models.DetailedMetrics{Meta: &models.MetricsMeta{UtcNowTimestamp: &stamp, WindowSizeSeconds: &window}}
	add := func(name, unit string, value float64, labels map[string]string) {
		details.Items = append(details.Items, &models.MetricsDetailItem{Name: &name, Unit: &unit, Value: &value, Labels: labels})
	}
	for key, n := range b.active() {
		add("active_decisions", "ip", float64(n), map[string]string{"origin": key.Origin, "ip_type": key.IPType})
	}
	if b.o.Usage != nil {
		usage := b.o.Usage()
		for ipType, n := range usage.Processed {
			add("processed", "request", float64(n), map[string]string{"ip_type": ipType})
		}
		for key, n := range usage.Dropped {
			add("dropped", "request", float64(n), map[string]string{"origin": key.Origin, "remediation": key.Remediation, "ip_type": key.IPType})
		}
	}
	if len(details.Items) == 0 {
		details.Items = []*models.MetricsDetailItem{}
	}
	m.Metrics = append(m.Metrics, details)
}

// active counts decisions by origin and family.
func (b *Bouncer) active() map[Dropped]int {
	counts := map[Dropped]int{}
	b.writing.Lock()
	defer b.writing.Unlock()
	for d := range b.table.All() {
		counts[Dropped{Origin: OriginOf(&d), IPType: IPType(d.Network.Addr())}]++
	}
	return counts
}

// OriginOf names where a decision comes from, as CrowdSec's bouncers do: of a list
// "lists:" and its name.
func OriginOf(d *decision.Decision) string {
	if d.Origin == "lists" && d.Scenario != "" {
		return "lists:" + d.Scenario
	}
	return d.Origin
}

// IPType names an address family for usage metrics; "" of none.
func IPType(addr netip.Addr) string {
	switch {
	case addr.Is4():
		return "ipv4"
	case addr.Is6():
		return "ipv6"
	}
	return ""
}
