package daemon

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"csmail/pkg/bouncer"
	"csmail/pkg/enforce"
)

// usageTotals remembers the counts of the last report to CrowdSec, since each report
// holds only the growth.
type usageTotals struct {
	mu        sync.Mutex
	processed map[string]uint64
	dropped   map[bouncer.Dropped]uint64
}

// takeUsage returns the questions and refusals since the last call. Refusals of a dry run
// are left out, because they did not happen.
func (e *enforcer) takeUsage() bouncer.Usage {
	f := e.gate.Figures()
	processed, dropped := map[string]uint64{}, map[bouncer.Dropped]uint64{}
	for _, d := range f.Doors {
		for ipType, n := range d.Asked {
			processed[ipType] += n
		}
	}
	for k, n := range f.Drops {
		if !k.DryRun {
			dropped[bouncer.Dropped{Origin: k.Origin, Remediation: k.Remediation, IPType: k.IPType}] += n
		}
	}
	e.usage.mu.Lock()
	defer e.usage.mu.Unlock()
	u := bouncer.Usage{Processed: since(processed, e.usage.processed), Dropped: since(dropped, e.usage.dropped)}
	e.usage.processed, e.usage.dropped = processed, dropped
	return u
}

// since returns the growth of each count.
func since[K comparable](now, before map[K]uint64) map[K]uint64 {
	grown := map[K]uint64{}
	for k, n := range now {
		if n > before[k] {
			grown[k] = n - before[k]
		}
	}
	return grown
}

// enforcementMetrics reads the figures of enforcement for Prometheus.
type enforcementMetrics struct{ e *enforcer }

var (
	askedDesc     = metric("enforce_asked_total", "Questions of mail servers, by door and address family.", "door", "ip_type")
	refusedDesc   = metric("enforce_refused_total", "Clients that were refused, or would have been in a dry run.", "door", "origin", "remediation", "ip_type", "dry_run")
	sparedDesc    = metric("enforce_spared_total", "Clients with a decision who are never refused.")
	faultsDesc    = metric("enforce_errors_total", "Questions that were none.", "door")
	openDesc      = metric("enforce_connections", "Open connections, by door.", "door")
	lastAskedDesc = metric("enforce_last_asked_timestamp_seconds", "When a mail server asked last.", "door")
	tookDesc      = metric("enforce_answer_seconds", "How long an answer took.", "door")
	decisionsDesc = metric("decisions", "Decisions that are in force.")
	repairedDesc  = metric("decisions_repaired_total", "Decisions that the LAPI's stream had lost, or kept too long.", "what")
	ignoredDesc   = metric("decisions_ignored_total", "Decisions that no mail server can enforce, or for which there was no room.", "why")
	pullDesc      = metric("decisions_last_pull_timestamp_seconds", "When the LAPI last sent its decisions.")
	pollsDesc     = metric("lapi_requests_total", "Polls of the LAPI's decisions.")
	pollFailures  = metric("lapi_requests_failures_total", "Polls that failed.")
	ownDesc       = metric("decisions_own_total", "Decisions on our own alerts, in force at once.")
	abroadDesc    = metric("enforce_new_country_logins_total", "Successful logins from a country that the account never came from.")
	lostDesc      = metric("auth_reports_lost_total", "Reports of Dovecot for which there was no room.")
)

// metric describes a metric of csmail.
func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("csmail_"+name, help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (m enforcementMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		askedDesc, refusedDesc, sparedDesc, faultsDesc, openDesc, lastAskedDesc, tookDesc, decisionsDesc,
		repairedDesc, ignoredDesc, pullDesc, pollsDesc, pollFailures, ownDesc, lostDesc, abroadDesc,
	} {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (m enforcementMetrics) Collect(c chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		send(d, prometheus.CounterValue, float64(n), labels...)
	}
	f, s := m.e.gate.Figures(), m.e.bouncer.Stats()
	for _, door := range f.Doors {
		for ipType, n := range door.Asked {
			count(askedDesc, n, door.Door, ipType)
		}
		count(faultsDesc, door.Errors, door.Door)
		send(openDesc, prometheus.GaugeValue, float64(door.Connections), door.Door)
		if !door.Last.IsZero() {
			send(lastAskedDesc, prometheus.GaugeValue, seconds(door.Last), door.Door)
		}
		c <- histogram(door)
	}
	for k, n := range f.Drops {
		dry := "false"
		if k.DryRun {
			dry = "true"
		}
		count(refusedDesc, n, k.Door, k.Origin, k.Remediation, k.IPType, dry)
	}
	count(sparedDesc, f.Spared)
	send(decisionsDesc, prometheus.GaugeValue, float64(s.Decisions))
	count(repairedDesc, s.RepairedMissing, "missing")
	count(repairedDesc, s.RepairedLeft, "left-over")
	count(ignoredDesc, s.Ignored, "form")
	count(ignoredDesc, s.Refused, "room")
	if !s.LastPull.IsZero() {
		send(pullDesc, prometheus.GaugeValue, seconds(s.LastPull))
	}
	count(pollsDesc, s.Polls)
	count(pollFailures, s.Failures)
	count(ownDesc, s.Own)
	count(lostDesc, m.e.lost.Load())
	count(abroadDesc, m.e.abroad.seen.Load())
}

// histogram returns the answer times of a door in Prometheus' form.
func histogram(door enforce.DoorFigures) prometheus.Metric {
	var total uint64
	buckets := map[float64]uint64{}
	for i, n := range door.Buckets {
		total += n
		if i < len(enforce.Bounds) {
			buckets[enforce.Bounds[i].Seconds()] = total
		}
	}
	return prometheus.MustNewConstHistogram(tookDesc, total, door.Spent.Seconds(), buckets, door.Door)
}

// seconds returns a time as Prometheus writes it, in seconds since 1970.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
