package daemon

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"csmail/pkg/control"
)

// status returns the state of the cluster as this host knows it; nil: it counts alone.
func (k *clustered) status() *control.Cluster {
	if k == nil {
		return nil
	}
	s := &control.Cluster{Name: k.name, Connected: k.conn.IsConnected()}
	if k.edge != nil {
		s.Edge = k.edge.status()
	}
	if k.judge != nil {
		s.Judge = k.judge.status()
	}
	return s
}

func (e *edgePart) status() *control.ClusterEdge {
	sent := e.sender.Stats()
	_, _, bytes := e.buffer.store.OutgoingBounds()
	return &control.ClusterEdge{
		Sent: sent.Facts, LastSent: sent.LastSent, Kept: sent.Kept, Bytes: bytes, Full: e.isFull(), Error: sent.LastError, Since: sent.FailsSince,
	}
}

func (j *judgePart) status() *control.ClusterJudge {
	leader, differing := j.lease.Leader(), j.rules.differing()
	s := &control.ClusterJudge{
		Leads: j.lease.Leads(), Leader: leader.Name, HandingOver: j.lease.IsHandingOver() || j.giving.Load(), SameRules: len(differing) == 0, Differing: differing,
		Sequence: j.place.Sequence, Watermark: j.merger.Watermark(), Waiting: j.merger.Waiting(), Edges: []control.EdgeState{},
	}
	foremost := time.Time{}
	edges := j.merger.Edges()
	for i := range edges {
		if edges[i].Through.After(foremost) {
			foremost = edges[i].Through
		}
	}
	for _, e := range edges {
		state := control.EdgeState{
			Name: e.Name, Heard: e.Heard, Waited: e.Waited, Silent: e.Silent, Skew: e.Skew,
			Late: e.LateFacts, Gaps: e.Gaps, Again: e.Repeated, Lost: e.Lost, Refused: j.refused[e.Name],
		}
		state.Blank, state.Distrusted = e.Blank, e.Distrusted
		if e.Distrusted {
			state.Refused = becauseDistrusted
		}
		if e.Heard {
			state.Behind = foremost.Sub(e.Through)
		}
		s.Edges = append(s.Edges, state)
	}
	for _, name := range slices.Sorted(maps.Keys(j.refused)) {
		if !slices.ContainsFunc(s.Edges, func(e control.EdgeState) bool { return e.Name == name }) {
			s.Edges = append(s.Edges, control.EdgeState{Name: name, Refused: j.refused[name]})
		}
	}
	return s
}

// clusterGrace is how long an edge may fail to send before that is trouble: a server that
// is restarted takes some seconds.
const clusterGrace = 2 * time.Minute

// clusterTroubles returns the reasons that keep a host from being counted, or from counting.
func clusterTroubles(s *control.Cluster, now time.Time) (all []string) {
	if s == nil {
		return nil
	}
	if e := s.Edge; e != nil {
		if e.Full {
			all = append(all, fmt.Sprintf("%d bytes are kept for the judges, and no more may be: reading the logs waits (cluster.buffer)", e.Bytes))
		}
		if !e.Since.IsZero() && now.Sub(e.Since) >= clusterGrace {
			all = append(all, fmt.Sprintf("the cluster takes nothing from this host since %s: %s", e.Since.Format(time.RFC3339), e.Error))
		}
	}
	if j := s.Judge; j != nil {
		if !j.SameRules {
			all = append(all, fmt.Sprintf("not all judges have declared the scenarios, numbers and edges of this one (%s): nothing of them changes until all have the same; give them the same configuration and reload them", strings.Join(j.Differing, ", ")))
		}
		if blank := j.Blank(); len(blank) > 0 {
			all = append(all, fmt.Sprintf("this judge delivers nothing, since it does not know what hosts sent before (%s), nor who proved himself: %s", strings.Join(blank, ", "), blankHint))
		}
		for _, e := range j.Edges {
			if e.Refused != "" {
				all = append(all, fmt.Sprintf("what %s sends is refused: %s", e.Name, e.Refused))
			}
		}
	}
	return all
}

// clusterMetrics are served on hosts of a cluster only.
type clusterMetrics struct {
	registered bool

	buffer, sent, leads             *prometheus.GaugeVec
	lag, late, gaps, repeated, skew *prometheus.GaugeVec
}

func newClusterMetrics(gauge func(name, help string, labels ...string) *prometheus.GaugeVec) clusterMetrics {
	return clusterMetrics{
		buffer:   gauge("cluster_buffer_bytes", "What an edge keeps since some judge has not stored it yet."),
		sent:     gauge("cluster_facts", "Facts that this edge has sent since the start."),
		leads:    gauge("cluster_leader", "1 while this judge delivers."),
		lag:      gauge("cluster_lag_seconds", "How far an edge is behind the foremost one.", "edge"),
		late:     gauge("cluster_late_facts", "Facts that came after their turn, since others did not wait any longer.", "edge"),
		gaps:     gauge("cluster_gaps", "Batches that were refused since facts before them were missing.", "edge"),
		repeated: gauge("cluster_repeated_facts", "Facts that came again, and were skipped.", "edge"),
		skew:     gauge("cluster_skew_seconds", "How far the clock of an edge is behind; it is corrected.", "edge"),
	}
}

func (m *clusterMetrics) register(registry *prometheus.Registry) {
	if !m.registered {
		registry.MustRegister(m.buffer, m.sent, m.leads, m.lag, m.late, m.gaps, m.repeated, m.skew)
		m.registered = true
	}
}

func (m *clusterMetrics) observe(registry *prometheus.Registry, s *control.Cluster) {
	m.register(registry)
	if s.Edge != nil {
		m.buffer.WithLabelValues().Set(float64(s.Edge.Bytes))
		m.sent.WithLabelValues().Set(float64(s.Edge.Sent))
	}
	if s.Judge == nil {
		return
	}
	m.leads.WithLabelValues().Set(truth(s.Judge.Leads))
	for _, e := range s.Judge.Edges {
		m.lag.WithLabelValues(e.Name).Set(e.Behind.Seconds())
		m.late.WithLabelValues(e.Name).Set(float64(e.Late))
		m.gaps.WithLabelValues(e.Name).Set(float64(e.Gaps))
		m.repeated.WithLabelValues(e.Name).Set(float64(e.Again))
		m.skew.WithLabelValues(e.Name).Set(e.Skew.Seconds())
	}
}
