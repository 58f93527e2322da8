package check

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
)

// clusterHost is a judge of a cluster that is well.
type clusterHost struct {
	config config.Config
	status control.Status
	view   cluster.View
	err    error // of the view
	syncs  bool
	noSync error
}

func healthyJudge() *clusterHost {
	h := &clusterHost{config: config.Default(), syncs: true}
	h.config.Cluster.Role, h.config.Cluster.Judges = "edge, judge", []string{"judge1", "judge2"}
	h.status.Cluster = &control.Cluster{
		Name: "judge1", Connected: true, Edge: &control.ClusterEdge{Bytes: 5 << 20},
		Judge: &control.ClusterJudge{Leads: true, Leader: "judge1", SameRules: true, Edges: []control.EdgeState{{Name: "mx1", Heard: true}, {Name: "mx2", Heard: true}}},
	}
	h.view = cluster.View{
		Server: "hub2", Version: "2.15.2", Ends: time.Now().Add(365 * 24 * time.Hour), Want: 3, Leader: cluster.Leader{Name: "judge1"},
		Replicas: []cluster.Replica{{Name: "hub2", Leads: true, Current: true}, {Name: "hub1", Current: true}, {Name: "hub3", Current: true}},
		Stored:   []cluster.Stored{{Judge: "judge1", Edge: "mx1", Known: true}, {Judge: "judge2", Edge: "mx1", Known: true}},
	}
	return h
}

func (h *clusterHost) Status(context.Context) (control.Status, error) { return h.status, nil }

func (h *clusterHost) ask(t *testing.T) Result {
	t.Helper()
	p := &prober{Inputs: Inputs{
		Config: h.config, Daemon: h,
		Cluster:     func(context.Context) (cluster.View, error) { return h.view, h.err },
		ServerSyncs: func(context.Context) (bool, error) { return h.syncs, h.noSync },
	}}
	p.status = h.Status
	return Probe{"cluster", p.cluster}.ask(t.Context())
}

func TestCluster(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*clusterHost)
		level  Level
		text   string // of the result, or the worst problem
		mend   string
	}{
		{"healthy", func(*clusterHost) {}, OK, "connected as judge1, 3 servers keep the stream, judge1 leads the judges", ""},
		{"not restarted", func(h *clusterHost) { h.status.Cluster = nil }, Critical, "csmail run counts alone: it was started before cluster.role was set", "sudo systemctl restart csmail"},
		{"not reachable", func(h *clusterHost) { h.status.Cluster.Connected = false }, Critical, "no server of the cluster answers csmail run", "firewall"},
		{"the key is not known", func(h *clusterHost) { h.err = hint.Wrap(errors.New("Authorization Violation"), "copy") }, Critical, "the servers of the cluster: Authorization Violation", "copy"},
		{"full", func(h *clusterHost) { h.status.Cluster.Edge.Full = true }, Critical, "5 MiB are kept for the judges, and no more may be: reading the logs waits", "csmail cluster judge remove NAME"},
		{"nothing is taken", func(h *clusterHost) { h.status.Cluster.Edge.Error = "no permission" }, Critical, ": no permission", "csmail cluster status"},
		{"another configuration", func(h *clusterHost) {
			h.status.Cluster.Judge.SameRules, h.status.Cluster.Judge.Differing = false, []string{"judge2"}
		}, Critical, "judge2 did not declare the scenarios, numbers and edges of this judge: none of them changes until all have", "csmail run -t"},
		{"nobody leads", func(h *clusterHost) { h.status.Cluster.Judge.Leads, h.status.Cluster.Judge.Leader = false, "" }, Critical, "no judge leads: nothing is pushed to the LAPI", "lease"},
		{"a distrusted host", func(h *clusterHost) {
			h.status.Cluster.Judge.Edges[1].Distrusted, h.status.Cluster.Judge.Edges[1].Refused = true, "it is distrusted"
		}, Warning, "mx2 is distrusted", "out of cluster.edges"},
		{"a judge without memory", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Blank = true }, Critical, "this judge delivers nothing: it does not know what mx2 sent before", "csmail cluster judge adopt"},
		{"a stranger", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Refused = "it is not in cluster.edges" }, Critical, `what "mx2" sends is refused: it is not in cluster.edges`, "cluster.edges of all judges"},
		{"never heard of", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Heard = false }, Warning, "mx2 was never heard of", "csmail status on mx2"},
		{"silent", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Silent = 2 * time.Hour }, Warning, "mx2 is silent for 2h0m0s: nobody waits for it", "csmail status on mx2"},
		{"behind", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Behind = 2 * time.Hour }, Warning, "mx2 is 2h0m0s behind the others", "reading back"},
		{"a wrong clock", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Skew = -90 * time.Second }, Warning, "the clock of mx2 is off by 1m30s; its times are corrected", "chronyc tracking"},
		{"lost", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Lost = 5 }, Warning, "5 facts of mx2 were lost before all judges had them", "journalctl"},
		{"late", func(h *clusterHost) { h.status.Cluster.Judge.Edges[1].Late = 5000 }, OK, "connected as judge1, 3 servers keep the stream, judge1 leads the judges", "a longer cluster.late"},
		{"a server is away", func(h *clusterHost) { h.view.Replicas[1].Away = true }, Warning, "the server hub1 is away: the next one that fails stops the cluster", "nats-server on hub1"},
		{"a server lags", func(h *clusterHost) { h.view.Replicas[1].Current, h.view.Replicas[1].Lag = false, 12 }, Warning, "the server hub1 lacks 12 messages of the stream", "nats-server on hub1"},
		{"too few replicas", func(h *clusterHost) { h.view.Replicas = h.view.Replicas[:1] }, Warning, "the stream lies on 1 servers, and cluster.replicas is 3", "csmail cluster init --create"},
		{"no quorum", func(h *clusterHost) { h.view.Replicas[0].Leads = false }, Critical, "no server leads the stream: too few of them are there", "start the servers"},
		{"a certificate ends", func(h *clusterHost) { h.view.Ends = time.Now().Add(24 * time.Hour) }, Warning, "the certificate of hub2 ends on ", "csmail cluster init"},
		{"a judge is gone", func(h *clusterHost) { h.view.Stored[1].Known = false }, Warning, "the judge judge2 has stored nothing yet: the edges keep everything for it", "csmail cluster judge remove judge2"},
		{"an old server", func(h *clusterHost) { h.view.Version = "2.9.10" }, Critical, "hub2 is nats-server 2.9.10, and csmail needs 2.12", "releases"},
		{"a strange version", func(h *clusterHost) { h.view.Version = "devel" }, OK, "connected as judge1, 3 servers keep the stream, judge1 leads the judges", "nats-server -v"},
		{"does not sync", func(h *clusterHost) { h.syncs = false }, Warning, "the nats-server of this host acknowledges before it writes", "sync_interval: always"},
		{"no server here", func(h *clusterHost) { h.syncs, h.noSync = false, ErrNoMonitor }, OK, "connected as judge1, 3 servers keep the stream, judge1 leads the judges", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := healthyJudge()
			c.change(h)
			got := h.ask(t)
			mend := ""
			if len(got.Findings) > 0 {
				mend = got.Findings[0].Mend
			}
			if got.Level != c.level || !strings.Contains(got.Text, c.text) || !strings.Contains(mend, c.mend) || (mend == "") != (c.mend == "") {
				t.Errorf("got %v %q, mend %q; want %v %q, mend with %q", got.Level, got.Text, mend, c.level, c.text, c.mend)
			}
		})
	}
}

// A host that counts alone is not asked about a cluster.
func TestNoCluster(t *testing.T) {
	for _, p := range Probes(goodHost(t).Inputs) {
		if p.Name == "cluster" {
			t.Error("got a probe of the cluster without cluster.role, want none")
		}
	}
	w := goodHost(t)
	w.Inputs.Config.Cluster.Role = "edge"
	if all := Probes(w.Inputs); all[len(all)-1].Name != "cluster" {
		t.Errorf("got no probe of the cluster with cluster.role, want one")
	}
}
