package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/control"
)

// ClusterState is what is known of a cluster.
type ClusterState struct {
	Cluster     *control.Cluster
	View        *cluster.View // of the servers; nil if they were not asked or did not answer
	Error, Hint string        // why they did not
}

// Cluster prints how a cluster is doing, the answer in the first line.
func Cluster(w io.Writer, s ClusterState, screen Screen) error {
	var b strings.Builder
	problems := ClusterProblems(s.Cluster, s.View, s.Error)
	first := "well"
	if len(problems) > 0 {
		first = "not well"
	}
	fmt.Fprintf(&b, "The cluster is %s, as %s sees it.\n", first, s.Cluster.Name)
	for _, p := range problems {
		fmt.Fprintf(&b, "! %s\n", p)
	}
	if s.Hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", s.Hint)
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
	stored := newGrid(screen, "Judge", "Edge", "Stored before fact")
	for _, s := range v.Stored {
		next := any("nothing yet")
		if s.Known {
			next = s.Next
		}
		stored.add(s.Judge, s.Edge, next)
	}
	if len(v.Stored) > 0 {
		fmt.Fprintln(b, stored)
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

// edgeSilent is how long an edge may be silent before that is a problem: it says something
// each second.
const edgeSilent = time.Minute

// ClusterProblems returns what is wrong with a cluster, the worst first.
func ClusterProblems(s *control.Cluster, v *cluster.View, lookError string) (all []string) {
	if !s.Connected {
		all = append(all, "no server answers csmail run")
	}
	if lookError != "" {
		all = append(all, "the servers: "+lookError)
	}
	if e := s.Edge; e != nil {
		if e.Full {
			all = append(all, fmt.Sprintf("%s are kept for the judges, and no more may be: reading the logs waits", sizeText(e.Bytes)))
		}
		if e.Error != "" {
			all = append(all, "what this host reads is not taken"+since(" since ", e.Since)+": "+e.Error)
		}
	}
	if s.Judge != nil {
		all = append(all, judgeProblems(s.Judge)...)
	}
	if v != nil {
		all = append(all, ServerProblems(v)...)
	}
	return all
}

func judgeProblems(j *control.ClusterJudge) (all []string) {
	if !j.SameRules {
		all = append(all, fmt.Sprintf("%s judges by other scenarios, numbers or edges than this judge", j.Leader))
	}
	if !j.Leads && j.Leader == "" {
		all = append(all, "no judge leads: nothing is pushed to the LAPI")
	}
	for _, e := range j.Edges {
		switch {
		case e.Refused != "":
			all = append(all, fmt.Sprintf("what %s sends is refused: %s", Printable(e.Name), e.Refused))
		case !e.Heard:
			all = append(all, e.Name+" was never heard of")
		case e.Silent > edgeSilent:
			all = append(all, fmt.Sprintf("%s is silent for %s", e.Name, seconds(e.Silent)))
		}
	}
	return all
}

// ServerProblems returns what is wrong with the servers of a cluster.
func ServerProblems(v *cluster.View) (all []string) {
	for _, r := range v.Replicas {
		switch {
		case r.Away:
			all = append(all, fmt.Sprintf("the server %s is away", r.Name))
		case !r.Current:
			all = append(all, fmt.Sprintf("the server %s lacks %d messages of the stream", r.Name, r.Lag))
		}
	}
	if len(v.Replicas) < v.Want {
		all = append(all, fmt.Sprintf("the stream lies on %d servers, and cluster.replicas is %d", len(v.Replicas), v.Want))
	}
	if len(v.Replicas) > 0 && !v.Replicas[0].Leads {
		all = append(all, "no server leads the stream: too few of them are there")
	}
	return all
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
