package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
	"csmail/pkg/render"
	"csmail/pkg/replay"
	"csmail/pkg/report"
)

const whyHelp = `Tell whether an address is banned and why, in the first line; then how to change
that, what scenarios found, and the newest log lines. -v tells all that is known:
what the guard looked at, how full the buckets are, what speaks for the address,
twenty lines, and the alerts and decisions that the LAPI has on it.

Without a FILE csmail run is asked, if it runs; else the logs are read as csmail
scan does. The LAPI is asked if its credentials are there.`

// maxLines is the number of log lines that why shows.
const maxLines = 20

// whyOptions are the flags of csmail why.
type whyOptions struct {
	inputOptions
	judgeOptions
	output string
	noLAPI bool
	all    bool
}

// newWhy returns csmail why, which shows all that is known about one address. For
// example:
//
//	csmail why 192.0.2.7
func newWhy(std Streams, configPath *string) *cobra.Command {
	var o whyOptions
	c := &cobra.Command{
		Use:   "why IP [FILE...]",
		Short: "Why an address is banned, or is not",
		Long:  whyHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{hint.Wrap(fmt.Errorf("no address is named"), "csmail why 203.0.113.7")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return runWhy(c.Context(), o, *configPath, args[0], args[1:], std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human or json")
	f.BoolVarP(&o.all, "verbose", "v", false, "all that is known: what the guard looked at, how full the buckets are, more lines, the LAPI's alerts")
	f.BoolVar(&o.noLAPI, "no-lapi", false, "do not ask the LAPI")
	o.judgeOptions.addFlags(f)
	o.inputOptions.addFlags(f)
	f.Lookup("ip").Hidden = true // the address is the argument
	return c
}

// runWhy runs the command: it asks the daemon and the LAPI, or reads logs.
func runWhy(ctx context.Context, o whyOptions, configPath, ip string, files []string, std Streams) error {
	addr, err := parseAddr(ip)
	if err != nil {
		return err
	}
	if err := oneAddress(ip, files); err != nil {
		return err
	}
	if o.output != "human" && o.output != "json" {
		return usageError{fmt.Errorf("output format %q not supported: must be one of human, json", o.output)}
	}
	in, err := o.inputOptions.check(files, time.Now())
	if err != nil {
		return err
	}
	judge, err := o.judgeOptions.check(ctx, configPath, std)
	if err != nil {
		return err
	}
	answer := render.Answer{LAPI: []lapi.Known{}, NoLAPI: o.noLAPI}
	if places, err := openPlaces(judge.config); err == nil { // a missing geo file does not change the answer
		answer.Place = places.Place(addr).String()
		_ = places.Close()
	}
	if answer.Why, err = o.ask(ctx, judge, in, addr, files, std); err != nil {
		return err
	}
	if answer.LAPI, err = o.askLAPI(ctx, judge.config, addr); err != nil {
		answer.LAPI, answer.LAPIErr, answer.Advice = []lapi.Known{}, err.Error(), hint.Of(err)
	}
	if o.output == "json" {
		err = render.WhyJSON(std.Out, answer)
	} else {
		err = render.Why(std.Out, answer, in.zone, o.all, std.screen())
	}
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

// parseAddr reads the address of the command line.
func parseAddr(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if _, fileErr := os.Stat(text); err != nil && fileErr == nil {
		return netip.Addr{}, usageError{hint.Wrap(fmt.Errorf("%q is no address", text), "the address comes first, the log files behind it: csmail why 203.0.113.7 %s", text)}
	}
	if _, networkErr := netip.ParsePrefix(text); networkErr == nil {
		return netip.Addr{}, usageError{hint.Wrap(fmt.Errorf("%q is a network, and one address is wanted", text), "csmail scan -i %s shows those in it", text)}
	}
	if err != nil || addr.Zone() != "" {
		advice := "write it like 192.0.2.1 or 2001:db8::1"
		if strings.Contains(text, "@") || !strings.ContainsAny(text, "0123456789") {
			advice = "it looks like a login name: csmail scan --user " + text + " shows who tried it"
		}
		return netip.Addr{}, usageError{hint.Wrap(fmt.Errorf("%q is no address", text), "%s", advice)}
	}
	return addr.Unmap(), nil
}

// oneAddress returns an error for a second address, which would be read as the name of a
// log.
func oneAddress(first string, files []string) error {
	for _, name := range files {
		if _, err := netip.ParseAddr(name); err != nil {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			return usageError{hint.Wrap(fmt.Errorf("two addresses are named, %s and %s", first, name), "ask for one at a time; what follows it are log files")}
		}
	}
	return nil
}

// ask asks the daemon, or reads the logs.
func (o whyOptions) ask(ctx context.Context, j judgement, in reading, addr netip.Addr, files []string, std Streams) (report.Why, error) {
	readsLogs := len(files) > 0 || in.journal || in.journalFile != "" || in.since != "" || len(o.scenarios) > 0
	if !readsLogs {
		why, err := control.NewClient(j.config.Socket).Why(ctx, addr)
		if !errors.Is(err, control.ErrNotRunning) {
			return why, err
		}
	}
	return whyOfLogs(ctx, j, in, addr, files, std)
}

// whyOfLogs reads the logs and keeps the lines and findings about the address.
func whyOfLogs(ctx context.Context, j judgement, in reading, addr netip.Addr, files []string, std Streams) (report.Why, error) {
	j.tells, in.readAs = true, j.config.Sources
	judge := j.engine(j.set, in.scope.Holds)
	var lines []report.Evidence
	var told []report.Alert
	keep := func(findings []engine.Finding) {
		for _, f := range findings {
			if concerns(f, addr) {
				told = append(told, report.AlertOf(f))
			}
		}
	}
	_, err := in.replay(ctx, files, replay.Options{Engine: judge, Result: func(_ string, r *engine.Result) {
		keep(r.Findings)
		if r.Outcome != event.Noted || r.Addr != addr || !in.scope.Holds(&r.Event) {
			return
		}
		if len(lines) == maxLines {
			lines = slices.Delete(lines, 0, 1)
		}
		lines = append(lines, report.EvidenceOf(&r.Event))
	}}, std)
	if err != nil {
		return report.Why{}, err
	}
	keep(judge.Settle(time.Now()))
	why := report.StateOf(judge, addr)
	why.Evidence, why.Alerts = append(why.Evidence, lines...), append(why.Alerts, told...)
	return why, nil
}

// concerns reports whether a finding is about the address or its network.
func concerns(f engine.Finding, addr netip.Addr) bool {
	return engine.Network(f.Alert).Contains(addr) // an account has no network
}

// askLAPI returns the LAPI's alerts and decisions on the address, or why it cannot be
// asked.
func (o whyOptions) askLAPI(ctx context.Context, c config.Config, addr netip.Addr) ([]lapi.Known, error) {
	if o.noLAPI {
		return nil, errors.New("--no-lapi was given")
	}
	credentials, err := lapi.LoadCredentials(c.LAPI.Credentials)
	if err != nil {
		return nil, err
	}
	client, err := lapi.New(credentials, version())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.About(ctx, addr)
}
