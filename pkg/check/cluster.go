package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/control"
	"csmail/pkg/hint"
)

// cluster looks whether this host is counted with the others, or counts them.
func (p *prober) cluster(ctx context.Context) (string, []Finding) {
	c := p.Config.Cluster
	s, err := p.status(ctx)
	if err != nil {
		return "csmail run is not asked: see service", nil
	}
	if s.Cluster == nil {
		return "", critical("sudo systemctl restart csmail", "csmail run counts alone: it was started before cluster.role was set")
	}
	text := "connected as " + s.Cluster.Name
	var view *cluster.View
	var found []Finding
	if c.IsJudge() {
		v, err := p.Cluster(ctx)
		if err != nil {
			found = append(found, LookFinding(err))
		} else {
			view = &v
			text = fmt.Sprintf("%s, %d servers keep the stream, %s leads the judges", text, len(v.Replicas), v.Leader.Name)
		}
	}
	found = append(found, ClusterFindings(s.Cluster, view)...)
	found = append(found, missing(c.Judges, s.Cluster, view)...)
	if view != nil {
		found = append(found, p.oldServer(view)...)
	}
	return text, append(found, p.sync(ctx)...)
}

// LookFinding is the finding that the servers of a cluster could not be asked.
func LookFinding(err error) Finding {
	return Finding{Critical, "the servers of the cluster: " + err.Error(), hint.Of(err)}
}

// edgeSilent is how long an edge may be silent before that is a problem: it says something
// each second.
const edgeSilent = time.Minute

// manyLate is the number of facts that may have come after their turn before that is worth
// a word: a host that was started again has some.
const manyLate = 1000

// ClusterFindings returns what is wrong with a cluster as this host knows it, with the
// servers' view if it is not nil.
func ClusterFindings(s *control.Cluster, v *cluster.View) (all []Finding) {
	if !s.Connected {
		all = append(all, critical("is nats-server running on the hosts of cluster.servers, and does a firewall let this host in?", "no server of the cluster answers csmail run")...)
	}
	if e := s.Edge; e != nil {
		if e.Full {
			all = append(all, critical("start the judge that is away, or take it out of cluster.judges: csmail cluster judge remove NAME", "%d MiB are kept for the judges, and no more may be: reading the logs waits", e.Bytes>>20)...)
		}
		if e.Error != "" {
			all = append(all, critical("csmail cluster status on a judge shows the servers", "what this host reads is not taken since %s: %s", minute(e.Since), e.Error)...)
		}
	}
	if s.Judge != nil {
		all = append(all, judgeFindings(s.Judge)...)
	}
	if v != nil {
		all = append(all, serverFindings(v)...)
	}
	return all
}

func judgeFindings(j *control.ClusterJudge) (all []Finding) {
	if !j.SameRules {
		all = append(all, critical("give all judges the same scenarios, guard and cluster.edges, then csmail run -t and systemctl reload csmail on each", "%s did not declare the scenarios, numbers and edges of this judge: none of them changes until all have", strings.Join(j.Differing, ", "))...)
	}
	if blank := j.Blank(); len(blank) > 0 {
		all = append(all, critical("stop csmail here and on another judge, copy that one's state file here, run csmail cluster judge adopt with the copy, and start both; with no other judge: docs/cluster.md, A judge more",
			"this judge delivers nothing: it does not know what %s sent before, nor who proved himself", strings.Join(blank, ", "))...)
	}
	if !j.Leads && j.Leader == "" {
		all = append(all, critical("csmail cluster status: without two of three servers there is no lease", "no judge leads: nothing is pushed to the LAPI")...)
	}
	for _, e := range j.Edges {
		switch {
		case e.Distrusted:
			all = append(all, warning("take it out of cluster.edges of all judges and reload them", "%s is distrusted: what it sends does not count", e.Name)...)
		case e.Refused != "":
			all = append(all, critical("add it to cluster.edges of all judges, or stop it", "what %q sends is refused: %s", e.Name, e.Refused)...)
		case !e.Heard:
			all = append(all, warning("csmail status on "+e.Name, "%s was never heard of", e.Name)...)
		case e.Silent > edgeSilent:
			all = append(all, warning("csmail status on "+e.Name, "%s is silent for %s: nobody waits for it", e.Name, e.Silent.Round(time.Second))...)
		case e.Behind > edgeSilent:
			all = append(all, warning("csmail status on "+e.Name+": is it reading back old logs?", "%s is %s behind the others", e.Name, e.Behind.Round(time.Second))...)
		case e.Skew != 0:
			all = append(all, warning("chronyc tracking, or timedatectl timesync-status, on "+e.Name, "the clock of %s is off by %s; its times are corrected", e.Name, e.Skew.Abs().Round(time.Second))...)
		}
		if e.Lost > 0 {
			all = append(all, warning("journalctl -u csmail on "+e.Name, "%d facts of %s were lost before all judges had them", e.Lost, e.Name)...)
		}
		if e.Late > manyLate {
			all = append(all, note("a longer cluster.late, on all judges", "%d facts of %s came after their turn", e.Late, e.Name)...)
		}
	}
	return all
}

func serverFindings(v *cluster.View) (all []Finding) {
	for _, r := range v.Replicas {
		switch {
		case r.Away:
			all = append(all, warning("systemctl status nats-server on "+r.Name, "the server %s is away: the next one that fails stops the cluster", r.Name)...)
		case !r.Current:
			all = append(all, warning("systemctl status nats-server on "+r.Name, "the server %s lacks %d messages of the stream", r.Name, r.Lag)...)
		}
	}
	if len(v.Replicas) < v.Want {
		all = append(all, warning("csmail cluster init --create, on a judge", "the stream lies on %d servers, and cluster.replicas is %d", len(v.Replicas), v.Want)...)
	}
	if len(v.Replicas) > 0 && !v.Replicas[0].Leads {
		all = append(all, critical("start the servers that are away", "no server leads the stream: too few of them are there")...)
	}
	if left := time.Until(v.Ends); !v.Ends.IsZero() && left < certificateLeft {
		all = append(all, warning("remove server.pem of each server from the folder of the plan, csmail cluster init, copy them", "the certificate of %s ends on %s", v.Server, v.Ends.Format(time.DateOnly))...)
	}
	return all
}

// certificateLeft is how long before its end a certificate is worth a word.
const certificateLeft = 30 * 24 * time.Hour

// missing returns the judges that have stored nothing yet, which has the edges keep all.
func missing(judges []string, s *control.Cluster, v *cluster.View) (all []Finding) {
	if v == nil || s.Judge == nil {
		return nil
	}
	for _, judge := range judges {
		known := len(v.Stored) == 0
		for _, stored := range v.Stored {
			known = known || stored.Judge == judge && stored.Known
		}
		if !known && judge != s.Name {
			all = append(all, warning("start csmail there; it stores every five minutes. If it is gone for good: csmail cluster judge remove "+judge, "the judge %s has stored nothing yet: the edges keep everything for it", judge)...)
		}
	}
	return all
}

// oldest is the first release of nats-server that csmail was tried with.
const oldest = "2.12"

// oldServer returns a finding for a server that is too old: before 2.12 a crash can lose
// what was acknowledged, and an edge's permissions may mean something else.
func (p *prober) oldServer(v *cluster.View) []Finding {
	var major, minor int
	if n, err := fmt.Sscanf(v.Version, "%d.%d", &major, &minor); n != 2 || err != nil {
		return note("nats-server -v", "the release of %s is not known: %q", v.Server, v.Version)
	}
	if major > 2 || major == 2 && minor >= 12 {
		return nil
	}
	return critical("install nats-server "+oldest+" or newer: https://github.com/nats-io/nats-server/releases", "%s is nats-server %s, and csmail needs %s", v.Server, v.Version, oldest)
}

// ErrNoMonitor says that no nats-server shows its state on this host.
var ErrNoMonitor = errors.New("no nats-server shows its state on this host")

// sync looks whether the nats-server of this host, if there is one, writes what it
// acknowledges.
func (p *prober) sync(ctx context.Context) []Finding {
	always, err := p.ServerSyncs(ctx)
	if errors.Is(err, ErrNoMonitor) {
		return nil
	}
	if err != nil {
		return note("http in nats-server.conf", "whether the nats-server of this host syncs is not known: %v", err)
	}
	if !always {
		return warning("sync_interval: always in the block jetstream of nats-server.conf, as csmail cluster init writes it; then restart it", "the nats-server of this host acknowledges before it writes: a loss of power loses messages, and the judges wait until they were sent again")
	}
	return nil
}
