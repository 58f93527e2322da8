package render

import (
	"strings"
	"testing"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/control"
)

func healthyCluster() ClusterState {
	at := time.Date(2026, 6, 3, 4, 11, 9, 0, time.UTC)
	return ClusterState{
		Cluster: &control.Cluster{
			Name: "judge1", Connected: true,
			Edge: &control.ClusterEdge{Sent: 12345, LastSent: at, Kept: 17, Bytes: 3 << 20},
			Judge: &control.ClusterJudge{Leads: true, Leader: "judge1", SameRules: true, Sequence: 4711, Watermark: at, Edges: []control.EdgeState{
				{Name: "mx1-example-org", Heard: true, Waited: true, Behind: 300 * time.Millisecond, Silent: 900 * time.Millisecond},
				{Name: "mx2-example-org", Heard: true, Skew: -90 * time.Second, Late: 3, Gaps: 1, Again: 200},
			}},
		},
		View: &cluster.View{
			Stream: "CSMAIL", Messages: 7000, Bytes: 31 << 20, Newest: 4712, Want: 3,
			Replicas: []cluster.Replica{{Name: "hub2", Leads: true, Current: true}, {Name: "hub1", Current: true}, {Name: "hub3", Current: true}},
			Stored:   []cluster.Stored{{Judge: "judge1", Edge: "mx1-example-org", Next: 800, Known: true}, {Judge: "judge2", Edge: "mx1-example-org"}},
		},
	}
}

func TestCluster(t *testing.T) {
	var b strings.Builder
	if err := Cluster(&b, healthyCluster(), Screen{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"The cluster is well, as judge1 sees it.\n", "17 facts in 3072 KiB are kept until all judges have them", "this judge leads; message 4711", "1m30s ahead", "Stream CSMAIL: 7000 messages, 31 MiB", "nothing yet",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", b.String(), want)
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("got a line of %d columns, want 80 at most: %s", n, line)
		}
	}
}

func TestClusterProblems(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ClusterState)
		want   string // "": nothing
	}{
		{"healthy", func(*ClusterState) {}, ""},
		{"no server", func(s *ClusterState) { s.Cluster.Connected = false }, "no server answers csmail run"},
		{"not permitted", func(s *ClusterState) { s.View, s.Error = nil, "no answer" }, "the servers: no answer"},
		{"full", func(s *ClusterState) { s.Cluster.Edge.Full = true }, "3072 KiB are kept for the judges, and no more may be: reading the logs waits"},
		{"refused", func(s *ClusterState) { s.Cluster.Edge.Error = "another host" }, "what this host reads is not taken: another host"},
		{"other rules", func(s *ClusterState) { s.Cluster.Judge.SameRules, s.Cluster.Judge.Leader = false, "judge2" }, "judge2 judges by other scenarios, numbers or edges than this judge"},
		{"nobody leads", func(s *ClusterState) { s.Cluster.Judge.Leads, s.Cluster.Judge.Leader = false, "" }, "no judge leads: nothing is pushed to the LAPI"},
		{"a stranger", func(s *ClusterState) { s.Cluster.Judge.Edges[0].Refused = "it is not in cluster.edges" }, "what mx1-example-org sends is refused: it is not in cluster.edges"},
		{"never heard of", func(s *ClusterState) { s.Cluster.Judge.Edges[0].Heard = false }, "mx1-example-org was never heard of"},
		{"silent", func(s *ClusterState) { s.Cluster.Judge.Edges[0].Silent = time.Hour }, "mx1-example-org is silent for 1h0m0s"},
		{"a server is away", func(s *ClusterState) { s.View.Replicas[1].Away = true }, "the server hub1 is away"},
		{"a server lags", func(s *ClusterState) { s.View.Replicas[1].Current, s.View.Replicas[1].Lag = false, 12 }, "the server hub1 lacks 12 messages of the stream"},
		{"too few replicas", func(s *ClusterState) { s.View.Replicas = s.View.Replicas[:1] }, "the stream lies on 1 servers, and cluster.replicas is 3"},
		{"no quorum", func(s *ClusterState) { s.View.Replicas[0].Leads = false }, "no server leads the stream: too few of them are there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthyCluster()
			c.change(&s)
			if got := strings.Join(ClusterProblems(s.Cluster, s.View, s.Error), "; "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
