package cli

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/enforce/wiring"
	"csmail/pkg/hint"
	"csmail/pkg/render"
)

const enforceTestHelp = `Without an address: ban a test client for half a minute, ask each door about it as a
mail server does, and come to each service of this host's Postfix and Dovecot that asks
csmail, as a client would. What such a client sees is shown, and the exit status is 1 if
somebody is not refused who should be.

The test client is 192.0.2.1, which is nobody's. To Postfix it comes from an address of
this host, and that one connection is banned, by its port. Dovecot judges a login of the
account csmail-test by doveadm auth test, which takes root. A line that begins with ?
tells what could not be tried, one with ! what is wrong.

With an address: show what each door answers on it now. Nobody is banned.`

// newEnforce returns csmail enforce.
func newEnforce(std Streams, configPath *string) *cobra.Command {
	c := &cobra.Command{
		Use:   "enforce",
		Short: "Which decisions are enforced at which door",
		Long:  "Which of CrowdSec's decisions csmail run enforces inside Postfix and Dovecot, and who asks.",
		Args:  noCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newEnforceStatus(std, configPath), newEnforceTest(std, configPath))
	return c
}

// newEnforceStatus returns csmail enforce status, which shows the doors and the services
// that ask at them.
func newEnforceStatus(std Streams, configPath *string) *cobra.Command {
	var output string
	c := askDaemon(std, "status", "The doors, who asks at them, and who was refused", "", configPath, noCommand, func(ctx context.Context, client *control.Client, _ []string) error {
		if err := humanOrJSON(output); err != nil {
			return err
		}
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if status.Enforcement == nil {
			if output == "json" {
				return render.AsJSON(std.Out, status.Enforcement)
			}
			return render.Enforcement(std.Out, nil, std.screen())
		}
		wired := askWiring(ctx, std, status.Enforcement)
		if output == "json" {
			return render.AsJSON(std.Out, struct {
				*control.Enforcement
				Wiring wiring.Report `json:"wiring"`
			}{status.Enforcement, wired})
		}
		if err := render.Enforcement(std.Out, status.Enforcement, std.screen()); err != nil {
			return err
		}
		return writeWiring(std.Out, wired)
	})
	c.Long = "The doors that are open, how often a mail server asked at each and when it last did, the latest refusals,\nand how well the LAPI's decisions are followed. Then which services of this host's Postfix and Dovecot ask csmail,\nwhich do not, and which settings would keep everybody out while csmail is dead, each with the command that mends it."
	addOutput(c, &output)
	return c
}

// newEnforceTest returns csmail enforce test, which asks each door about an address as a
// mail server would. For example:
//
//	csmail enforce test 192.0.2.7
func newEnforceTest(std Streams, configPath *string) *cobra.Command {
	return askDaemon(std, "test [IP]", "Go through each door as a client that is banned", enforceTestHelp, configPath, cobra.MaximumNArgs(1), func(ctx context.Context, client *control.Client, args []string) error {
		t := doorTest{w: std.Out, client: client, addr: netip.MustParseAddr("192.0.2.1"), banned: true}
		if len(args) == 1 {
			var err error
			if t.addr, err = parseAddr(args[0]); err != nil {
				return err
			}
			t.banned = false
		}
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if t.state = status.Enforcement; t.state == nil {
			return hint.Wrap(fmt.Errorf("nothing is enforced"), "bouncer.api_key is what sudo cscli bouncers add csmail prints")
		}
		if t.config, err = config.Load(*configPath); err != nil {
			return configError{err}
		}
		return t.run(ctx, std)
	})
}

func (t *doorTest) run(ctx context.Context, std Streams) error {
	if !t.banned {
		t.doors(ctx)
		return t.failed
	}
	if err := t.client.Probe(ctx, netip.AddrPortFrom(t.addr, 0)); err != nil {
		return err
	}
	if t.state.DryRun {
		t.line("dry run: the test client is refused all the same, others are not")
	}
	t.doors(ctx)
	t.services(ctx, askWiring(ctx, std, t.state))
	t.blockList(ctx)
	return t.failed
}
