package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
	"csmail/pkg/render"
)

// askDaemon returns a command that asks the running daemon by its control socket and
// prints the answer.
func askDaemon(std Streams, use, short, long string, configPath *string, args cobra.PositionalArgs, f func(context.Context, *control.Client, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			loaded, bad := config.Load(*configPath)
			if bad == nil {
				return f(c.Context(), control.NewClient(loaded.Socket), args)
			}
			return askPast(bad, *configPath, std, func(client *control.Client) error { return f(c.Context(), client, args) })
		},
	}
}

// askPast asks the daemon although its configuration file is bad now. The daemon may have
// refused to reload it and runs on with the old one, and that is the reason to ask.
func askPast(bad error, configPath string, std Streams, f func(*control.Client) error) error {
	socket, err := config.Socket(configPath)
	if err != nil {
		return configError{bad}
	}
	err = f(control.NewClient(socket))
	if errors.Is(err, control.ErrNotRunning) {
		return configError{bad}
	}
	fmt.Fprintf(std.Err, "csmail: warning: %v; csmail run goes on with the configuration that it has\n", bad)
	return err
}

const statusHelp = `Tell in the first line whether csmail run does its work, how many addresses and
networks are banned now and were today, and how many alerts the guard holds. Then
what is wrong and how to mend it, one line a log with how far it is read, what became
of the alerts, outages of ours that hold bans back, and the latest findings.

The counters of lines and alerts go on over restarts; after a crash the last five
minutes of them may be missing. -o json has those of this run, too.

The exit status is 1 if csmail runs and does not do its work: a log is not read, what
was read cannot be stored, or the LAPI is away for more than two minutes.`

// newStatus returns csmail status.
func newStatus(std Streams, configPath *string) *cobra.Command {
	var output string
	c := askDaemon(std, "status", "How csmail run is doing", "", configPath, noCommand, func(ctx context.Context, client *control.Client, _ []string) error {
		if err := humanOrJSON(output); err != nil {
			return err
		}
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if output == "json" {
			err = render.AsJSON(std.Out, status)
		} else {
			err = render.Status(std.Out, status, std.screen())
		}
		return cmp.Or(err, unwell(status))
	})
	c.Long = statusHelp
	addOutput(c, &output)
	return c
}

// unwell returns an error if the daemon runs but cannot do its work, so that the exit
// status shows it.
func unwell(s control.Status) error {
	if len(s.Troubles) == 0 {
		return nil
	}
	return hint.Wrap(fmt.Errorf("csmail run does not do its work: %s", s.Troubles[0]), "csmail status shows all; journalctl -u csmail tells since when")
}

// addOutput adds the flag -o for commands with the forms human and json.
func addOutput(c *cobra.Command, output *string) {
	c.Flags().StringVarP(output, "output", "o", "human", "human or json")
}

// humanOrJSON returns an error for any other form.
func humanOrJSON(output string) error {
	if output != "human" && output != "json" {
		return usageError{fmt.Errorf("output format %q not supported: must be one of human, json", output)}
	}
	return nil
}

// oneArg demands exactly one argument.
func oneArg(name, example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{hint.Wrap(fmt.Errorf("%d arguments, expected one %s", len(args), name), "%s", example)}
		}
		return nil
	}
}

// newHeld returns csmail held, for the alerts that the guard holds.
func newHeld(std Streams, configPath *string) *cobra.Command {
	c := &cobra.Command{
		Use: "held", Short: "Alerts that the guard keeps back", Args: noCommand,
		Long: "Alerts for which there is enough against the source, but also a reason not to ban it\n(docs/safety.md). They wait for your word: release sends them, drop forgets them. What waits for\nevidence, such as the next login after an outage, is not here: it is judged\nagain when that comes, or when its time is over.",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(heldList(std, configPath),
		moveCommand(std, configPath, "release", "Send held alerts all the same", control.Held, control.Release),
		moveCommand(std, configPath, "drop", "Drop held alerts", control.Held, control.Drop))
	return c
}

// heldList returns csmail held list.
func heldList(std Streams, configPath *string) *cobra.Command {
	all := false
	c := listCommand(std, configPath, "List what the guard keeps back", control.Held)
	c.Long = "One line a source, the newest first, with the rule of the guard that keeps it back (docs/safety.md);\n--all shows each alert, also those on sources that are never banned."
	c.Flags().BoolVar(&all, "all", false, "each alert with its ID, and those that cannot be released")
	return c
}

// newOutbox returns csmail outbox, for the alerts that wait for the LAPI or were rejected
// by it.
func newOutbox(std Streams, configPath *string) *cobra.Command {
	c := &cobra.Command{
		Use: "outbox", Short: "Alerts on their way to the LAPI", Args: noCommand,
		Long: "Alerts that wait for the LAPI, and those that it will not take (parked).",
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(listCommand(std, configPath, "List what waits and what is parked", control.Outbox, control.Parked),
		moveCommand(std, configPath, "retry", "Send parked alerts again", control.Parked, control.Retry),
		moveCommand(std, configPath, "drop", "Drop alerts that wait or are parked", "", control.Drop))
	return c
}

// listCommand returns a command that prints some lists of the daemon.
func listCommand(std Streams, configPath *string, short string, lists ...control.List) *cobra.Command {
	var output string
	var c *cobra.Command
	c = askDaemon(std, "list", short, "", configPath, noCommand, func(ctx context.Context, client *control.Client, _ []string) error {
		if err := humanOrJSON(output); err != nil {
			return err
		}
		all := []control.Alert{}
		for _, list := range lists {
			alerts, err := client.List(ctx, list)
			if err != nil {
				return err
			}
			all = append(all, alerts...)
		}
		if output == "json" {
			return render.AsJSON(std.Out, all)
		}
		if each, err := c.Flags().GetBool("all"); err == nil && !each {
			return render.Held(std.Out, all)
		}
		return render.AlertList(std.Out, all, std.screen())
	})
	addOutput(c, &output)
	return c
}

var done = map[control.Move]string{control.Release: "released", control.Retry: "on their way again", control.Drop: "dropped"}

// moveCommand returns a command that moves alerts out of a list. If no list is given, it
// is for outbox and parked. For example, csmail held release 192.0.2.7 moves the alerts
// on that address into the outbox.
func moveCommand(std Streams, configPath *string, verb, short string, list control.List, move control.Move) *cobra.Command {
	long := short + ".\n\nID is what the list shows, or its beginning; an address or a network stands for all\nalerts on it, and all for every one."
	shows := "csmail outbox list"
	if list == control.Held {
		shows = "csmail held list"
	}
	return askDaemon(std, verb+" ID|IP|all", short, long, configPath, oneArg("ID, address or network", shows+" shows them"), func(ctx context.Context, client *control.Client, args []string) error {
		lists := []control.List{list}
		if list == "" {
			lists = []control.List{control.Outbox, control.Parked}
		}
		moved := 0
		var last error
		for _, l := range lists {
			n, err := client.Move(ctx, l, args[0], move)
			if err != nil {
				last = err
			}
			moved += n
		}
		if moved == 0 && last != nil {
			return last
		}
		_, err := fmt.Fprintf(std.Out, "alerts %s: %d\n", done[move], moved)
		return err
	})
}
