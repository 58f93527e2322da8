package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the metrics for Prometheus (docs/metrics.md). The loop updates them;
// reading them is safe at any time.
type metrics struct {
	registry *prometheus.Registry

	lines, missed    *prometheus.GaugeVec
	events, verdicts *prometheus.CounterVec
	lag              *prometheus.GaugeVec
	drops            *prometheus.GaugeVec
	sourceUp         *prometheus.GaugeVec
	outbox           *prometheus.GaugeVec
	outboxAge        prometheus.Gauge
	breaker          *prometheus.GaugeVec
	tracked          *prometheus.GaugeVec
	lapi             *prometheus.GaugeVec
	lapiSeconds      prometheus.Gauge
	commitFailures   prometheus.Counter
	writable         prometheus.Gauge
	unbanned         prometheus.Counter
	clockJumps       *prometheus.CounterVec
	cluster          clusterMetrics
}

func newMetrics() *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "csmail", Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "csmail", Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry:       prometheus.NewRegistry(),
		lines:          gauge("lines", "Lines read since the start.", "source"),
		missed:         gauge("lines_missed", "Lines of known daemons that no grammar matched, and lines without a header.", "source"),
		events:         counter("events_total", "Attempts by kind and class.", "kind", "class"),
		verdicts:       counter("verdicts_total", "Findings by the guard's verdict and rule.", "verdict", "rule"),
		lag:            gauge("source_lag_bytes", "Bytes that are written and not read, -1 if nobody knows.", "source"),
		drops:          gauge("source_dropped", "Lines lost since the start, by reason.", "source", "reason"),
		sourceUp:       gauge("source_up", "1 while the source is followed, 0 while it waits or fails.", "source"),
		outbox:         gauge("alerts", "Alerts by the list that they are in.", "list"),
		outboxAge:      prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "csmail", Name: "outbox_age_seconds", Help: "How long the oldest alert has waited."}),
		breaker:        gauge("breaker_holds", "1 while an outage of your own server holds bans back.", "breaker"),
		tracked:        gauge("tracked", "What the engine remembers.", "what"),
		lapi:           gauge("lapi", "What became of alerts since the start.", "outcome"),
		lapiSeconds:    prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "csmail", Name: "lapi_push_seconds", Help: "Mean time of a push to the LAPI."}),
		commitFailures: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "csmail", Name: "commit_failures_total", Help: "Commits of the state file that failed."}),
		writable:       prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "csmail", Name: "state_writable", Help: "1 while what is read can be stored, 0 while reading waits for that."}),
		clockJumps:     counter("clock_jumps_total", "How often the clock was set by more than five seconds.", "direction"),
		unbanned:       prometheus.NewCounter(prometheus.CounterOpts{Namespace: "csmail", Name: "unbanned_total", Help: "Bans that a person ended early."}),
	}
	m.cluster = newClusterMetrics(gauge)
	m.registry.MustRegister(m.lines, m.missed, m.events, m.verdicts, m.lag, m.drops, m.sourceUp, m.outbox, m.outboxAge, m.breaker,
		m.tracked, m.lapi, m.lapiSeconds, m.commitFailures, m.writable, m.unbanned, m.clockJumps,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe copies the figures that other packages count.
func (m *metrics) observe(d *Daemon) {
	for name, t := range d.before.totals(d.feeds) {
		m.lines.WithLabelValues(name).Set(float64(t.lines.Read))
		m.missed.WithLabelValues(name).Set(float64(t.lines.Unparsed))
		for reason, n := range t.drops {
			m.drops.WithLabelValues(name, reason).Set(float64(n))
		}
	}
	for _, f := range d.feeds {
		name, st := f.Input.Name(), f.Input.Status()
		m.lag.WithLabelValues(name).Set(float64(st.Lag))
		m.sourceUp.WithLabelValues(name).Set(truth(st.State == "following"))
	}
	m.writable.Set(truth(d.storeErr() == nil))
	stored, sent := d.store.Stats(), d.sent()
	m.outbox.WithLabelValues("outbox").Set(float64(stored.Pending))
	m.outbox.WithLabelValues("parked").Set(float64(stored.Parked))
	m.outbox.WithLabelValues("held").Set(float64(stored.Held))
	m.outbox.WithLabelValues("overflowed").Set(float64(stored.Overflowed))
	m.outboxAge.Set(0)
	if !stored.Oldest.IsZero() {
		m.outboxAge.Set(time.Since(stored.Oldest).Seconds())
	}
	m.lapi.WithLabelValues("delivered").Set(float64(sent.Delivered))
	m.lapi.WithLabelValues("held-back").Set(float64(sent.HeldBack))
	m.lapi.WithLabelValues("parked").Set(float64(sent.Parked))
	m.lapi.WithLabelValues("failures").Set(float64(sent.Failures))
	if sent.Batches > 0 {
		m.lapiSeconds.Set(sent.Spent.Seconds() / float64(sent.Batches))
	}
	buckets := d.engine.Buckets().Stats()
	m.tracked.WithLabelValues("sources").Set(float64(buckets.Sources))
	m.tracked.WithLabelValues("buckets").Set(float64(buckets.Buckets))
	m.tracked.WithLabelValues("evicted").Set(float64(buckets.Evicted))
	m.tracked.WithLabelValues("guarded").Set(float64(d.engine.Guard().Sources()))
	for _, b := range d.engine.Guard().Breakers() {
		m.breaker.WithLabelValues(b.Name).Set(truth(b.Holds))
	}
	if status := d.cluster.status(); status != nil {
		m.cluster.observe(m.registry, status)
	}
}

// forget removes the gauges of a source that is no longer followed. The counts of its
// lines stay.
func (m *metrics) forget(source string) {
	m.lag.DeleteLabelValues(source)
	m.sourceUp.DeleteLabelValues(source)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
