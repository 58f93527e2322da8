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

// Window gathers what a report of one window of time is made from. Use it from one
// goroutine at a time.
type Window struct {
	Scope         report.Scope
	Figures       *daily.Figures // a daily.Tracker fills them
	Lines, Missed int64

	sources     *report.Collector
	backtest    *report.Backtest
	watch       *Watch
	hosts       map[string]bool
	host        string // of the line before
	first, last time.Time
}

// maxHosts bounds the hosts that a report names.
const maxHosts = 1000

// NewWindow returns an empty window. Bans last for the duration.
func NewWindow(scope report.Scope, bans time.Duration) *Window {
	return &Window{
		Scope: scope, Figures: daily.NewFigures(), hosts: map[string]bool{},
		sources: report.NewCollector(scope), backtest: report.NewBacktest(scope, bans), watch: NewWatch(scope.Holds),
	}
}

// Add takes a result of the engine. It keeps nothing of it without a copy.
func (w *Window) Add(result engine.Result) {
	w.Note(result.Record)
	w.sources.Add(result)
	w.backtest.Add(result, result.Findings)
	w.watch.Add(result)
}

// AddFindings takes findings that no line made, but the time or the log's end.
func (w *Window) AddFindings(findings []engine.Finding) {
	w.sources.AddFindings(findings)
	w.backtest.AddFindings(findings)
	w.watch.AddFindings(findings)
}

// Note takes the host and time of a line in the window.
func (w *Window) Note(record *event.Record) {
	if record.Time.IsZero() || !w.Holds(record.Time) {
		return
	}
	if w.first.IsZero() || record.Time.Before(w.first) {
		w.first = record.Time
	}
	if record.Time.After(w.last) {
		w.last = record.Time
	}
	if record.Host == w.host || record.Host == "" {
		return
	}
	w.host = strings.Clone(record.Host)
	if !w.hosts[w.host] && len(w.hosts) < maxHosts {
		w.hosts[w.host] = true
	}
}

// Holds reports whether a time lies in the window.
func (w *Window) Holds(at time.Time) bool {
	return (w.Scope.Since.IsZero() || !at.Before(w.Scope.Since)) && (w.Scope.Until.IsZero() || at.Before(w.Scope.Until))
}

// Input is what a report of the window is made from. The caller adds who makes it,
// when, and in which zone. A window without a border ends with its lines.
func (w *Window) Input() Input {
	in := Input{
		Lines: w.Lines, Missed: w.Missed, Figures: w.Figures, Sources: w.sources.Sources(), Outcome: w.backtest.Outcome(), Watch: w.watch,
		From: w.first, To: w.last,
	}
	for host := range w.hosts {
		in.Hosts = append(in.Hosts, host)
	}
	slices.Sort(in.Hosts)
	return in
}
