// Package cli is csmail's command line. It reads flags, connects the other packages, and
// turns errors into messages with a hint and an exit status. The work of a command is in
// the packages that it calls.
//
// Each command is a file with the same parts, so that a new one can be copied from an old
// one: options (the flags), newX (the cobra command), check (flags and configuration
// resolved into a value), runX (the work, without cobra types, so that tests can call
// it), and print.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"csmail/pkg/hint"
	"csmail/pkg/lapi"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer

	color *string // the value of --color; nil before the flags are known
}

// The exit statuses. They are part of the contract with scripts.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitConfig      = 10
	exitUnreachable = 11
	exitRefused     = 12
	exitInterrupted = 130
)

// usageError is an error of the command line (exit status 2).
type usageError struct{ error }

// configError is an error of the configuration (exit status 10).
type configError struct{ error }

func (e usageError) Unwrap() error  { return e.error }
func (e configError) Unwrap() error { return e.error }

// Main runs csmail with the arguments after its name and returns the exit status. The
// error of a command goes to std.Err, with its hint on a second line.
func Main(ctx context.Context, args []string, std Streams) int {
	root := newRoot(std)
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	status := exitStatus(ctx, err)
	if _, isCheck := errors.AsType[checkError](err); isCheck || errors.Is(err, errStopped) {
		return status
	}
	if status == exitInterrupted {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(std.Err, "csmail: error: %v\n", err)
	if advice := hint.Of(err); advice != "" {
		fmt.Fprintf(std.Err, "csmail: hint: %s\n", advice)
	}
	return status
}

// exitStatus returns the exit status for an error, so that scripts can react to each
// kind.
func exitStatus(ctx context.Context, err error) int {
	_, usage := errors.AsType[usageError](err)
	_, config := errors.AsType[configError](err)
	verdict, isCheck := errors.AsType[checkError](err)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case usage:
		return exitUsage
	case config:
		return exitConfig
	case isFindings(err):
		return exitFindings
	case isCheck:
		return verdict.status()
	case errors.Is(err, lapi.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, lapi.ErrRefused):
		return exitRefused
	}
	return exitError
}

// isFindings reports whether an error only says that --fail-on found something.
func isFindings(err error) bool {
	_, ok := errors.AsType[findingsError](err)
	return ok
}

const rootHelp = `csmail finds the attackers in the logs of Postfix and Dovecot and tells CrowdSec.

  csmail scan                who attacked, from the journal or /var/log/mail.log
  csmail scan --by user      which accounts are attacked
  csmail scan --push         ... and tell CrowdSec
  csmail backtest FILE...    whom would csmail have banned? was any honest?
  csmail why 203.0.113.7     why an address is banned, or is not
  csmail report -d yesterday the day: what needs you, bans, figures
  csmail explain FILE        the way of each line through every stage
  csmail events -o json FILE every event of a log
  csmail scenarios list      by what csmail judges
  csmail setup               connect csmail with CrowdSec, and start it
  csmail check               is everything in place? with what mends it
  csmail run                 the daemon
  csmail status              how the daemon is doing
  csmail unban 203.0.113.7   end a ban, and forgive
  csmail cluster status      many mail hosts counted as one

Exit status: 0 ok, 1 error, 2 wrong usage, 3 findings with --fail-on, 10 configuration invalid,
11 LAPI unreachable, 12 LAPI refused us, 130 interrupted.`

// newRoot returns the tree of all commands.
func newRoot(std Streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "csmail",
		Short:         "CrowdSec for mail servers",
		Long:          rootHelp,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	var configPath, color string
	std.color = &color
	root.PersistentFlags().StringVarP(&configPath, "config", "c", "", "the configuration file (default /etc/csmail/csmail.yaml, if it is there)")
	root.PersistentFlags().StringVar(&color, "color", "auto", "auto, always or never: colour what is printed for a person")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return checkColor(color) }
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(
		newScan(std, &configPath), newEvents(std, &configPath), newBacktest(std, &configPath), newExplain(std, &configPath), newWhy(std, &configPath), newReport(std, &configPath),
		newScenarios(std, &configPath),
		newRun(std, &configPath), newStatus(std, &configPath), newHeld(std, &configPath), newOutbox(std, &configPath), newUnban(std, &configPath), newEnforce(std, &configPath), newCluster(std, &configPath),
		newSetup(std), newCheck(std, &configPath), newVersion(std),
	)
	strictly(root)
	complete(root)
	fitHelp(root)
	return root
}

// Commands returns csmail's tree of commands, for generating documentation.
func Commands() *cobra.Command {
	root := newRoot(Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	root.InitDefaultVersionFlag()
	return root
}
