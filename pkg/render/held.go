package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

const (
	// heldScenario is the greatest width of the scenarios' column.
	heldScenario = 20
	// longestNetwork is the width of the widest name of a source: an IPv6 address with
	// its length.
	longestNetwork = 43
)

// Held prints the alerts that the guard holds, one line a source, the newest first.
// Alerts on sources that are never banned, for example those of guard.allow, cannot be
// released and are only counted.
func Held(w io.Writer, alerts []control.Alert) error {
	var b strings.Builder
	sources, never := heldSources(alerts)
	switch {
	case len(alerts) == 0:
		fmt.Fprintln(&b, "Nothing is held")
	case len(sources) > 0:
		fmt.Fprintf(&b, "%s held, with %s\n", plural(len(sources), "source"), plural(len(alerts)-never, "alert"))
	}
	rows := [][]string{{"Source", "Alerts", "Found by", "Held by", "Last event"}}
	for _, s := range sources {
		rows = append(rows, []string{s.name, fmt.Sprint(s.alerts), clipName(withOthers(s.scenario, s.others), heldScenario), s.rule, dayTime(s.last, time.Local)})
	}
	if len(sources) > 0 {
		printRows(&b, rows, 1)
		fmt.Fprintf(&b, "To ban one all the same: csmail held release %s\nTo forget it: csmail held drop %s\n", sources[0].handle, sources[0].handle)
	}
	if never > 0 {
		fmt.Fprintf(&b, "%s on sources that are never banned or have amnesty; --all shows them\n", plural(never, "alert"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// heldSource sums up the held alerts on one source.
type heldSource struct {
	name, handle   string // name as shown, handle as held release takes it
	scenario, rule string // of the newest alert
	alerts, others int    // alerts on it; others are further scenarios
	last           time.Time
	scenarios      []string
}

// heldSources groups alerts by source, and counts those that cannot be released.
func heldSources(alerts []control.Alert) (sources []*heldSource, never int) {
	byValue := map[string]*heldSource{}
	for _, a := range slices.Backward(alerts) { // they come oldest first
		rule, _, _ := strings.Cut(a.Reason, ":")
		if rule == guard.NeverListed.String() || rule == guard.Amnesty.String() {
			never++
			continue
		}
		s := byValue[a.Value]
		if s == nil {
			s = &heldSource{name: clip(Printable(a.Value), longestNetwork), handle: handleOf(a), scenario: strings.TrimPrefix(Printable(a.Scenario), "csmail/"), rule: Printable(rule), others: -1}
			byValue[a.Value] = s
			sources = append(sources, s)
		}
		s.alerts++
		if !slices.Contains(s.scenarios, a.Scenario) {
			s.scenarios = append(s.scenarios, a.Scenario)
			s.others++
		}
		if a.Last.After(s.last) {
			s.last = a.Last
		}
	}
	return sources, never
}

// handleOf returns the argument for held release and held drop: the address or network,
// or the ID of an alert on anything else. For example, the name of an account is chosen
// by a client. For example 192.0.2.7, 192.0.2.0/24, or 5f0c81aa for an account.
func handleOf(a control.Alert) string {
	if a.Scope == string(event.ScopeIP) || a.Scope == string(event.ScopeRange) {
		return a.Value
	}
	return shortID(a.ID)
}

// shortID returns the begin of an ID, which suffices to name it.
func shortID(id string) string { return id[:min(8, len(id))] }
