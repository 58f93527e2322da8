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

A line shows time, address, kind, class and user. "(counted before)" is behind one about
an attempt that an earlier line has reported: it counts for nothing.

With -o json each line is an object with at least line, time, service, program,
kind, class, ip (if there is one), user and attempts; "folded": true marks a line
about an attempt that an earlier line has reported, "repeated": true one of
the same refusal as before in the same session. docs/events.md lists the kinds. A
line that no grammar knows prints nothing; the summary on stderr counts it.

With -o crowdsec each line is what a scenario counts once, as the parser
csmail/csmail-events of a CrowdSec agent reads it: offences alone, a line of six
attempts six times, a folded or repeated one not at all.

--follow prints events as they come, from the sources of the configuration or from
the named files (- is stdin), until it is interrupted or nobody reads on. It
begins at the end of the logs; --since reads back first. It keeps no state.`

// eventsOptions are the flags of csmail events.
type eventsOptions struct {
	inputOptions
	output string
	follow bool
}

// newEvents returns csmail events, which prints each event of a log as one line. For
// example:
//
//	csmail events -o json --ip 192.0.2.7 /var/log/mail.log
func newEvents(std Streams, configPath *string) *cobra.Command {
	var o eventsOptions
	c := &cobra.Command{
		Use:   "events [FILE...]",
		Short: "Print every event of a log",
		Long:  eventsHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if o.follow {
				return runFollow(c.Context(), o, *configPath, args, std)
			}
			return runEvents(c.Context(), o, args, std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human, json or crowdsec")
	f.BoolVarP(&o.follow, "follow", "f", false, "print events as they come")
	o.inputOptions.addFlags(f)
	return c
}

// check resolves the flags.
func (o eventsOptions) check(files []string, now time.Time) (reading, error) {
	if o.output != "human" && o.output != "json" && o.output != "crowdsec" {
		return reading{}, usageError{fmt.Errorf("output format %q not supported: must be one of human, json, crowdsec", o.output)}
	}
	return o.inputOptions.check(files, now)
}

// runEvents runs the command over finished logs.
func runEvents(ctx context.Context, o eventsOptions, files []string, std Streams) error {
	in, err := o.check(files, time.Now())
	if err != nil {
		return err
	}
	replay.PrepareHeap()()
	p := newEventPrinter(o, in, std)
	joiner := engine.New(engine.Options{})
	tally, err := in.replay(ctx, files, replay.Options{Engine: joiner, Result: p.print}, std)
	ended := joiner.EndSessions(time.Now())
	p.end(&ended)
	if flushErr := p.flush(); err == nil {
		err = flushErr
	}
	if err != nil {
		return err
	}
	p.summary(tally)
	return nil
}

// eventPrinter prints the events that the flags select and counts them.
type eventPrinter struct {
	options eventsOptions
	in      reading
	std     Streams
	start   time.Time
	out     *render.Events
	events  int
	seen    map[netip.Addr]struct{}
}

// newEventPrinter returns the printer for the form of -o.
func newEventPrinter(o eventsOptions, in reading, std Streams) *eventPrinter {
	return &eventPrinter{
		options: o, in: in, std: std, start: time.Now(), seen: map[netip.Addr]struct{}{},
		out: render.NewEvents(std.Out, render.EventsForm(o.output), in.zone),
	}
}

// print prints one result if it is selected.
func (p *eventPrinter) print(source string, r *engine.Result) {
	if p.options.output == string(render.EventsCrowdSec) {
		p.end(r)
	}
	if r.Outcome != event.Noted || !p.in.scope.Holds(&r.Event) {
		return
	}
	p.events++
	if r.Addr.IsValid() {
		p.seen[r.Addr] = struct{}{}
	}
	p.out.Print(source, *r)
}

// end prints the offences of sessions that have ended without a login.
func (p *eventPrinter) end(r *engine.Result) {
	for i := range r.Released() {
		if p.in.scope.Holds(&r.Released()[i].Record.Event) {
			p.out.PrintReleased(&r.Released()[i].Record)
		}
	}
}

// flush writes the rest and returns the first error of writing.
func (p *eventPrinter) flush() error {
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("writing the events: %w", err)
	}
	return nil
}

// summary writes the counts to the standard error, since the standard output is data.
func (p *eventPrinter) summary(t replay.Tally) {
	if !p.options.quiet {
		render.Summary(p.std.Err, summary(t, eventsFound(p.events, len(p.seen)), time.Since(p.start)))
	}
}
