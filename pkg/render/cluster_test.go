package render

import (
	"strings"
	"testing"
	"time"

	"csmail/pkg/check"
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

func TestClusterThatIsNotWell(t *testing.T) {
	s := healthyCluster()
	s.Findings = []check.Finding{{Level: check.Critical, Problem: "no judge leads", Mend: "start two servers"}}
	var b strings.Builder
	if err := Cluster(&b, s, Screen{}); err != nil {
		t.Fatal(err)
	}
	if want := "The cluster is not well, as judge1 sees it.\n! no judge leads\n  hint: start two servers\n"; !strings.HasPrefix(b.String(), want) {
		t.Errorf("got\n%s\nwant at its beginning\n%s", b.String(), want)
	}
}
