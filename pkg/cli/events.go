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
)

const eventsHelp = `Read mail logs and print every event, one a line, in the order of the log.

With -o json each line is an object with at least line, time, service, program,
kind, class, ip (if there is one), user and attempts; "folded": true marks a line
that tells of an attempt that an earlier line has told. docs/events.md lists the
kinds. A line that no grammar knows prints nothing; the summary on stderr counts
it.`

type eventsOptions struct {
	inputOptions
	output string
}

func newEvents(std Streams) *cobra.Command {
	var o eventsOptions
	c := &cobra.Command{
		Use:   "events [FILE...]",
		Short: "Print every event of a log",
		Long:  eventsHelp,
		RunE:  func(c *cobra.Command, args []string) error { return runEvents(c.Context(), o, args, std) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human or json")
	o.inputOptions.addFlags(f)
	return c
}

func runEvents(ctx context.Context, o eventsOptions, files []string, std Streams) error {
	start := time.Now()
	if o.output != "human" && o.output != "json" {
		return usageError{fmt.Errorf("output format %q not supported: must be one of human, json", o.output)}
	}
	in, err := o.inputOptions.check(files, start)
	if err != nil {
		return err
	}
	out := render.NewEvents(std.Out, o.output == "human", in.zone)
	events, seen := 0, make(map[netip.Addr]struct{})
	tally, err := in.replay(ctx, files, replay.Options{Result: func(source string, r engine.Result) {
		if r.Outcome == event.Noted && in.scope.Holds(&r.Event) {
			events++
			seen[r.Addr] = struct{}{}
			out.Print(source, r)
		}
	}}, std)
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
