package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/geo"
	"csmail/pkg/hint"
	"csmail/pkg/host"
	"csmail/pkg/render"
	"csmail/pkg/render/page"
	"csmail/pkg/replay"
	"csmail/pkg/report/daily"
	"csmail/pkg/report/document"
)

const reportHelp = `Show what a day was like: what needs you, who was banned, who attacked, and the
figures of pflogsumm, with each mail counted once.

  csmail report                      the last 24 hours
  csmail report -d yesterday         a day: today, yesterday or 2026-11-28
  csmail report /var/log/mail.log*   all that is in these files
  csmail report -d yesterday --mail root

Without FILE the journal is read, or /var/log/mail.log or /var/log/maillog.

  -o human  text of 78 columns (default)
  -o html   one page without scripts, for a browser or a mail
  -o json   all figures (docs/report.md explains each)
  -o csv    one figure a row: section, group, key, value

--mail sends text and HTML as one mail and prints nothing; a mail that could not be
sent is an error. --fail-on warn exits with status 3 if there is a finding that bad
or worse; a finding's name stands for itself alone (docs/report.md lists them).`

// exitFindings is the exit status if --fail-on found something.
const exitFindings = 3

// findingsError means that there is a finding that --fail-on names.
type findingsError struct{ error }

// reportOptions are the flags of csmail report.
type reportOptions struct {
	inputOptions
	judgeOptions
	day, output     string
	top             int
	pflogsumm       bool
	mail            []string
	from, smtp      string
	sendmail        string
	failOn          []string
	topSet, sendSet bool
	mailSet         bool
}

// newReport returns csmail report, the daily report. For example:
//
//	csmail report --day yesterday --mail postmaster@example.org
func newReport(std Streams, configPath *string) *cobra.Command {
	var o reportOptions
	c := &cobra.Command{
		Use:   "report [FILE...]",
		Short: "The day: what needs you, bans, and the figures of the mail system",
		Long:  reportHelp,
		RunE: func(c *cobra.Command, args []string) error {
			o.topSet, o.sendSet, o.mailSet = c.Flags().Changed("top"), c.Flags().Changed("sendmail"), c.Flags().Changed("mail")
			return runReport(c.Context(), o, *configPath, args, std)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human, html, json or csv")
	f.StringVarP(&o.day, "day", "d", "", "this calendar day: today, yesterday, or a date like 2026-11-28")
	f.IntVar(&o.top, "top", 10, "how many rows of each list to show, and twice as many attackers; 0: all (json and csv show all unless it is given)")
	f.BoolVar(&o.pflogsumm, "pflogsumm", false, "only pflogsumm's figures in its layout, for scripts that read it")
	f.StringSliceVar(&o.mail, "mail", nil, "send the report to this address instead of printing it; - stands for report.mail.to of the configuration")
	f.StringVar(&o.from, "from", "", "the sender of the mail (default csmail@HOST)")
	f.StringVar(&o.smtp, "smtp", "", "send by this mail server, like localhost:25 (default sendmail)")
	f.StringVar(&o.sendmail, "sendmail", "", "send by this program (default /usr/sbin/sendmail)")
	f.StringSliceVar(&o.failOn, "fail-on", nil, "exit with status 3 on a finding this bad (urgent, warn, note) or of this name; may be repeated")
	o.judgeOptions.addFlags(f)
	o.inputOptions.addFlags(f)
	return c
}

// dailyReport is a checked command line.
type dailyReport struct {
	reportOptions
	judgement
	input reading
	files []string
	now   time.Time
}

// check resolves the flags.
func (o reportOptions) check(ctx context.Context, configPath string, files []string, std Streams, now time.Time) (dailyReport, error) {
	r := dailyReport{reportOptions: o, files: files, now: now}
	if !slices.Contains([]string{"human", "html", "json", "csv"}, o.output) {
		return r, usageError{fmt.Errorf("output format %q not supported: must be one of human, html, json, csv", o.output)}
	}
	if err := o.checkForm(); err != nil {
		return r, usageError{err}
	}
	if o.top < 0 {
		return r, usageError{hint.Wrap(fmt.Errorf("--top %d is negative", o.top), "0 shows all")}
	}
	if o.day != "" && (o.since != "" || o.until != "") {
		return r, usageError{hint.Wrap(fmt.Errorf("--day goes with neither --since nor --until"), "a day begins and ends at midnight")}
	}
	if err := checkFailOn(o.failOn); err != nil {
		return r, usageError{err}
	}
	var err error
	if r.input, err = o.inputOptions.check(files, now); err != nil {
		return r, err
	}
	if err := r.setWindow(files); err != nil {
		return r, usageError{err}
	}
	r.input.mayBeEmpty = true // a report says so, and what to do
	if o.topSet || o.output == "human" || o.output == "html" {
		r.top = o.top
	} else {
		r.top = 0
	}
	if r.judgement, err = o.judgeOptions.check(ctx, configPath, std); err != nil {
		return r, err
	}
	if o.mailSet && len(r.recipients()) == 0 {
		return r, usageError{hint.Wrap(errors.New("--mail - sends to nobody: report.mail.to is empty"), "name an address there, or --mail admin@example.org")}
	}
	return r, nil
}

// checkFailOn returns an error for a name that is no finding.
func checkFailOn(names []string) error {
	for _, name := range names {
		if !slices.Contains([]string{"urgent", "warn", "note"}, name) && !slices.Contains(document.FindingIDs, name) {
			return hint.Wrap(fmt.Errorf("--fail-on %q is no finding", name), "urgent, warn, note, or one of %s", strings.Join(document.FindingIDs, ", "))
		}
	}
	return nil
}

// setWindow takes the day that --day names; without any bound and file it is the last
// 24 hours. A window that begins some hours ago begins with a whole hour, because the
// daemon keeps hours.
func (r *dailyReport) setWindow(files []string) error {
	scope := &r.input.scope
	if r.day == "" {
		if len(files) == 0 && r.journalFile == "" && scope.Since.IsZero() && scope.Until.IsZero() {
			scope.Since = r.now.Add(-24 * time.Hour)
		}
		if _, ok := config.ParseDuration(r.since); ok || r.since == "" && !scope.Since.IsZero() {
			scope.Since = document.HourOf(scope.Since, r.input.zone)
		}
		return nil
	}
	start := document.Midnight(r.now.In(r.input.zone), 0)
	switch r.day {
	case "today":
	case "yesterday":
		start = document.Midnight(start, -1)
	default:
		day, err := document.ParseDay(r.day, r.input.zone)
		if err != nil {
			return hint.Wrap(fmt.Errorf("--day %q is no day", r.day), "today, yesterday, or a date like 2026-11-28")
		}
		start = day
	}
	scope.Since, scope.Until = start, document.Midnight(start, 1)
	return nil
}

// runReport runs the command: it makes the report, prints or mails it, and applies
// --fail-on.
func runReport(ctx context.Context, o reportOptions, configPath string, files []string, std Streams) error {
	start := time.Now()
	r, err := o.check(ctx, configPath, files, std, start)
	if err != nil {
		return err
	}
	d, tally, err := r.document(ctx, files, std)
	if err != nil {
		return err
	}
	if d.Host == "" && len(d.Hosts)+len(files) == 0 && r.journalFile == "" { // nothing was logged, but it is known where
		d.Host = shortHost()
	}
	if len(r.mail) > 0 {
		err = r.send(ctx, d)
	} else {
		err = r.print(std.Out, d)
	}
	if err != nil {
		return err
	}
	if !r.quiet {
		render.Summary(std.Err, summary(tally, fmt.Sprintf("%d findings, %d bans", len(d.Findings), d.Bans.Total), time.Since(start)))
	}
	return r.fail(d)
}

// fail returns the error of --fail-on.
func (r dailyReport) fail(d *document.Document) error {
	order := []string{"urgent", "warn", "note"}
	for _, f := range d.Findings {
		for _, name := range r.failOn {
			level := slices.Index(order, name)
			if name == f.ID || level >= slices.Index(order, string(f.Severity)) && level >= 0 {
				return findingsError{fmt.Errorf("%s: %s", f.ID, f.Title)}
			}
		}
	}
	return nil
}

// collected holds the data that a replay gathers for a report.
type collected struct {
	*document.Window
	bans    *document.BanEffect
	before  pastDays
	logins  *daily.Logins
	tracker *daily.Tracker
	flows   flowsCollected
	places  *geo.Finder
}

// flowsCollected is the part of the data that the lines about the way of mails come to.
// They are counted on a goroutine of their own, so it is apart.
type flowsCollected struct {
	*document.Window
	before pastDays
}

// pastDays are the figures of the days before the window, by date.
type pastDays map[string]*daily.Figures

// place returns country and network operator of an address.
func (c *collected) place(addr netip.Addr) (country, as string) {
	p := c.places.Place(addr)
	return p.Country, p.Network()
}

// newCollected returns an empty collection for the window and the days before it.
func (r dailyReport) newCollected() *collected {
	c := &collected{
		Window: document.NewWindow(r.input.scope), before: pastDays{},
		flows: flowsCollected{document.NewWindow(r.input.scope), pastDays{}},
	}
	c.bans = document.NewBanEffect(time.Duration(r.config.LAPI.Duration), func(at time.Time) *document.Window {
		if c.Holds(at) {
			return c.Window
		}
		return nil
	})
	c.logins = daily.NewLogins(daily.Options{Zone: r.input.zone, At: r.windows(c.Window, c.before)})
	c.tracker = daily.NewTracker(daily.Options{Zone: r.input.zone, At: r.windows(c.flows.Window, c.flows.before)})
	return c
}

// finish completes the data at the end of the logs.
func (c *collected) finish() {
	c.tracker.Finish()
	c.Merge(c.flows.Window)
	for date, figures := range c.flows.before {
		if c.before[date] == nil {
			c.before[date] = figures
			continue
		}
		c.before[date].Merge(figures)
	}
}

// daysBefore is the number of earlier days of the same logs to compare a day with.
const daysBefore = 7

// windows returns a function that chooses the figures for a time: those of the window, or
// of one of the days before it.
func (r dailyReport) windows(w *document.Window, before pastDays) func(time.Time) *daily.Figures {
	scope := r.input.scope
	var since, border time.Time // of the days before
	if !scope.Since.IsZero() {
		border = document.Midnight(scope.Since.In(r.input.zone), 0)
		since = document.Midnight(border, -daysBefore)
	}
	return func(at time.Time) *daily.Figures {
		if !scope.Until.IsZero() && !at.Before(scope.Until) {
			return nil
		}
		if scope.Since.IsZero() || !at.Before(scope.Since) {
			return w.Figures
		}
		if at.Before(since) || !at.Before(border) {
			return nil
		}
		date := at.In(r.input.zone).Format(time.DateOnly)
		if before[date] == nil {
			before[date] = daily.NewFigures()
		}
		return before[date]
	}
}

// document asks the daemon for the report, or makes it from the logs.
func (r dailyReport) document(ctx context.Context, files []string, std Streams) (*document.Document, replay.Tally, error) {
	if d := r.ofDaemon(ctx, files, std); d != nil {
		return d, replay.Tally{Lines: d.Lines}, nil
	}
	return r.make(ctx, files, std)
}

// make replays the logs and composes the report.
func (r dailyReport) make(ctx context.Context, files []string, std Streams) (*document.Document, replay.Tally, error) {
	replay.CollectEarly()
	c := r.newCollected()
	var err error
	if c.places, err = geo.Open(geo.Options{Country: r.config.Geo.Country, ASN: r.config.Geo.ASN}); err != nil {
		return nil, replay.Tally{}, configError{err}
	}
	defer c.places.Close()
	judge := r.engine(r.set, r.input.scope.Holds)
	input := r.input
	input.readAs = r.config.Sources
	if !input.scope.Since.IsZero() { // the journal is read further back, for the days before
		input.scope.Since = input.scope.Since.AddDate(0, 0, -daysBefore)
	}
	tally, err := input.replay(ctx, files, replay.Options{
		Engine: judge,
		Flow: func(line *event.Logged, flow *event.Flow) {
			c.flows.Note(line)
			c.tracker.Add(line, flow)
		},
		Result: func(_ string, result *engine.Result) { c.add(result) },
	}, std)
	if err != nil {
		return nil, tally, err
	}
	c.AddFindings(judge.Settle(r.now))
	judge = nil // which holds a third of the memory of a flood
	replay.Shrink()
	c.finish()
	return document.New(r.documentInput(c, tally)), tally, nil
}

// add adds a result of the engine.
func (c *collected) add(result *engine.Result) {
	c.bans.Add(result)
	c.Add(result)
	if result.Outcome == event.Noted && !result.Folded {
		c.logins.Add(result.Record)
	}
}

// documentInput returns the gathered data in the form of pkg/report/document.
func (r dailyReport) documentInput(c *collected, tally replay.Tally) document.Input {
	c.Lines, c.Missed = tally.Lines, tally.Outcomes[event.Missed]
	in := c.Input()
	in.Generated, in.Zone, in.ZoneName = r.now.In(r.input.zone).Truncate(time.Second), r.input.zone, zoneName(r.input.zone)
	in.Place = c.place
	for _, s := range in.Sources {
		s.Country, s.AS = c.place(s.Addr)
	}
	scope := r.input.scope
	if in.Bounded, in.Files = !scope.Since.IsZero() || !scope.Until.IsZero(), r.files; !scope.Since.IsZero() {
		in.From, in.To = scope.Since, cmp.Or(scope.Until, r.now.Truncate(time.Second))
	}
	for date, figures := range c.before {
		in.Before = append(in.Before, document.DayOf(date, figures))
	}
	slices.SortFunc(in.Before, func(a, b document.Day) int { return strings.Compare(a.Date, b.Date) })
	return in
}

// print prints the report in the form of -o.
func (r dailyReport) print(w io.Writer, d *document.Document) error {
	switch {
	case r.pflogsumm:
		return page.Pflogsumm(w, d, r.top)
	case r.output == "html":
		return page.HTML(w, d, r.top)
	case r.output == "json":
		return page.JSON(w, d)
	case r.output == "csv":
		return page.CSV(w, d, r.top)
	}
	return page.Text(w, d, r.top)
}

// zoneName returns the name of a zone. Go's own name for that of the host is Local.
func zoneName(zone *time.Location) string {
	if zone != time.Local {
		return zone.String()
	}
	return host.ZoneName()
}
