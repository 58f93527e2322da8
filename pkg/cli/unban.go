package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
)

const unbanHelp = `End the bans of addresses and networks, and forgive them.

The decisions in force on each are ended in the LAPI, whoever made them, as cscli
decisions delete does. A ban on a larger network goes on, since it hits others too;
it is named. csmail run, where it runs, forgets what they did, drops the alerts that
wait, and for 24 hours holds nothing against them. Of IPv6 all of it is about the
whole /64 at least; the widest network is a /16 of IPv4 and a /32 of IPv6.

An address that is not banned, and of which nothing is known, is left alone.`

// newUnban returns csmail unban, by which a person ends bans and grants amnesty. For
// example:
//
//	csmail unban 192.0.2.7 198.51.100.0/24
func newUnban(std Streams, configPath *string) *cobra.Command {
	return &cobra.Command{
		Use: "unban IP|NETWORK...", Short: "End a ban and forgive", Long: unbanHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{hint.Wrap(errors.New("no address is named"), "csmail unban 203.0.113.7")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return runUnban(c.Context(), *configPath, args, std) },
	}
}

// unban is a checked command line.
type unban struct {
	daemon  *control.Client
	lapi    *lapi.Client // nil: noLAPI has the reason
	noLAPI  error
	noticed bool // the message that no daemon runs was written
	std     Streams
}

// runUnban runs the command.
func runUnban(ctx context.Context, configPath string, args []string, std Streams) error {
	var networks []netip.Prefix
	for _, text := range args {
		network, err := control.ParseNetwork(text)
		if err != nil {
			return usageError{err}
		}
		networks = append(networks, network)
	}
	loaded, bad := config.Load(configPath)
	if bad == nil {
		return unbanAll(ctx, loaded, networks, std)
	}
	return askPast(bad, configPath, std, func(client *control.Client) error {
		u := unban{daemon: client, noLAPI: bad, std: std}
		if _, err := client.Status(ctx); err != nil {
			return err
		}
		return u.all(ctx, networks)
	})
}

// unbanAll unbans the networks in the LAPI and in the daemon.
func unbanAll(ctx context.Context, c config.Config, networks []netip.Prefix, std Streams) error {
	u := unban{daemon: control.NewClient(c.Socket), std: std}
	credentials, err := lapi.LoadCredentials(c.LAPI.Credentials)
	if err == nil {
		u.lapi, err = lapi.New(credentials, version())
	}
	if u.noLAPI = err; err == nil {
		defer u.lapi.Close()
	}
	return u.all(ctx, networks)
}

// all continues after a failure, so that the other networks are unbanned.
func (u *unban) all(ctx context.Context, networks []netip.Prefix) error {
	var errs []error
	for _, network := range networks {
		if err := u.one(ctx, network); err != nil {
			errs = append(errs, err)
		}
	}
	for _, err := range errs[:max(0, len(errs)-1)] {
		fmt.Fprintf(u.std.Err, "csmail: error: %v\n", err)
	}
	if len(errs) == 0 {
		return nil
	}
	return errs[len(errs)-1]
}

// one unbans one network: first the LAPI's decisions, then the daemon's memory.
func (u *unban) one(ctx context.Context, network netip.Prefix) error {
	who := shownNetwork(network)
	ended, lapiErr := u.end(ctx, network)
	if lapiErr == nil && len(ended.Ended) == 0 && u.isStranger(ctx, network) {
		return u.say(who, append([]string{"is not banned, and nothing is known against it: nothing to do"}, coversTexts(ended)...))
	}
	texts := endedTexts(ended, lapiErr)
	forgiven, err := u.daemon.Unban(ctx, network)
	switch {
	case err == nil:
		texts = append(texts, forgivenText(forgiven))
	case !errors.Is(err, control.ErrNotRunning):
		if len(ended.Ended) > 0 {
			err = fmt.Errorf("%s: its ban is ended, but csmail run does not forgive it: %w", who, err)
		}
		return err
	case lapiErr != nil:
		return hint.Wrap(err, "nor can the LAPI be asked (%v); to end a ban: %s", lapiErr, deleteCommand(network))
	default:
		u.noteDaemon(err)
	}
	if err := u.say(who, append(texts, coversTexts(ended)...)); err != nil {
		return err
	}
	if lapiErr != nil {
		return hint.Wrap(fmt.Errorf("%s: a ban that is in force goes on: %w", who, lapiErr), "to end it: %s", deleteCommand(network))
	}
	return nil
}

// end deletes the decisions on a network in the LAPI.
func (u *unban) end(ctx context.Context, network netip.Prefix) (lapi.Unbanned, error) {
	if u.lapi == nil {
		return lapi.Unbanned{}, u.noLAPI
	}
	return u.lapi.Unban(ctx, network)
}

// isStranger reports whether the daemon has nothing on record against an address. It is
// not asked about networks.
func (u *unban) isStranger(ctx context.Context, network netip.Prefix) bool {
	if !network.IsSingleIP() {
		return false
	}
	why, err := u.daemon.Why(ctx, network.Addr())
	if errors.Is(err, control.ErrNotRunning) {
		return true
	}
	return err == nil && why.IsUnknown()
}

// noteDaemon writes once that no daemon runs.
func (u *unban) noteDaemon(err error) {
	if !u.noticed {
		fmt.Fprintf(u.std.Err, "csmail: warning: %v; there is nothing to forget\n", err)
	}
	u.noticed = true
}

// say prints the outcome for one network.
func (u *unban) say(who string, texts []string) error {
	_, err := fmt.Fprintf(u.std.Out, "%s %s\n", who, strings.Join(texts, "; "))
	return err
}

// endedTexts describes the outcome in the LAPI.
func endedTexts(done lapi.Unbanned, failed error) []string {
	if failed != nil && len(done.Ended) == 0 {
		return nil
	}
	if len(done.Ended) == 0 {
		return []string{"has no ban in the LAPI"}
	}
	texts := make([]string, 0, len(done.Ended))
	for _, d := range done.Ended {
		kind := d.Type
		if d.Simulated {
			kind = "simulated " + kind
		}
		texts = append(texts, fmt.Sprintf("%s ended (on %s by %s, it would have lasted until %s)", kind, d.Value, d.Scenario, d.Until.Local().Format(time.DateTime)))
	}
	texts[0] = "is free: " + texts[0]
	return texts
}

// forgivenText describes the outcome in the daemon.
func forgivenText(u control.Unbanned) string {
	text := "has amnesty until " + u.Amnesty.Local().Format(time.DateTime)
	if u.Dropped > 0 {
		text = fmt.Sprintf("%d waiting alerts dropped; %s", u.Dropped, text)
	}
	return text
}

// coversTexts describes decisions on wider networks, which still hold.
func coversTexts(done lapi.Unbanned) []string {
	var texts []string
	for _, d := range done.Covers {
		texts = append(texts, fmt.Sprintf("but it is in %s, which is banned until %s: csmail unban %s", d.Value, d.Until.Local().Format(time.DateTime), d.Value))
	}
	return texts
}

// shownNetwork returns a network, without its length if it is a single address.
func shownNetwork(network netip.Prefix) string {
	if network.IsSingleIP() {
		return network.Addr().String()
	}
	return network.String()
}

// deleteCommand returns cscli's command with the same effect.
func deleteCommand(network netip.Prefix) string {
	if network.IsSingleIP() {
		return "sudo cscli decisions delete --ip " + network.Addr().String()
	}
	return "sudo cscli decisions delete --contained --range " + network.String()
}
