package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/enforce/wiring"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
	"csmail/pkg/render"
	"csmail/pkg/setup"
)

const setupHelp = `Connect csmail with this host: register at CrowdSec's Local API, give csmail the
rights to read the log, take the hub's postfix and dovecot collections out of the
agent, and start the service. Each step is shown before it is taken.

  sudo csmail setup             show the steps, ask, take them
  sudo csmail setup --yes       without asking
  sudo csmail setup --dry-run   only show them
  sudo csmail setup --undo      take back what setup did; with --enforce
                                only that part
  sudo csmail setup --enforce   also have Postfix and Dovecot ask csmail, and
                                refuse banned clients (docs/enforcement.md)
  sudo csmail setup --lapi http://lapi.example.org:8080 --token TOKEN
                                for a LAPI on another host

For the first day alerts are simulated: cscli shows (simul)ban, and nobody is
banned. --live bans from the first minute. Running setup twice changes nothing.`

// setupOptions are the flags of csmail setup.
type setupOptions struct {
	yes, dryRun, undo, live, keepHub, enforce bool
	simulate, lapi, token, bouncerKey         string
}

// newSetup returns csmail setup, which connects csmail with CrowdSec, the log and
// systemd. For example, csmail setup --dry-run shows the commands and files without a
// change.
func newSetup(std Streams) *cobra.Command {
	var o setupOptions
	c := &cobra.Command{
		Use:   "setup",
		Short: "Connect csmail with CrowdSec and the log, and start it",
		Long:  setupHelp,
		Args:  noCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return runSetup(c.Context(), o, std, machine{}) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&o.yes, "yes", false, "take the steps without asking")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show the steps")
	f.BoolVar(&o.undo, "undo", false, "take back what setup did, the last step first")
	f.BoolVar(&o.live, "live", false, "ban from the first minute, without a day of simulation")
	f.StringVar(&o.simulate, "simulate", "24h", "how long alerts are only simulated on a new installation")
	f.BoolVar(&o.keepHub, "keep-hub", false, "leave the hub's postfix and dovecot collections in the agent")
	f.BoolVar(&o.enforce, "enforce", false, "have Postfix and Dovecot refuse who is banned: changes their configuration")
	f.StringVar(&o.bouncerKey, "bouncer-key", "", "with --enforce, if the LAPI is on another host: what cscli bouncers add csmail prints there")
	f.StringVar(&o.lapi, "lapi", "", "the LAPI's URL, if it is on another host")
	f.StringVar(&o.token, "token", "", "the token of its auto_registration")
	return c
}

// runSetup shows the steps, asks, and does them.
func runSetup(ctx context.Context, o setupOptions, std Streams, host setup.Host) error {
	simulate, ok := config.ParseDuration(o.simulate)
	if !ok {
		return usageError{hint.Wrap(fmt.Errorf("--simulate %q is no duration", o.simulate), "give it like 24h or 2d; --live simulates nothing")}
	}
	if !o.dryRun && os.Geteuid() != 0 {
		return hint.Wrap(errors.New("setup changes the host and is not run as root"), "sudo csmail setup; --dry-run only shows the steps")
	}
	if o.undo {
		return undoSetup(ctx, o, std, host)
	}
	if o.bouncerKey != "" && !o.enforce {
		return usageError{hint.Wrap(errors.New("--bouncer-key is given without --enforce"), "csmail needs a key only to enforce decisions: csmail setup --enforce --bouncer-key KEY")}
	}
	doors, err := doorsOf(o)
	if err != nil {
		return err
	}
	steps, err := setup.Plan(ctx, host, setup.Options{
		Live: o.live, Simulate: simulate, KeepHub: o.keepHub, LAPI: o.lapi, Token: o.token, Now: time.Now(),
		Enforce: o.enforce, Doors: doors, BouncerKey: o.bouncerKey,
	})
	if err != nil {
		return err
	}
	if len(steps) == 0 {
		fmt.Fprintln(std.Out, "Everything is set up; nothing is to be done. Is it all well? csmail status")
		return nil
	}
	showSteps(std.Out, steps)
	if o.dryRun || !o.yes && !agrees(std) {
		return nil
	}
	for i, s := range steps {
		warn := func(text string) { fmt.Fprintf(std.Err, "csmail: warning: %s\n", render.Printable(text)) }
		if err := setup.Apply(ctx, host, s, warn); err != nil {
			return err
		}
		fmt.Fprintf(std.Out, "%d/%d done: %s\n", i+1, len(steps), s.Title)
	}
	fmt.Fprintln(std.Out, "csmail is set up. Is all in place: csmail check. What it does: csmail status. Whom it banned: cscli decisions list")
	return nil
}

// doorsOf returns where csmail listens for Postfix and Dovecot, by its configuration.
func doorsOf(o setupOptions) (setup.Doors, error) {
	if !o.enforce {
		return setup.Doors{}, nil
	}
	c, err := config.Load("")
	if err != nil {
		return setup.Doors{}, configError{err}
	}
	return setup.Doors{
		Doors:         wiring.Doors{Policy: c.Enforce.Policy.Listen, AuthPolicy: c.Enforce.AuthPolicy.Listen},
		AuthPolicyKey: c.Enforce.AuthPolicy.Key,
	}, nil
}

// showSteps prints the steps before they are done.
func showSteps(w io.Writer, steps []setup.Step) {
	for i, s := range steps {
		fmt.Fprintf(w, "%d. %s\n", i+1, capitalized(s.Title))
		if s.Why != "" {
			fmt.Fprintf(w, "   %s\n", s.Why)
		}
		for _, a := range s.Do {
			fmt.Fprintf(w, "     %s\n", a)
			for _, line := range a.Lines() {
				fmt.Fprintf(w, "       | %s\n", line)
			}
		}
	}
}

func capitalized(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// agrees asks whether to go on. No answer means no.
func agrees(std Streams) bool {
	fmt.Fprint(std.Out, "Do this? [y/N] ")
	answer, _ := bufio.NewReader(std.In).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// undoSetup does the steps of setup --undo.
func undoSetup(ctx context.Context, o setupOptions, std Streams, host setup.Host) error {
	steps, err := setup.UndoPlan(host, o.enforce)
	if err != nil {
		return err
	}
	if len(steps) == 0 {
		fmt.Fprintln(std.Out, "csmail setup did nothing here that could be undone.")
		return nil
	}
	showSteps(std.Out, steps)
	if o.dryRun || !o.yes && !agrees(std) {
		return nil
	}
	return setup.Undo(ctx, host, o.enforce, func(title string, err error) {
		if err != nil {
			fmt.Fprintf(std.Err, "csmail: warning: undo: %s: %s\n", title, render.Printable(err.Error()))
			return
		}
		fmt.Fprintf(std.Out, "undone: %s\n", title)
	})
}

// machine is the host that csmail runs on, with the Local API that it knows.
type machine struct{ setup.Machine }

var _ setup.Host = machine{}

// Unregister implements [setup.Host].
func (machine) Unregister(ctx context.Context, path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	credentials, err := lapi.LoadCredentials(path)
	if err != nil {
		return err
	}
	client, err := lapi.New(credentials, version())
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Unregister(ctx)
}
