package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/check"
	"csmail/pkg/cluster"
	"csmail/pkg/cluster/plan"
	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
	"csmail/pkg/render"
)

const clusterStatusHelp = `How the cluster is doing, as this host knows it: on an edge what waits for the judges; on a
judge who leads, how far each edge is and by how much its clock is off, what each judge has
stored, and the servers on which the stream lies.

The exit status is 1 if something is wrong. The state of the servers is for judges: the key of
an edge may not ask for it.`

// clusterAnswer is the output of csmail cluster status.
type clusterAnswer struct {
	*control.Cluster
	View     *cluster.View   `json:"view,omitempty"` // of the servers; nil if they were not asked, or did not answer
	Findings []check.Finding `json:"findings"`
}

// newClusterStatus returns csmail cluster status.
func newClusterStatus(std Streams, configPath *string) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "status", Short: "How the cluster is doing", Long: clusterStatusHelp, Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := humanOrJSON(output); err != nil {
				return err
			}
			loaded, err := config.Load(*configPath)
			if err != nil {
				return configError{err}
			}
			return clusterStatus(c.Context(), std, loaded, output)
		},
	}
	addOutput(c, &output)
	return c
}

func clusterStatus(ctx context.Context, std Streams, c config.Config, output string) error {
	if c.Cluster.Role == "" {
		return hint.Wrap(errors.New("this host counts alone"), "cluster.role makes it one of a cluster: docs/cluster.md")
	}
	status, err := control.NewClient(c.Socket).Status(ctx)
	if err != nil {
		return err
	}
	a := clusterAnswer{Cluster: status.Cluster}
	if a.Cluster == nil {
		return hint.Wrap(errors.New("csmail run counts alone: it was started before cluster.role was set"), "systemctl restart csmail")
	}
	a.look(ctx, c.Cluster)
	if output == "json" {
		err = render.AsJSON(std.Out, a)
	} else {
		err = render.Cluster(std.Out, render.ClusterState{Cluster: a.Cluster, View: a.View, Findings: a.Findings}, std.screen())
	}
	if err != nil {
		return err
	}
	if len(a.Findings) > 0 {
		return fmt.Errorf("the cluster is not well: %s", a.Findings[0].Problem)
	}
	return nil
}

// look asks the servers, on a judge, and finds the troubles.
func (a *clusterAnswer) look(ctx context.Context, c config.Cluster) {
	a.Findings = []check.Finding{}
	if c.IsJudge() {
		v, err := lookAtCluster(ctx, c)
		if err != nil {
			a.Findings = append(a.Findings, check.LookFinding(err))
		} else {
			a.View = &v
		}
	}
	a.Findings = append(a.Findings, check.ClusterFindings(a.Cluster, a.View)...)
}

// lookAtCluster asks the servers of a cluster, with the key of this host.
func lookAtCluster(ctx context.Context, c config.Cluster) (cluster.View, error) {
	o, err := quietOptions(c)
	if err != nil {
		return cluster.View{}, err
	}
	return cluster.Look(ctx, o, c.Judges, c.Edges)
}

// quietOptions are those of a command that reports its errors itself.
func quietOptions(c config.Cluster) (cluster.Options, error) {
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return cluster.Options{}, fmt.Errorf("cluster.name: %w", err)
		}
		c.Name = cluster.NameOf(host)
	}
	o := clusterOptions(c)
	o.Log = slog.New(slog.DiscardHandler)
	return o, cluster.CheckName(c.Name)
}

// serverSyncs asks the nats-server of this host, where csmail cluster init has it show its
// state, whether it writes what it acknowledges (nats-server 2.15, server/monitor.go:
// jetstream.config.sync_always of /varz).
func serverSyncs(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/varz", plan.DefaultPort+4000), http.NoBody)
	if err != nil {
		return false, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false, check.ErrNoMonitor
	}
	defer answer.Body.Close()
	return syncsOf(answer.Body)
}

// syncsOf reads the answer of /varz.
func syncsOf(r io.Reader) (bool, error) {
	var v struct {
		ServerID  string `json:"server_id"`
		JetStream struct {
			Config *struct {
				SyncAlways bool `json:"sync_always"`
			} `json:"config"`
		} `json:"jetstream"`
	}
	err := json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&v)
	if err != nil || v.ServerID == "" || v.JetStream.Config == nil {
		return false, check.ErrNoMonitor // another program's port, or a server without a stream
	}
	return v.JetStream.Config.SyncAlways, nil
}
