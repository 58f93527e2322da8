package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/guard"
	"csmail/pkg/hint"
	"csmail/pkg/host"
	"csmail/pkg/lapi"
	"csmail/pkg/render"
	"csmail/pkg/replay"
	"csmail/pkg/report"
)

const scanHelp = `Read mail logs and print one row for each source that did something hostile or
suspect: how often, what, which users it tried, when, and what csmail makes of it.

Without a FILE the journal is read (facility mail), else /var/log/mail.log or
/var/log/maillog. A FILE may be compressed with gzip, bzip2, xz or zstd; - is stdin.

VERDICT is ban from --threshold hostile events on, hold when there is a reason
not to ban, none otherwise. Suspect events are counted but never lead to a ban.
Failed logins do not count on an account that the same source also logged in to.

  -o raw prints the addresses, one a line, in the byte order of sort(1);
  --count puts the number before each, as uniq -c does.

A summary goes to stderr. --push tells CrowdSec of the sources whose verdict is
ban. See csmail --help for the exit statuses.`

type scanOptions struct {
	inputOptions
	output                string
	count, banned, missed bool
	threshold             int
	push                  pushOptions
}

func newScan(std Streams, configPath *string) *cobra.Command {
	var o scanOptions
	c := &cobra.Command{
		Use:   "scan [FILE...]",
		Short: "Find who attacked",
		Long:  scanHelp,
		RunE: func(c *cobra.Command, args []string) error {
			return runScan(c.Context(), o, *configPath, args, std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human, json or raw")
	f.BoolVar(&o.count, "count", false, "with -o raw: print the number of events before each address")
	f.BoolVar(&o.banned, "banned", false, "only the sources whose verdict is ban")
	f.IntVar(&o.threshold, "threshold", 3, "how many hostile events make a ban")
	f.BoolVar(&o.missed, "missed", false, "print the lines of known daemons that no grammar matched, instead of the sources")
	o.inputOptions.addFlags(f)
	o.push.addFlags(f)
	return c
}

// scan is a checked command line.
type scan struct {
	scanOptions
	input  input
	config config.Config
	client *lapi.Client // only to push
}

func (o scanOptions) check(configPath string, files []string, now time.Time) (scan, error) {
	s := scan{scanOptions: o}
	var err error
	switch {
	case o.output != "human" && o.output != "json" && o.output != "raw":
		return s, usageError{fmt.Errorf("output format %q not supported: must be one of human, json, raw", o.output)}
	case o.count && o.output != "raw":
		return s, usageError{hint.Wrap(fmt.Errorf("--count goes with -o raw"), "the other formats show the count anyway")}
	case o.threshold < 1:
		return s, usageError{fmt.Errorf("--threshold %d: must be at least 1", o.threshold)}
	}
	if s.input, err = o.inputOptions.check(files, now); err != nil {
		return s, err
	}
	if err = o.push.check(); err != nil {
		return s, err
	}
	if s.config, err = config.Load(configPath); err != nil {
		return s, configError{err}
	}
	if o.push.on {
		s.client, err = s.newClient()
	}
	return s, err
}

func runScan(ctx context.Context, o scanOptions, configPath string, files []string, std Streams) error {
	start := time.Now()
	s, err := o.check(configPath, files, start)
	if err != nil {
		return err
	}
	scope := s.input.scope
	scope.Evidence = o.push.on
	collector := report.NewCollector(scope)
	tally, err := s.replay(ctx, files, collector, std)
	if err != nil {
		return err
	}
	found := collector.Sources()
	watch, err := s.guard(ctx, found, std)
	if err != nil {
		return err
	}
	rows := s.judge(found, watch)
	if !o.missed {
		if err := s.print(rows, std); err != nil {
			return fmt.Errorf("writing the result: %w", err)
		}
	}
	if !o.quiet {
		render.Summary(std.Err, summary(tally, collector.Events(), len(rows), time.Since(start)))
	}
	if !o.push.on {
		return nil
	}
	return s.pushBans(ctx, rows, std)
}

// guard gathers what is known about this host, if any source could be banned at
// all. Parts of mynetworks that cannot be read are told, since an address in
// them could be banned.
func (s scan) guard(ctx context.Context, found []*report.Source, std Streams) (*guard.Guard, error) {
	if !slices.ContainsFunc(found, func(r *report.Source) bool { return r.Hostile >= s.threshold }) {
		return guard.New(guard.Facts{}), nil
	}
	own, err := host.Addresses()
	if err != nil {
		return nil, err
	}
	networks, skipped, err := host.MyNetworks(ctx)
	if err != nil {
		fmt.Fprintf(std.Err, "csmail: warning: %v\n", err)
	}
	for _, word := range skipped {
		fmt.Fprintf(std.Err, "csmail: warning: mynetworks holds %q, which csmail does not look into; list its networks in guard.allow\n", word)
	}
	return guard.New(guard.Facts{
		Own:        own,
		MyNetworks: networks,
		Allow:      config.Prefixes(s.config.Guard.Allow),
		Relays:     config.Prefixes(s.config.Guard.Relays),
	}), nil
}

func (s scan) replay(ctx context.Context, files []string, c *report.Collector, std Streams) (replay.Tally, error) {
	var writeErr error
	options := replay.Options{Result: func(_ string, r engine.Result) { c.Add(r) }}
	if s.missed {
		options.Missed = func(line string) {
			if _, err := fmt.Fprintln(std.Out, render.Printable(line)); err != nil && writeErr == nil {
				writeErr = fmt.Errorf("writing the lines: %w", err)
			}
		}
	}
	tally, err := s.input.replay(ctx, files, options, std)
	return tally, cmp.Or(err, writeErr)
}

func (s scan) judge(sources []*report.Source, g *guard.Guard) []render.Row {
	var rows []render.Row
	for _, source := range sources {
		rows = append(rows, render.Row{Source: source, Verdict: g.Judge(source.Conduct(), s.threshold)})
	}
	return rows
}

func (s scan) print(rows []render.Row, std Streams) error {
	if s.banned {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r render.Row) bool { return r.Verdict.Action != guard.Ban })
	}
	switch s.output {
	case "json":
		return render.JSON(std.Out, rows)
	case "raw":
		return render.Raw(std.Out, rows, s.count)
	}
	return render.Table(std.Out, rows, s.input.zone, isTerminal(std.Out))
}
