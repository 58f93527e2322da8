package document

import (
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/report"
	"csmail/pkg/report/daily"
)

// Window collects the data for the report of one window of time. It is a value that
// merges: the windows of the hours of a day make that of the day, those of several hosts
// make that of all, in any order. Use it from one goroutine at a time.
type Window struct {
	Scope         report.Scope
	Figures       *daily.Figures // a daily.Tracker fills them
	Lines, Missed int64

	sources     *report.Collector
	watch       *Watch
	prevented   int // attempts during a ban
	collateral  []report.Collateral
	hosts       map[string]bool
	host        string    // of the last line
	noted       time.Time // of the line before
	first, last time.Time
	outside     Span // of lines that are not in the window; it is not stored
}

const (
	// maxHosts is the number of hosts that a report names.
	maxHosts = 1000
	// maxCollateral bounds the banned sources that turned out to be honest.
	maxCollateral = 1000
)

// NewWindow returns an empty window.
func NewWindow(scope report.Scope) *Window {
	return &Window{
		Scope: scope, Figures: daily.NewFigures(), hosts: map[string]bool{}, sources: report.NewBoundedCollector(scope), watch: NewWatch(scope.Holds),
	}
}

// Add takes a result of the engine. It copies the texts that it keeps.
func (w *Window) Add(result *engine.Result) {
	logged := result.Logged()
	w.Note(&logged)
	if isCounted(result) {
		w.sources.Add(result)
		w.watch.Add(result)
	}
}

// isCounted reports whether a result may change what is counted of clients. Most do not:
// that a client connected, for example.
func isCounted(r *engine.Result) bool {
	return r.Outcome == event.Noted || r.Testimony == event.MailAccepted || r.Guessed > 0 || len(r.Findings) > 0 || len(r.Excused()) > 0 || len(r.Superseded()) > 0
}

// AddFindings takes findings that no line caused.
func (w *Window) AddFindings(findings []engine.Finding) {
	w.sources.AddFindings(findings)
	w.watch.AddFindings(findings)
}

// Note takes the host and time of a line in the window.
func (w *Window) Note(line *event.Logged) {
	if line.Time.Equal(w.noted) && line.Host == w.host {
		return // as the line before, or the other half of one line
	}
	if line.Time.IsZero() {
		return
	}
	if !w.Holds(line.Time) {
		widen(&w.outside.First, &w.outside.Last, line.Time)
		return
	}
	w.noted = line.Time
	widen(&w.first, &w.last, line.Time)
	if line.Host == w.host || line.Host == "" {
		return
	}
	w.host = strings.Clone(line.Host)
	if !w.hosts[w.host] && len(w.hosts) < maxHosts {
		w.hosts[w.host] = true
	}
}

// Holds reports whether a time lies in the window.
func (w *Window) Holds(at time.Time) bool {
	return (w.Scope.Since.IsZero() || !at.Before(w.Scope.Since)) && (w.Scope.Until.IsZero() || at.Before(w.Scope.Until))
}

// Merge adds another window. If the windows follow each other, the earlier one comes
// first, so that lists in the order of appearance keep it.
func (w *Window) Merge(o *Window) {
	w.Figures.Merge(o.Figures)
	w.sources.Merge(o.sources.State())
	w.watch.merge(o.watch)
	w.addTotals(o)
	w.addCollateral(o.collateral...)
	for host := range o.hosts {
		if len(w.hosts) < maxHosts {
			w.hosts[host] = true
		}
	}
}

// addTotals adds the sums of another window, and its span.
func (w *Window) addTotals(o *Window) {
	w.Lines += o.Lines
	w.Missed += o.Missed
	w.prevented += o.prevented
	if !o.first.IsZero() {
		widen(&w.first, &w.last, o.first)
		widen(&w.first, &w.last, o.last)
	}
	if !o.outside.First.IsZero() {
		widen(&w.outside.First, &w.outside.Last, o.outside.First)
		widen(&w.outside.First, &w.outside.Last, o.outside.Last)
	}
}

func (w *Window) addCollateral(all ...report.Collateral) {
	w.collateral = append(w.collateral, all[:min(len(all), max(maxCollateral-len(w.collateral), 0))]...)
}

// Input returns the input of the window's report. The caller adds the maker, the time and
// the zone. A window without a border ends with its lines.
func (w *Window) Input() Input {
	in := Input{
		Lines: w.Lines, Missed: w.Missed, Figures: w.Figures, Sources: w.sources.Sources(), Watch: w.watch, OtherSources: w.sources.Others(), Prevented: w.prevented,
		From: w.first, To: w.last, Noted: !w.first.IsZero(), Outside: w.outside, Collateral: slices.Clone(w.collateral),
	}
	slices.SortStableFunc(in.Collateral, func(a, b report.Collateral) int { return a.Good.Compare(b.Good) })
	for host := range w.hosts {
		in.Hosts = append(in.Hosts, host)
	}
	slices.Sort(in.Hosts)
	return in
}

// Accounts lists the accounts that logged in or sent mail within the window.
func (w *Window) Accounts() []string {
	var names []string
	for name, a := range w.watch.accounts {
		if a.loggedIn {
			names = append(names, name)
		}
	}
	for name := range w.Figures.Sent {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
