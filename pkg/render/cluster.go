package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"csmail/pkg/check"
	"csmail/pkg/cluster"
	"csmail/pkg/control"
)

// ClusterState is what is known of a cluster.
type ClusterState struct {
	Cluster  *control.Cluster
	View     *cluster.View // of the servers; nil if they were not asked or did not answer
	Findings []check.Finding
}

// Cluster prints how a cluster is doing, the answer in the first line.
func Cluster(w io.Writer, s ClusterState, screen Screen) error {
	var b strings.Builder
	first := "well"
	if len(s.Findings) > 0 {
		first = "not well"
	}
	fmt.Fprintf(&b, "The cluster is %s, as %s sees it.\n", first, s.Cluster.Name)
	for _, f := range s.Findings {
		trouble(&b, "", f.Problem, f.Mend)
	}
	if e := s.Cluster.Edge; e != nil {
		fmt.Fprintf(&b, "\nEdge: %d facts sent since the start%s\n%d facts in %s are kept until all judges have them\n", e.Sent, since(", the last at ", e.LastSent), e.Kept, sizeText(e.Bytes))
	}
	if j := s.Cluster.Judge; j != nil {
		clusterJudge(&b, j, screen)
	}
	if s.View != nil {
		clusterServers(&b, s.View, screen)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func clusterJudge(b *strings.Builder, j *control.ClusterJudge, screen Screen) {
	leader := "nobody leads"
	switch {
	case j.Leads:
		leader = "this judge leads"
	case j.Leader != "":
		leader = j.Leader + " leads"
	}
	fmt.Fprintf(b, "\nJudge: %s; message %d of the stream\n%d facts wait for their turn%s\n", leader, j.Sequence, j.Waiting, since("; judged up to ", j.Watermark))
	t := newGrid(screen, "Edge", "Behind", "Silent", "Clock", "Late", "Gaps", "Again", "Lost")
	for _, e := range j.Edges {
		if !e.Heard {
			t.add(e.Name, "never", "heard", "of", "", "", "", "")
			continue
		}
		t.add(e.Name, seconds(e.Behind), seconds(e.Silent), clockText(e.Skew), e.Late, e.Gaps, e.Again, e.Lost)
	}
	fmt.Fprintln(b, t)
}

func clusterServers(b *strings.Builder, v *cluster.View, screen Screen) {
	fmt.Fprintf(b, "\nStream %s: %d messages, %s, the newest is %d\n", v.Stream, v.Messages, sizeText(int64(v.Bytes)), v.Newest)
	t := newGrid(screen, "Server", "Role", "State", "Behind")
	for _, r := range v.Replicas {
		role := "follows"
		if r.Leads {
			role = "leads"
		}
		t.add(r.Name, role, replicaText(r), r.Lag)
	}
	fmt.Fprintln(b, t)
	clusterStored(b, v.Stored, screen)
}

// clusterStored shows up to where each judge has stored each edge. A judge stores every
// five minutes; before that there is nothing to show.
func clusterStored(b *strings.Builder, all []cluster.Stored, screen Screen) {
	t := newGrid(screen, "Judge", "Edge", "Stored before fact")
	known := false
	for _, s := range all {
		next := any("nothing yet")
		if s.Known {
			next, known = s.Next, true
		}
		t.add(s.Judge, s.Edge, next)
	}
	if known {
		fmt.Fprintln(b, t)
	}
}

func replicaText(r cluster.Replica) string {
	switch {
	case r.Away:
		return "away"
	case !r.Current:
		return "catching up"
	}
	return "current"
}

func seconds(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }

// clockText says how far the clock of an edge is off: the skew is how far it is behind.
func clockText(skew time.Duration) string {
	if skew == 0 {
		return "right"
	}
	if skew < 0 {
		return seconds(-skew) + " ahead"
	}
	return seconds(skew) + " behind"
}

func sizeText(bytes int64) string {
	switch {
	case bytes < 10<<10:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 10<<20:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
