package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/engine"
	"csmail/pkg/geo"
	"csmail/pkg/guard"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
	"csmail/pkg/render"
	"csmail/pkg/replay"
	"csmail/pkg/report"
)

const scanHelp = `Print one line for each source that did something hostile or suspect, most tries
first: how often it tried, what it did, which login names, when last, and the
verdict with one word for its reason.

Without a FILE the journal is read (facility mail), else /var/log/mail.log or
/var/log/maillog. A FILE may be compressed with gzip, bzip2, xz or zstd; - is stdin.

A try is an attempt of a client, not a line of the log. What is the kind of attempt
that there was most of (docs/events.md). The verdict is ban with the scenario that
found the source; hold with the rule of the guard that keeps it back
(docs/safety.md); alert when the scenario only tells; none otherwise. csmail why IP
FILE shows how a verdict came about.

The first 20 sources are shown: --all shows all, --top 5 five, --wide every kind,
name, time and scenario of them. --user alice shows who tried that login name.
--by user sums up by login name, and network, country, as, day and kind likewise:
the tries, the sources, how many of these are to be banned, and the login names.
Country and network operator (AS) stand there where CrowdSec's GeoLite2 files, or
those of geo in the configuration, are at hand.

  -o raw prints the addresses, one a line, in the byte order of sort(1);
  --count puts the number before each, as uniq -c does.
  -o json prints an array of objects: source, count and hostile (attempts),
  kinds, services, users, first_seen, last_seen, scenarios, verdict (ban, hold,
  alert or none), rule and reason (the guard's), country and as (if they are
  known). With --by: name, tries, sources, banned, users, first_seen, last_seen.
  raw and json have all sources, unless --top says how many.
  -s csmail/auth-bf shows the sources that this scenario found, and its verdict.

A summary goes to stderr: the lines read, the events of all kinds, the sources, and
the lines of known daemons that no grammar matched (missed). --push tells CrowdSec
of all sources whose verdict is ban. See csmail --help for the exit statuses.`

// scanOptions are the flags of csmail scan.
type scanOptions struct {
	inputOptions
	judgeOptions
	only                  scenarioFilter
	output                string
	count, banned, missed bool
	shown                 shownOptions
	push                  pushOptions
}

// newScan returns csmail scan, which lists the sources that attacked. For example:
//
//	csmail scan --since 24h --top 50 /var/log/mail.log
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
	f.BoolVar(&o.missed, "missed", false, "print the lines that no grammar matched, or two readings fit, instead of the sources")
	o.shown.addFlags(f)
	o.judgeOptions.addFlags(f)
	o.only.addFlags(f)
	o.inputOptions.addFlags(f)
	o.push.addFlags(f)
	return c
}

// scan is a checked command line.
type scan struct {
	scanOptions
	judgement
	input  reading
	client *lapi.Client // only for --push
	places *geo.Finder  // nil: without geo files
}

// check resolves the flags.
func (o scanOptions) check(ctx context.Context, configPath string, files []string, std Streams, now time.Time) (scan, error) {
	s := scan{scanOptions: o}
	var err error
	switch {
	case o.output != "human" && o.output != "json" && o.output != "raw":
		return s, usageError{fmt.Errorf("output format %q not supported: must be one of human, json, raw", o.output)}
	case o.count && o.output != "raw":
		return s, usageError{hint.Wrap(fmt.Errorf("--count goes with -o raw"), "the other formats show the count anyway")}
	}
	if err = o.shown.check(); err != nil {
		return s, err
	}
	if s.input, err = o.inputOptions.check(files, now); err != nil {
		return s, err
	}
	if err = o.push.check(); err != nil {
		return s, err
	}
	if s.judgement, err = o.judgeOptions.check(ctx, configPath, std); err != nil {
		return s, err
	}
	s.input.sources, s.input.readAs = s.judgement.config.Sources, s.judgement.config.Sources
	if s.only, err = o.only.check(s.set); err != nil {
		return s, err
	}
	if s.tells = o.push.on; s.tells {
		s.client, err = s.newClient()
	}
	return s, err
}

// runScan runs the command: it replays the logs, prints one row a source, and pushes bans
// if asked.
func runScan(ctx context.Context, o scanOptions, configPath string, files []string, std Streams) error {
	start := time.Now()
	s, err := o.check(ctx, configPath, files, std, start)
	if err != nil {
		return err
	}
	if s.places, err = openPlaces(s.config); err != nil {
		return err
	}
	defer s.places.Close()
	if s.wantsOnlyAddresses() {
		return s.listAddresses(ctx, files, std, start)
	}
	collector := report.NewCollector(s.input.scope)
	collector.Seek(s.shown.user)
	if o.push.on {
		collector.KeepEvidence()
	}
	groups, err := s.groups(s.places)
	if err != nil {
		return err
	}
	judge := s.engine(s.set, s.input.scope.Holds)
	tally, err := s.replay(ctx, files, judge, func(r *engine.Result) {
		collector.Add(r)
		if groups != nil {
			groups.Add(r)
		}
	}, std)
	if err != nil {
		return err
	}
	collector.AddFindings(s.only.keep(judge.Settle(time.Now())))
	sources := collector.Sources()
	if !o.missed {
		if err := s.print(sources, groups, collector.BreakIns(), std); err != nil {
			return fmt.Errorf("writing the result: %w", err)
		}
	}
	s.summarize(tally, collector.Events(), len(sources), judge, std, start)
	if !o.push.on {
		return nil
	}
	return s.pushBans(ctx, collector.Findings(), std)
}

// wantsOnlyAddresses reports whether nothing is asked about the sources but how often
// each tried.
func (s scan) wantsOnlyAddresses() bool {
	return s.output == "raw" && !s.missed && !s.banned && !s.push.on && len(s.only) == 0 && s.shown.top == 0 && s.shown.user == "" && s.shown.by == ""
}

// listAddresses replays the logs and prints the addresses. It keeps no rows: those of a
// flood take more time and memory than all else that is known of its sources.
func (s scan) listAddresses(ctx context.Context, files []string, std Streams, start time.Time) error {
	counter := report.NewCounter(s.input.scope)
	judge := s.engine(s.set, s.input.scope.Holds)
	tally, err := s.replay(ctx, files, judge, counter.Add, std)
	if err != nil {
		return err
	}
	judge.Settle(time.Now())
	if err := render.Raw(std.Out, counter.All, counter.Len(), s.count); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	s.summarize(tally, counter.Events(), counter.Len(), judge, std, start)
	return nil
}

// summarize writes the summary of a replay.
func (s scan) summarize(tally replay.Tally, events, sources int, judge *engine.Engine, std Streams, start time.Time) {
	if s.quiet {
		return
	}
	totals := summary(tally, eventsFound(events, sources), time.Since(start))
	totals.Counting = judge.Counting()
	render.Summary(std.Err, totals)
}

// replay reads the logs through the engine.
func (s scan) replay(ctx context.Context, files []string, judge *engine.Engine, add func(*engine.Result), std Streams) (replay.Tally, error) {
	var writeErr error
	options := replay.Options{Engine: judge, Result: func(_ string, r *engine.Result) {
		r.Findings = s.only.keep(r.Findings)
		add(r)
	}}
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

// print prints the sources or groups in the form of -o.
func (s scan) print(sources []*report.Source, groups *report.Groups, breakIns []report.BreakIn, std Streams) error {
	isBanned := func(r *report.Source) bool { return r.Verdict.Action == guard.Ban }
	sources = slices.DeleteFunc(slices.Clone(sources), func(r *report.Source) bool {
		return s.banned && !isBanned(r) || len(s.only) > 0 && len(r.Scenarios) == 0 || s.shown.user != "" && !r.Tried()
	})
	if groups != nil {
		return s.printGroups(std, groups.Of(sources, isBanned), breakIns)
	}
	for _, r := range sources {
		place := s.places.Place(r.Addr)
		r.Country, r.AS = place.Country, place.Network()
	}
	sources = render.Sort(sources, render.Order(s.shown.sort))
	if s.output == "human" {
		return render.Sources(std.Out, sources, render.Overview{
			Top: s.shown.rows(), Zone: s.input.zone, Wide: s.shown.wide, BreakIns: breakIns,
		}, std.screen())
	}
	if n := s.shown.top; n > 0 && n < len(sources) {
		sources = sources[:n]
	}
	if s.output == "raw" {
		return render.Raw(std.Out, report.Tries(sources), len(sources), s.count)
	}
	return render.JSON(std.Out, sources)
}
