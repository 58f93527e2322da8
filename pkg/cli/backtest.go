package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/hint"
	"csmail/pkg/render"
	"csmail/pkg/replay"
	"csmail/pkg/report"
	"csmail/pkg/scenario"
)

const backtestHelp = `Read the logs of days or weeks and tell what csmail run would have done: who
would have been banned, by which scenario and how soon, what the guard would have
held and why, how many offences the bans would have prevented, and which of the
banned later logged in or brought mail that was accepted.

  csmail backtest /var/log/mail.log*
  csmail backtest --scenarios strict --against balanced /var/log/mail.log*

The rows of the table, a column for each set of scenarios:

  Bans                  how often somebody who was not banned would have been;
                        "more while banned" are further findings during a ban
  Held by the guard     findings that it would have kept back
  Alerts without a ban  findings of scenarios that only tell
  Offences              attempts of hostile and suspect kinds (docs/events.md)
  of these prevented    those that came while their source was banned
  First offence to ban  how long that took, with what the guard waited for
                        evidence: a ban begins with its verdict
  Banned, later honest  banned sources that logged in, or whose mail was
                        accepted, afterwards; a table below names each

-o json prints {"alerts": [...], "outcome": {...}}; the alerts are in the order of
their verdicts, each with scenario, scope, value, start_at and stop_at (the first and
the last event), events_count, remediation, verdict (ban, alert or hold), the guard's
rule and reason, message, and verdict_at.`

// backtestOptions are the flags of csmail backtest.
type backtestOptions struct {
	inputOptions
	judgeOptions
	only    scenarioFilter
	output  string
	against []string
	ban     string
}

// newBacktest returns csmail backtest, which judges old logs as the daemon would have,
// and shows which of the banned sources later logged in or delivered mail. For example:
//
//	csmail backtest --scenarios strict --against balanced /var/log/mail.log*
func newBacktest(std Streams, configPath *string) *cobra.Command {
	var o backtestOptions
	c := &cobra.Command{
		Use:   "backtest [FILE...]",
		Short: "What would have been banned",
		Long:  backtestHelp,
		RunE: func(c *cobra.Command, args []string) error {
			return runBacktest(c.Context(), o, *configPath, args, std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human or json")
	o.judgeOptions.addFlags(f)
	o.only.addFlags(f)
	f.StringSliceVar(&o.against, "against", nil, "judge by these scenarios as well, and show both side by side")
	f.StringVar(&o.ban, "ban", "", "how long a ban lasts (default lapi.duration of the configuration)")
	o.inputOptions.addFlags(f)
	return c
}

// backtest is a checked command line.
type backtest struct {
	backtestOptions
	judgement
	input    reading
	other    *scenario.Set // nil without --against
	duration time.Duration
}

// check resolves the flags against configuration and host, before any log is read. now is
// the time from which relative times such as --since 24h count.
func (o backtestOptions) check(ctx context.Context, configPath string, files []string, std Streams, now time.Time) (backtest, error) {
	b := backtest{backtestOptions: o}
	var err error
	if o.output != "human" && o.output != "json" {
		return b, usageError{fmt.Errorf("output format %q not supported: must be one of human, json", o.output)}
	}
	if b.input, err = o.inputOptions.check(files, now); err != nil {
		return b, err
	}
	if b.judgement, err = o.judgeOptions.check(ctx, configPath, std); err != nil {
		return b, err
	}
	b.input.sources, b.input.readAs = b.judgement.config.Sources, b.judgement.config.Sources
	if len(o.against) > 0 {
		if b.other, err = detect.Load(o.against); err != nil {
			return b, usageError{err}
		}
	}
	sets := []*scenario.Set{b.set}
	if b.other != nil {
		sets = append(sets, b.other)
	}
	if b.only, err = o.only.check(sets...); err != nil {
		return b, err
	}
	b.duration = time.Duration(b.config.LAPI.Duration)
	if o.ban == "" {
		return b, nil
	}
	d, ok := config.ParseDuration(o.ban)
	if !ok || d <= 0 {
		return b, usageError{hint.Wrap(fmt.Errorf("--ban %q is no duration", o.ban), "give it like 4h or 7d")}
	}
	b.duration = d
	return b, nil
}

// runBacktest runs the command. It needs no cobra types, so that tests can call it.
func runBacktest(ctx context.Context, o backtestOptions, configPath string, files []string, std Streams) error {
	start := time.Now()
	b, err := o.check(ctx, configPath, files, std, start)
	if err != nil {
		return err
	}
	var alerts *render.Alerts
	show := func([]engine.Finding) {}
	if b.output == "json" {
		alerts = render.NewAlerts(std.Out)
		show = alerts.Print
	}
	judge := b.engine(b.set, b.input.scope.Holds)
	outcome, against, tally, err := b.run(ctx, files, judge, show, std)
	if err != nil {
		return err
	}
	if alerts != nil {
		err = alerts.Close(outcome, against)
	} else {
		err = b.print(std, outcome, against)
	}
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	if !o.quiet {
		totals := summary(tally, fmt.Sprintf("%d offences, %d bans", outcome.Offences, outcome.Bans), time.Since(start))
		totals.Counting = judge.Counting()
		render.Summary(std.Err, totals)
	}
	return nil
}

// print shows the result to a person.
func (b backtest) print(std Streams, outcome report.Outcome, against *report.Outcome) error {
	these := render.Judged{By: strings.Join(b.names, ", "), Outcome: outcome}
	var others *render.Judged
	if against != nil {
		others = &render.Judged{By: strings.Join(b.against, ", "), Outcome: *against}
	}
	return render.Backtest(std.Out, these, others, b.input.zone, std.screen())
}

// run judges the log by the scenarios and, if there are others, by those too.
func (b backtest) run(ctx context.Context, files []string, judge *engine.Engine, show func([]engine.Finding), std Streams) (report.Outcome, *report.Outcome, replay.Tally, error) {
	test := report.NewBacktest(b.input.scope, b.duration)
	var otherJudge *engine.Engine
	var otherTest *report.Backtest
	if b.other != nil {
		otherJudge, otherTest = b.engine(b.other, b.input.scope.Holds), report.NewBacktest(b.input.scope, b.duration)
	}
	tally, err := b.input.replay(ctx, files, replay.Options{Engine: judge, Result: func(_ string, r *engine.Result) {
		findings := b.only.keep(r.Findings)
		show(findings)
		test.Add(*r, findings)
		if otherTest != nil {
			otherTest.Add(*r, b.only.keep(otherJudge.Judge(*r)))
		}
	}}, std)
	if err != nil {
		return report.Outcome{}, nil, tally, err
	}
	asked := time.Now()
	ended := judge.EndSessions(asked)
	if otherTest != nil {
		otherTest.AddFindings(b.only.keep(otherJudge.Judge(ended)))
	}
	last := append(b.only.keep(ended.Findings), b.only.keep(judge.Settle(asked))...)
	show(last)
	test.AddFindings(last)
	if otherTest == nil {
		return test.Outcome(), nil, tally, nil
	}
	otherTest.AddFindings(b.only.keep(otherJudge.Settle(asked)))
	against := otherTest.Outcome()
	return test.Outcome(), &against, tally, nil
}
