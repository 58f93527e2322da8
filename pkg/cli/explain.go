package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/bucket"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/logline"
	"csmail/pkg/render"
	"csmail/pkg/replay"
	"csmail/pkg/report"
)

const explainHelp = `Show the way of each line through every stage: its header, the grammar that read it
and what was taken from which byte, whether it counts or is about an attempt that
an earlier line reported, where each scenario stands after it, and, when one
overflows, what the guard looked at and said.

  csmail explain -l 'Jun  3 04:11:09 mail postfix/smtpd[42]: warning: ...'
  csmail explain -i 203.0.113.7 /var/log/mail.log

With -i only the lines of that address or network are printed; the others are
read all the same, since sessions and the guard need them.`

// explainOptions are the flags of csmail explain.
type explainOptions struct {
	inputOptions
	judgeOptions
	line string
}

// newExplain returns csmail explain, which shows the way of a line through every stage.
// For example:
//
//	csmail explain -l "Jun  3 04:11:09 mx1 postfix/smtpd[42]: …"
func newExplain(std Streams, configPath *string) *cobra.Command {
	var o explainOptions
	c := &cobra.Command{
		Use:   "explain [-l LINE] [FILE...]",
		Short: "Show the way of a line through every stage",
		Long:  explainHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("line") && o.line == "" {
				return usageError{hint.Wrap(errors.New("--line is empty"), "put the line in single quotes")}
			}
			return runExplain(c.Context(), o, *configPath, args, std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.line, "line", "l", "", "explain this line")
	o.judgeOptions.addFlags(f)
	o.inputOptions.addFlags(f)
	return c
}

// runExplain runs the command over a given line or over logs.
func runExplain(ctx context.Context, o explainOptions, configPath string, files []string, std Streams) error {
	if o.line != "" && len(files) > 0 {
		return usageError{hint.Wrap(fmt.Errorf("both --line and files are named"), "explain one or the other")}
	}
	now := time.Now()
	in, err := o.inputOptions.check(files, now)
	if err != nil {
		return err
	}
	judge, err := o.judgeOptions.check(ctx, configPath, std)
	if err != nil {
		return err
	}
	judge.tells, in.readAs = true, judge.config.Sources
	counted := report.Scope{Since: in.scope.Since, Until: in.scope.Until} // the neighbours count for their network
	w := &walk{
		engine: judge.engine(judge.set, counted.Holds), only: in.scope.Only,
		out: render.NewExplanation(std.Out, in.zone, isTerminal(std.Out)),
	}
	if o.line != "" {
		w.text(o.line, now, in)
	} else if _, err := in.replay(ctx, files, replay.Options{Engine: w.engine, Line: w.show}, std); err != nil {
		return err
	}
	w.settle()
	if err := w.out.Err(); err != nil {
		return fmt.Errorf("writing the explanation: %w", err)
	}
	if w.shown == 0 && len(w.only) > 0 && !o.quiet {
		fmt.Fprintf(std.Err, "no line is about %s\n", strings.Join(o.ips, " or "))
	}
	return nil
}

// walk shows lines on their way through every stage.
type walk struct {
	engine *engine.Engine
	only   []netip.Prefix
	shown  int
	out    *render.Explanation
}

// text takes the lines of -l, which may be any text.
func (w *walk) text(text string, now time.Time, in reading) {
	reader := engine.Reader{Line: logline.Line{Received: now, Read: now, Zone: in.zone, Reading: in.lines}}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		var record event.Record
		reader.Next(line, &record)
		trace := engine.Follow(reader.Line)
		var result engine.Result
		if record.Outcome >= event.Witness {
			result = w.engine.Step(&record)
		}
		w.show("", trace, result)
	}
}

// show prints a line that was selected.
func (w *walk) show(source string, t engine.Trace, r engine.Result) {
	if w.shows(t, r) {
		w.shown++
		w.out.Step(render.Step{Source: source, Number: t.Line.Number, Trace: t, Result: r, Levels: w.levels(r.Record)})
	}
}

// levels returns the buckets that a record touches.
func (w *walk) levels(r *event.Record) []bucket.Level {
	if r == nil || r.Outcome != event.Noted || !r.Addr.IsValid() {
		return nil
	}
	return w.engine.Buckets().Levels(&r.Event)
}

// shows reports whether a line is selected.
func (w *walk) shows(t engine.Trace, r engine.Result) bool {
	if len(w.only) == 0 || t.Record.Addr.IsValid() && holds(w.only, t.Record.Addr) {
		return true
	}
	if r.Record != nil && r.Addr.IsValid() && holds(w.only, r.Addr) {
		return true
	}
	return slices.ContainsFunc(r.Findings, w.isAsked)
}

// isAsked reports whether a finding is about a selected address, or about a network that
// holds one.
func (w *walk) isAsked(f engine.Finding) bool {
	return slices.ContainsFunc(w.only, engine.Network(f.Alert).Overlaps) // an account has no network
}

// holds reports whether one of the networks holds the address.
func holds(networks []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// settle prints the findings that come at the end of the log.
func (w *walk) settle() {
	findings := slices.Clone(w.engine.Settle(time.Now()))
	if len(w.only) > 0 {
		findings = slices.DeleteFunc(findings, func(f engine.Finding) bool { return !w.isAsked(f) })
	}
	w.out.Findings(findings)
}
