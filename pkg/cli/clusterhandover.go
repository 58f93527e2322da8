package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
)

const clusterHandoverHelp = `Have another judge deliver, on the judge that leads. It sends nothing more, waits until the
LAPI has answered what is under way, and gives the lease up; the other one delivers a second
later. No alert is lost or sent twice. This judge goes on beside it.

A judge that is stopped in order (systemctl stop csmail) does the same by itself.`

// newClusterHandover returns csmail cluster handover.
func newClusterHandover(std Streams, configPath *string) *cobra.Command {
	return &cobra.Command{
		Use: "handover", Short: "Have another judge deliver", Long: clusterHandoverHelp, Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := config.Load(*configPath)
			if err != nil {
				return configError{err}
			}
			return handOver(c.Context(), std, control.NewClient(loaded.Socket))
		},
	}
}

const (
	handOverWithin = 40 * time.Second // the daemon takes thirty at most
	handOverLook   = 200 * time.Millisecond
)

// handOver asks the daemon, and waits until another judge leads.
func handOver(ctx context.Context, std Streams, daemon control.Daemon) error {
	if err := daemon.HandOver(ctx); err != nil {
		return err
	}
	began := time.Now()
	for time.Since(began) < handOverWithin {
		status, err := daemon.Status(ctx)
		if err != nil {
			return err
		}
		if status.Cluster == nil || status.Cluster.Judge == nil {
			return errors.New("csmail run is no judge any more")
		}
		if j := status.Cluster.Judge; !j.HandingOver {
			if j.Leader == "" || j.Leader == status.Cluster.Name {
				return hint.Wrap(errors.New("no other judge has taken over; this one goes on"), "csmail cluster status shows whether the other one runs; the log of csmail says whether the LAPI did not answer")
			}
			_, err := fmt.Fprintf(std.Out, "%s delivers now\n", j.Leader)
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(handOverLook):
		}
	}
	return hint.Wrap(errors.New("it is not known whether another judge has taken over"), "csmail cluster status")
}
