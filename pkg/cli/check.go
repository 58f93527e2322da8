package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/bouncer"
	"csmail/pkg/check"
	"csmail/pkg/cluster"
	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/daemon"
	"csmail/pkg/detect"
	"csmail/pkg/hint"
	"csmail/pkg/host"
	"csmail/pkg/ingest"
	"csmail/pkg/lapi"
	"csmail/pkg/render"
	"csmail/pkg/scenario"
	"csmail/pkg/setup"
)

const checkHelp = `Look whether everything that csmail needs is in place: csmail run, its logs, CrowdSec's
Local API, the agent's own mail scenarios, a bouncer, the doors in Postfix and Dovecot,
the cluster if there is one, the clock, the state, the scenarios, the rights of its files, and the settings of Postfix
and Dovecot that hide something from the log. Each finding comes with what mends it.
Nothing is changed. Run it as root: others cannot read the configuration.

  sudo csmail check            one line each
  sudo csmail check --nagios   for Nagios and Icinga: the first line says it all

The exit status is 0 if all is well, 1 for a warning, 2 if something is critical. Notes are
advice and change neither.`

// checkError carries the level of the worst result to the exit status. The screen has
// shown everything else.
type checkError struct{ level check.Level }

func (e checkError) Error() string { return "csmail check: " + e.level.String() }

// status returns the exit status for Nagios: 1 for a warning, 2 for critical.
func (e checkError) status() int {
	if e.level == check.Critical {
		return 2
	}
	return 1
}

// newCheck returns csmail check, which runs the probes of pkg/check. For example, csmail
// check --nagios is a check command of a monitor.
func newCheck(std Streams, configPath *string) *cobra.Command {
	var output string
	var nagios bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Is everything in place: logs, LAPI, bouncer, doors, settings?",
		Long:  checkHelp,
		Args:  noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := humanOrJSON(output); err != nil {
				return err
			}
			if nagios && c.Flags().Changed("output") {
				return usageError{hint.Wrap(errors.New("--nagios and -o are both given"), "a monitor takes --nagios, a program -o json")}
			}
			results := runChecks(c.Context(), *configPath)
			if err := showChecks(std, results, output, nagios); err != nil {
				return err
			}
			if worst := check.Worst(results); worst > check.OK {
				return checkError{worst}
			}
			return nil
		},
	}
	addOutput(c, &output)
	c.Flags().BoolVar(&nagios, "nagios", false, "a first line as Nagios and Icinga take it, with performance data")
	return c
}

// showChecks prints the results in the form that the flags ask for.
func showChecks(std Streams, results []check.Result, output string, nagios bool) error {
	switch {
	case nagios:
		return render.Nagios(std.Out, results)
	case output == "json":
		return render.AsJSON(std.Out, results)
	}
	return render.Check(std.Out, results)
}

// runChecks runs all probes. Without a readable configuration there is nothing to check
// against, so its error is the only result.
func runChecks(ctx context.Context, configPath string) []check.Result {
	c, err := config.Load(configPath)
	if err != nil {
		return []check.Result{{
			Name: "config", Level: check.Critical, Text: err.Error(),
			Findings: []check.Finding{{Level: check.Critical, Problem: err.Error(), Mend: hint.Of(err)}},
		}}
	}
	return check.Run(ctx, check.Probes(checkInputs(c)))
}

// checkInputs returns the probes' view of this host.
func checkInputs(c config.Config) check.Inputs {
	return check.Inputs{
		Config:      c,
		Version:     version(),
		Now:         time.Now,
		Logs:        func(ctx context.Context) []error { return ingest.Probe(ctx, c.Sources, ingest.Options{}) },
		LAPI:        func(ctx context.Context) (string, time.Duration, error) { return greetLAPI(ctx, c) },
		Key:         func(ctx context.Context) error { return tryKey(ctx, c) },
		Scenarios:   func() (*scenario.Set, error) { return detect.Load(c.Scenarios) },
		Mail:        host.AskMailSettings,
		Cluster:     func(ctx context.Context) (cluster.View, error) { return lookAtCluster(ctx, c.Cluster) },
		ServerSyncs: serverSyncs,
		Daemon:      control.NewClient(c.Socket),
		Programs:    setup.Machine{},
		Files:       check.HostFiles{},
	}
}

// greetLAPI logs in at the LAPI. It returns the machine and its LAPI, and by how much the
// LAPI's clock is ahead.
func greetLAPI(ctx context.Context, c config.Config) (string, time.Duration, error) {
	credentials, err := lapi.LoadCredentials(c.LAPI.Credentials)
	if err != nil {
		return "", 0, err
	}
	client, err := lapi.New(credentials, version())
	if err != nil {
		return "", 0, err
	}
	defer client.Close()
	if err := client.Heartbeat(ctx); err != nil {
		return "", 0, err
	}
	return credentials.String(), client.Ahead(), nil
}

// tryKey reports whether the LAPI accepts the bouncer's key.
func tryKey(ctx context.Context, c config.Config) error {
	return bouncer.Try(ctx, daemon.BouncerConfig(c), version(), reachWithin)
}
