package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/daemon"
	"csmail/pkg/detect"
	"csmail/pkg/hint"
	"csmail/pkg/ingest"
	"csmail/pkg/lapi"
)

const runHelp = `Follow the logs, decide, and send alerts to CrowdSec's Local API, until SIGTERM or SIGINT.
SIGHUP reads the configuration anew; a bad one changes nothing.

Everything that was read, and how far, is kept in one file (state), so that a crash
at any moment loses no alert and sends none twice. While the LAPI is away, alerts
wait in the outbox.

  csmail run -t              check the configuration, and whether the logs can
                             be read and the LAPI takes csmail; change nothing
  csmail run -t --offline    the configuration alone
  csmail run -T              print it as it is, merged, with its secrets masked`

// runOptions are the flags of csmail run.
type runOptions struct{ test, offline, show bool }

// newRun returns csmail run, the daemon.
func newRun(std Streams, configPath *string) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "The daemon: follow, decide, tell CrowdSec",
		Long:  runHelp,
		Args:  noCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return runDaemon(c.Context(), o, *configPath, std)
		},
	}
	c.Flags().BoolVarP(&o.test, "test", "t", false, "check the configuration, the logs and the LAPI, and end")
	c.Flags().BoolVar(&o.offline, "offline", false, "with -t: check the configuration alone")
	c.Flags().BoolVarP(&o.show, "show", "T", false, "print the merged configuration, secrets masked, and end")
	return c
}

// runDaemon runs the daemon until SIGINT or SIGTERM.
func runDaemon(ctx context.Context, o runOptions, configPath string, std Streams) error {
	if o.test || o.show {
		return checkConfig(ctx, o, configPath, std)
	}
	level := new(slog.LevelVar)
	reload, stop := onHangup()
	defer stop()
	options := daemon.Options{
		Load: func() (config.Config, error) {
			c, err := config.Load(configPath)
			if err != nil {
				return c, configError{err}
			}
			return c, nil
		},
		Path:    configPath,
		Version: version(),
		Log:     slog.New(daemon.NewLogHandler(std.Err, level, os.Getenv("JOURNAL_STREAM") != "")),
		Level:   level,
		Notify:  notify,
		Reload:  reload,
		Stdin:   std.In,
	}
	if options.Path == "" {
		options.Path = config.DefaultPath
	}
	options.Watchdog, _ = sdnotify.SdWatchdogEnabled(false) // 0 after an error
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer cancel()
	err := daemon.Run(ctx, options)
	if errors.Is(err, context.Canceled) {
		return nil // an interrupt is its regular end
	}
	return err
}

// checkConfig checks all that a start would check, without side effects: it opens neither
// the state file nor a socket.
func checkConfig(ctx context.Context, o runOptions, configPath string, std Streams) error {
	c, err := config.Load(configPath)
	if err != nil {
		return configError{err}
	}
	set, err := detect.Load(c.Scenarios)
	if err != nil {
		return configError{err}
	}
	if !o.show {
		warnOfScenarios(set, std)
		if err := checkSources(ctx, c); err != nil {
			return configError{err}
		}
		if o.offline {
			warnOfCredentials(c, std)
		}
		if _, err := fmt.Fprintf(std.Out, "the configuration is good (%s)\n", checkedFile(configPath)); err != nil || o.offline {
			return err
		}
		return reach(ctx, c, std)
	}
	text, err := c.YAML()
	if err != nil {
		return err
	}
	_, err = std.Out.Write(text)
	return err
}

// checkedFile returns the path of the configuration for messages.
func checkedFile(path string) string {
	path = cmp.Or(path, config.DefaultPath)
	if _, err := os.Stat(path); err != nil {
		return "the defaults: there is no " + path
	}
	return path
}

// warnOfCredentials warns of credentials that cannot be used. A start goes on without
// them, since they may come later, but there is no ban until then.
func warnOfCredentials(c config.Config, std Streams) {
	if c.LAPI.RegistrationToken != "" || !c.SendsAlerts() {
		return
	}
	if _, err := lapi.LoadCredentials(c.LAPI.Credentials); err != nil {
		fmt.Fprintf(std.Err, "csmail: warning: %v: alerts would wait, and nobody would be banned\ncsmail: hint: %s\n", err, hint.Of(err))
	}
}

// checkSources returns the errors that a start would return for the configured sources. A
// log that does not exist yet is no error.
func checkSources(ctx context.Context, c config.Config) error {
	if len(c.Sources) == 0 || !c.Detect {
		return nil
	}
	_, err := ingest.Open(ctx, c.Sources, ingest.Options{})
	return err
}

// onHangup returns a channel that receives once for each SIGHUP. Several during one
// reload cause one more.
func onHangup() (<-chan struct{}, func()) {
	signals, reload := make(chan os.Signal, 1), make(chan struct{}, 1)
	done := make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-signals:
				select {
				case reload <- struct{}{}:
				default:
				}
			case <-done:
				return
			}
		}
	}()
	return reload, func() {
		signal.Stop(signals)
		close(done)
	}
}

// notify sends a message to systemd, if it listens. A failure is no reason to stop.
func notify(message string) { _, _ = sdnotify.SdNotify(false, message) }
