package page

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"csmail/pkg/report/document"
)

// width is the longest line of the text. It fits a terminal, also if the mail is quoted
// once.
const width = 78

// Text writes the report for a person. Lists show their first top rows, all if top is 0.
func Text(w io.Writer, d *document.Document, top int) error {
	p := &printer{out: bufio.NewWriter(w), top: top, short: top > 0 && (isQuiet(d) || d.IsEmpty())}
	if p.short {
		p.top = min(top, shortTop)
	}
	p.head(d)
	p.findings(d)
	p.comparison(d)
	p.bans(d)
	p.holds(d)
	p.attackers(d)
	p.logins(d)
	p.accounts(d)
	p.pflogsumm(d)
	p.foot(d)
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// Pflogsumm writes only pflogsumm's sections, in its layout, for scripts that read it.
func Pflogsumm(w io.Writer, d *document.Document, top int) error {
	p := &printer{out: bufio.NewWriter(w), top: top, alone: true}
	if d.From.Equal(document.Midnight(d.From, 0)) && d.To.Equal(document.Midnight(d.From, 1)) { // as with pflogsumm -d
		p.line("Postfix log summaries for %s", d.From.Format("Jan _2"))
	}
	p.pflogsumm(d)
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// printer writes sections and remembers the empty ones. Its writer keeps the first error.
type printer struct {
	out   *bufio.Writer
	top   int
	short bool // it was a quiet day, whose report is one screen
	alone bool // pflogsumm's sections alone, in its layout
	empty []string
}

// shortTop is how many rows of each list the report of a quiet day shows.
const shortTop = 3

// isQuiet reports whether nothing was the matter on a day.
func isQuiet(d *document.Document) bool {
	return d.Status == "quiet" && d.Bans.Total+d.Holds.Total+d.Bounced+d.Deferred == 0 && d.Rejected < 10 && d.Errors.Total+d.Fatals.Total+d.Panics.Total == 0
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// section begins a section.
func (p *printer) section(title string) {
	p.line("\n%s\n%s", title, strings.Repeat("-", len([]rune(title))))
}

// counted begins a section with a list of n items, of which it shows some.
func (p *printer) counted(title string, n int) {
	if p.alone {
		p.section(title + note(p.top > 0, " (top %d)", p.top))
		return
	}
	p.ofTop(title, n, p.top)
}

// ofTop begins a list of n entries, of which the first are shown; 0: all.
func (p *printer) ofTop(title string, n, top int) {
	if top > 0 && n > top {
		p.section(fmt.Sprintf("%s (top %d of %d)", title, top, n))
		return
	}
	p.section(fmt.Sprintf("%s (%d)", title, n))
}

// ranked begins a list of senders or recipients, in whose title pflogsumm puts the number
// of rows first.
func (p *printer) ranked(title string, n int) {
	if p.alone && p.top > 0 {
		p.section(fmt.Sprintf("top %d %s", p.top, title))
		return
	}
	p.counted(title, n)
}

// none notes that a section is empty. pflogsumm says so in its place.
func (p *printer) none(title string) {
	if p.alone {
		p.line("\n%s: none", title)
		return
	}
	p.empty = append(p.empty, title)
}

func (p *printer) more(indent string, n int) {
	if n > 0 {
		p.line("%sand %d more", indent, n)
	}
}

// wrap writes a text in lines of at most the width.
func (p *printer) wrap(first, rest, text string) {
	line := first
	empty := true
	for _, word := range strings.Fields(plain(text)) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > width {
			p.line("%s", line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	p.line("%s", line)
}

// head writes the title and the window of the report.
func (p *printer) head(d *document.Document) {
	p.line("csmail report for %s", clip(d.Title(), 60))
	p.line("%s", d.Period())
	p.line("")
	p.line("%s.", capital(needs(d)))
	p.line("%d banned, %d held back; %s; %s received, %d delivered.", d.Bans.Total, d.Holds.Total, plural(d.Rejected, "refusal"), plural(d.Received, "mail"), d.Delivered)
}

// plural writes a number and a word. For example: "1 mail", "2 mails".
func plural(n int, word string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(word, "s"):
		word += "es"
	default:
		word += "s"
	}
	return fmt.Sprintf("%d %s", n, word)
}

const (
	// maxSame is how many findings of one name are shown: an attack on a thousand accounts
	// must not hide the rest of the day.
	maxSame = 5
	// maxTitle, maxDetail and maxAdvice bound what a client's name can take up.
	maxTitle, maxDetail, maxAdvice = 200, 400, 300
)

// shown are the findings that a person is shown: of many with one name the first, and how
// many more there are. A command that was cut would not do what it says, so one that is
// too long is replaced by one that shows all.
func shown(d *document.Document) []document.Finding {
	findings := d.Findings
	counts := map[string]int{}
	for _, f := range findings {
		counts[f.ID]++
	}
	var out []document.Finding
	seen := map[string]int{}
	for _, f := range findings {
		seen[f.ID]++
		if len(f.Advice) > maxAdvice {
			f.Advice = d.Command("-o json")
		}
		switch n := seen[f.ID]; {
		case n <= maxSame:
			out = append(out, f)
		case n == maxSame+1:
			out = append(out, document.Finding{
				ID: f.ID, Severity: f.Severity, Title: fmt.Sprintf("%d more like these (%s)", counts[f.ID]-maxSame, f.ID), Detail: "All of them are in the JSON.", Advice: d.Command("-o json"),
			})
		}
	}
	return out
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// findings writes the findings that need a person.
func (p *printer) findings(d *document.Document) {
	if len(d.Findings) == 0 {
		return
	}
	p.section("What needs you")
	for i, f := range shown(d) {
		mark := fmt.Sprintf("%2d. ", i+1)
		switch f.Severity {
		case document.Urgent:
			mark = fmt.Sprintf("%2d! ", i+1)
		case document.Note:
			mark = " -  "
		}
		p.wrap(mark, "    ", clip(f.Title, maxTitle))
		if !f.Since.IsZero() {
			p.line("    %s", span(d, f))
		}
		p.wrap("    ", "    ", clip(f.Detail, maxDetail))
		if f.Advice != "" {
			p.line("    > %s", plain(f.Advice))
		}
	}
}

// span writes the time of a finding.
func span(d *document.Document, f document.Finding) string {
	const form = "2 Jan 15:04"
	since, until := f.Since.In(d.Zone()), f.Until.In(d.Zone())
	if until.Sub(since) < 60e9 {
		return "at " + since.Format(form)
	}
	if since.YearDay() == until.YearDay() {
		return since.Format(form) + " to " + until.Format("15:04")
	}
	return since.Format(form) + " to " + until.Format(form)
}

// comparison writes the figures that differ from earlier days.
func (p *printer) comparison(d *document.Document) {
	rows := d.Comparison()
	if len(rows) == 0 {
		return
	}
	p.section("At a glance")
	p.line("%32s%10s%9s", "day", "before", "mean")
	for _, r := range rows {
		p.line("%s", strings.TrimRight(fmt.Sprintf("  %-20s%10d%10d%9d  %s", r.Name, r.Day, r.Before, r.Mean, r.Note), " "))
	}
}

// bans writes the bans.
func (p *printer) bans(d *document.Document) {
	if d.Bans.Total == 0 {
		p.empty = append(p.empty, "Banned")
		return
	}
	p.section(fmt.Sprintf("Banned (%d)", d.Bans.Total))
	for _, name := range d.Bans.ScenariosByCount() {
		p.line("%8d  %s", d.Bans.ByScenario[name], name)
	}
	p.line("")
	rows, more := cut(groups(d.Bans), p.top)
	for _, g := range rows {
		at := stamp(d, g.last)
		p.line("  %s  %-22s %s", at, clip(g.name, 22), clip(g.what, width-27-len(at)))
	}
	p.more("         ", more)
	if d.Prevented > 0 {
		p.line("  %d attempts came while their source was banned.", d.Prevented)
	}
}

// stamp writes the time of a verdict, with its day where there are several.
func stamp(d *document.Document, at time.Time) string {
	if d.Days > 1 {
		return at.In(d.Zone()).Format("_2 Jan 15:04")
	}
	return at.In(d.Zone()).Format("15:04")
}

// holds writes the alerts that are held.
func (p *printer) holds(d *document.Document) {
	if d.Holds.Total == 0 {
		p.empty = append(p.empty, "Held back")
		return
	}
	p.section(fmt.Sprintf("Held back (%d)", d.Holds.Total))
	rows, more := cut(d.Holds.List, p.top)
	for _, v := range rows {
		at := stamp(d, v.StopAt)
		p.line("  %s  %-22s %s", at, clip(v.Value, 22), clip(v.Rule+": "+v.Reason, width-27-len(at)))
	}
	p.more("         ", more)
}

// attackers writes the sources with the most attempts.
func (p *printer) attackers(d *document.Document) {
	if d.Attackers.Total == 0 && d.Attackers.Others == nil {
		p.empty = append(p.empty, "Attackers")
		return
	}
	top := attackersShown(p.top)
	if p.short {
		top = p.top
	}
	p.ofTop("Attackers", d.Attackers.Total, top)
	rows, more := cut(d.Attackers.List, top)
	for _, s := range rows {
		var kinds []string
		for _, k := range s.Kinds {
			kinds = append(kinds, fmt.Sprintf("%s %d", k.Name, k.N))
		}
		p.line("%8d  %-22s %-5s %s", s.Count, clip(s.Addr.String(), 22), s.Verdict.Action, clip(strings.Join(kinds, ", "), width-39))
		if place := strings.TrimSpace(s.Country + " " + s.AS); place != "" {
			p.line("          %s", clip(place, width-10))
		}
	}
	p.more("          ", more)
	if others := d.Attackers.Others; others != nil {
		p.line("%8d  attempts of others, for which there was no room", others.Attempts)
	}
}

// logins writes the logins.
func (p *printer) logins(d *document.Document) {
	if d.Logins.OK+d.Logins.Failed == 0 {
		p.empty = append(p.empty, "Logins")
		return
	}
	if p.short {
		p.line("%s of %s, %d failed.", plural(d.Logins.OK, "login"), plural(d.Logins.Users, "user"), d.Logins.Failed)
		return
	}
	p.section("Logins")
	p.line("%8d  ok, of %s", d.Logins.OK, plural(d.Logins.Users, "user"))
	p.line("%8d  failed", d.Logins.Failed)
	for _, version := range sortedKeys(d.TLS) {
		p.line("%8d  %s handshakes", d.TLS[version], clip(version, 20))
	}
}

// accounts writes the accounts with the most failures.
func (p *printer) accounts(d *document.Document) {
	if len(d.Accounts) == 0 {
		return
	}
	p.counted("Accounts tried most", len(d.Accounts))
	rows, more := cut(d.Accounts, p.top)
	for _, a := range rows {
		p.line("%8d  %-40s from %s", a.Failures, clip(a.Name, 40), plural(a.Addresses, "address"))
	}
	p.more("          ", more)
}

// foot writes remarks about the logs, and the empty sections.
func (p *printer) foot(d *document.Document) {
	p.line("")
	if len(p.empty) > 0 && !p.short {
		p.wrap("", "", "Nothing under: "+strings.Join(p.empty, ", ")+".")
		p.line("")
	}
	if p.short && !d.IsEmpty() {
		p.line("A quiet day is shown short. All of it:\n    > %s", plain(d.Command("--top 0")))
	}
	p.line("%s lines read. Why is an address banned: csmail why ADDRESS", thousands(d.Lines))
}

// thousands writes a number with separators. For example 1,234,567.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// refusals writes the section "message reject detail", and others of its form, in
// pflogsumm's layout.
func (p *printer) refusals(title string, refusals document.Refusals) {
	if len(refusals) == 0 {
		p.none(title)
		return
	}
	p.section(title)
	for _, stage := range sortedKeys(refusals) {
		p.line("  %s", clip(stage, width-2))
		reasons := sortedKeys(refusals[stage])
		slices.SortStableFunc(reasons, func(a, b string) int { return refusals[stage][b].Total - refusals[stage][a].Total })
		for _, reason := range reasons {
			p.refusal(reason, refusals[stage][reason])
		}
	}
}
