package cli

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/render"
	"csmail/pkg/replay"
	"csmail/pkg/report"
)

const eventsHelp = `Read mail logs and print every event, one a line, in the order of the log.

With -o json each line is an object with at least line, time, service, program,
kind, class, ip (if there is one), user and attempts; "folded": true marks a line
that tells of an attempt that an earlier line has told. docs/events.md lists the
kinds. A line that no grammar knows prints nothing; the summary on stderr counts
it.`

func newEvents(std Streams, configPath *string) *cobra.Command {
	var o scanOptions
	c := &cobra.Command{
		Use:   "events [FILE...]",
		Short: "Print every event of a log",
		Long:  eventsHelp,
		RunE: func(c *cobra.Command, args []string) error {
			return runEvents(c.Context(), o, *configPath, args, std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human or json")
	o.addInputFlags(f)
	return c
}

func runEvents(ctx context.Context, o scanOptions, configPath string, files []string, std Streams) error {
	start := time.Now()
	o.threshold = 1
	if o.output == "raw" {
		return usageError{fmt.Errorf("output format %q not supported: must be one of human, json", o.output)}
	}
	s, err := o.check(configPath, files, start)
	if err != nil {
		return err
	}
	sources, err := s.open(ctx, files, std)
	if err != nil {
		return err
	}
	scope := report.Scope{Since: s.since, Until: s.until, Only: s.only}
	out := render.NewEvents(std.Out, o.output == "human", s.zone)
	events, seen := 0, make(map[netip.Addr]struct{})
	tally, err := replay.Run(ctx, sources, replay.Options{Zone: s.zone, Result: func(source string, r engine.Result) {
		if r.Outcome == event.Noted && scope.Holds(&r.Event) {
			events++
			seen[r.Addr] = struct{}{}
			out.Print(source, r)
		}
	}})
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("writing the events: %w", flushErr)
	}
	if err != nil {
		return err
	}
	delete(seen, netip.Addr{})
	if !o.quiet {
		render.Summary(std.Err, summary(tally, events, len(seen), time.Since(start)))
	}
	return nil
}
