package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"csmail/pkg/report/document"
)

//go:embed report.html.tmpl
var htmlText string

// maxHTML bounds the page in bytes: Gmail cuts a mail at 102 KB.
const maxHTML = 100_000

// HTML writes the report as one page without scripts and without links to other files.
// Lists show their first top rows, or fewer if the page would be too large for a mail
// program.
func HTML(w io.Writer, d *document.Document, top int) error {
	if top <= 0 {
		top = 50
	}
	for {
		text, err := htmlOf(d, top)
		if err != nil {
			return err
		}
		if len(text) <= maxHTML || top <= 1 {
			if _, err := io.WriteString(w, text); err != nil {
				return fmt.Errorf("writing the report: %w", err)
			}
			return nil
		}
		top /= 2
	}
}

// htmlOf makes the page with so many rows a list.
func htmlOf(d *document.Document, top int) (string, error) {
	page, err := template.New("report").Funcs(template.FuncMap{"plain": plain, "thousands": thousands, "bytes": humanBytes}).Parse(htmlText)
	if err != nil {
		return "", fmt.Errorf("reading the page's template: %w", err)
	}
	var b strings.Builder
	if err := page.Execute(&b, newView(d, top)); err != nil {
		return "", fmt.Errorf("making the page: %w", err)
	}
	return b.String(), nil
}

// humanBytes writes a size.
func humanBytes(n int64) string {
	switch {
	case n >= 1_000_000_000:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// view is the report in the form of the template.
type view struct {
	Title, Period, Needs string
	Numbers              []labelled
	Findings             []findingView
	Charts               []chart
	Comparison           []document.Compared
	Scenarios            []row2
	Bans                 []groupView
	MoreBans             int
	More                 string // the command that shows all
	Holds                []holdView
	MoreHolds            int
	Attackers            []attackerView
	AttackersTotal       int
	OtherAttempts        int
	Totals               []labelled
	Hours                []hourView
	Sections             []section
	Prevented            int
	Lines                int64
}

type labelled struct{ Value, Label string }

type row2 struct {
	N    int
	Text string
}

type (
	findingView  struct{ Class, Title, Detail, Advice, Span string }
	groupView    struct{ At, Name, What string }
	holdView     struct{ At, Value, Reason string }
	attackerView struct {
		Count                       int
		Addr, Verdict, Kinds, Place string
	}
)

type hourView struct {
	Hour                                            string
	Received, Delivered, Deferrals, Bounced, Refuse int
}

// section is a titled list.
type section struct {
	Title string
	Sub   []subsection
	More  int
}

type subsection struct {
	Title string
	Rows  []row2
	More  int
}

// newView fills the view.
func newView(d *document.Document, top int) view {
	v := view{
		Title: d.Title(), Period: d.Period(), Needs: capital(needs(d)) + ".", Comparison: d.Comparison(), Prevented: d.Prevented, Lines: d.Lines,
		Numbers: []labelled{
			{fmt.Sprint(d.Bans.Total), "banned"}, {fmt.Sprint(d.Holds.Total), "held back"}, {fmt.Sprint(d.Rejected), "rejected"}, {fmt.Sprint(d.Received), "received"},
		},
		AttackersTotal: d.Attackers.Total,
	}
	v.More = plain(d.Command("--top 0"))
	if others := d.Attackers.Others; others != nil {
		v.OtherAttempts = others.Attempts
	}
	v.addFindings(d)
	v.addJudged(d, top)
	v.Charts = charts(d)
	v.addTotals(d)
	v.addSections(d, top)
	return v
}

// addFindings adds the findings that need a person.
func (v *view) addFindings(d *document.Document) {
	for _, f := range shown(d) {
		item := findingView{Class: string(f.Severity), Title: clip(f.Title, maxTitle), Detail: clip(f.Detail, maxDetail), Advice: plain(f.Advice)}
		if !f.Since.IsZero() {
			item.Span = span(d, f)
		}
		v.Findings = append(v.Findings, item)
	}
}

// addJudged adds bans, holds and attackers.
func (v *view) addJudged(d *document.Document, top int) {
	for _, name := range d.Bans.ScenariosByCount() {
		v.Scenarios = append(v.Scenarios, row2{d.Bans.ByScenario[name], plain(name)})
	}
	banned, more := cut(groups(d.Bans), top)
	v.MoreBans = more
	for _, g := range banned {
		v.Bans = append(v.Bans, groupView{stamp(d, g.last), plain(g.name), plain(g.what)})
	}
	held, more := cut(d.Holds.List, top)
	v.MoreHolds = more
	for _, h := range held {
		v.Holds = append(v.Holds, holdView{stamp(d, h.StopAt), plain(h.Value), plain(h.Rule + ": " + h.Reason)})
	}
	sources, _ := cut(d.Attackers.List, attackersShown(top))
	for _, s := range sources {
		var kinds []string
		for _, k := range s.Kinds {
			kinds = append(kinds, fmt.Sprintf("%s %d", k.Name, k.N))
		}
		v.Attackers = append(v.Attackers, attackerView{s.Count, s.Addr.String(), s.Verdict.Action.String(), strings.Join(kinds, ", "), plain(strings.TrimSpace(s.Country + " " + s.AS))})
	}
}

// addTotals adds the grand totals.
func (v *view) addTotals(d *document.Document) {
	for _, t := range totals(d) {
		if t.n == 0 && t.key != "received" && t.key != "delivered" && t.key != "rejected" {
			continue
		}
		value := thousands(t.n)
		if strings.HasPrefix(t.key, "bytes") {
			value = humanBytes(t.n)
		}
		v.Totals = append(v.Totals, labelled{value, strings.ReplaceAll(t.key, "_", " ")})
	}
	if d.IsEmpty() {
		return
	}
	for _, hour := range sortedKeys(d.PerHour) {
		h := d.PerHour[hour]
		v.Hours = append(v.Hours, hourView{hour, h.Received, h.Delivered, h.Deferrals, h.Bounced, h.Rejected})
	}
}

// addSections adds the lists of pflogsumm.
func (v *view) addSections(d *document.Document, top int) {
	deliveries := map[string]int{}
	for domain, t := range d.DeliveryDomains {
		deliveries[domain] = t.Count
	}
	accounts := map[string]int{}
	for _, a := range d.Accounts {
		accounts[a.Name] = a.Failures
	}
	v.list("Accounts tried most", accounts, top)
	v.list("Message delivery by domain", deliveries, top)
	v.list("Messages received by domain", volumeCounts(d.ReceivedDomains), top)
	v.list("Connections to smtpd by host", connectionCounts(d.Connections.Hosts), top)
	v.list("Senders", volumeCounts(d.SendersBy), top)
	v.list("Recipients", volumeCounts(d.RecipientsBy), top)
	v.details("Message deferral detail", d.DeferralDetail, top)
	v.details("Message bounce detail", d.BounceDetail, top)
	for _, r := range []struct {
		title string
		of    document.Refusals
	}{{"Message reject detail", d.RejectDetail}, {"Message reject warning detail", d.WarningDetail}, {"Message hold detail", d.HoldDetail}, {"Message discard detail", d.DiscardDetail}} {
		v.refusals(r.title, r.of, top)
	}
	for _, t := range []struct {
		title string
		of    document.Trouble
	}{{"Warnings", d.Warnings}, {"Errors", d.Errors}, {"Fatal errors", d.Fatals}, {"Panics", d.Panics}} {
		v.details(t.title, t.of.By, top)
	}
	v.list("Master daemon messages", d.Master, top)
	v.list("TLS versions", d.TLS, top)
}

// list adds a list of counts.
func (v *view) list(title string, counts map[string]int, top int) {
	if len(counts) == 0 {
		return
	}
	sub := subsection{}
	sub.Rows, sub.More = rowsOf(counts, top)
	v.Sections = append(v.Sections, section{Title: title, Sub: []subsection{sub}})
}

// rowsOf returns the first rows of a list and the number of the others.
func rowsOf(counts map[string]int, top int) ([]row2, int) {
	rows, more := byCount(counts, top)
	var out []row2
	for _, r := range rows {
		out = append(out, row2{r.n, clip(r.text, 120)})
	}
	return out, more
}

func (v *view) details(title string, details map[string]document.Detail, top int) {
	if len(details) == 0 {
		return
	}
	s := section{Title: title}
	for _, name := range sortedKeys(details) {
		sub := subsection{Title: fmt.Sprintf("%s (total: %d)", clip(name, 80), details[name].Total)}
		sub.Rows, sub.More = rowsOf(details[name].By, top)
		s.Sub = append(s.Sub, sub)
	}
	s.Sub, s.More = cut(s.Sub, top)
	v.Sections = append(v.Sections, s)
}

func (v *view) refusals(title string, refusals document.Refusals, top int) {
	if len(refusals) == 0 {
		return
	}
	s := section{Title: title}
	for _, stage := range sortedKeys(refusals) {
		totals := map[string]int{}
		for reason, r := range refusals[stage] {
			totals[reason] = r.Total
		}
		reasons, more := byCount(totals, top)
		s.More += more
		for _, r := range reasons {
			sub := subsection{Title: fmt.Sprintf("%s: %s (total: %d)", clip(stage, 40), clip(r.text, 120), r.n)}
			sub.Rows, sub.More = rowsOf(refusals[stage][r.text].By, top)
			s.Sub = append(s.Sub, sub)
		}
	}
	v.Sections = append(v.Sections, s)
}
