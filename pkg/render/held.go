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
	// heldScenario is how wide the column of the scenarios is at the most.
	heldScenario = 20
	// longestNetwork is the widest name of a source: an IPv6 address with its length.
	longestNetwork = 43
)

// Held prints what the guard holds back, one line a source, the newest first. Alerts on
// sources that are never banned, such as those of guard.allow, cannot be released, so
// they are only counted.
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

// heldSource is what is held of one source.
type heldSource struct {
	name, handle   string // as it is shown, and as held release takes it
	scenario, rule string // of the newest alert
	alerts, others int    // others are further scenarios
	last           time.Time
	scenarios      []string
}

// heldSources groups alerts by source, and counts those that nobody can release.
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

// handleOf is what held release and held drop take: the address or network, and the ID
// of an alert on anything else, such as an account, whose name a client has chosen.
func handleOf(a control.Alert) string {
	if a.Scope == string(event.ScopeIP) || a.Scope == string(event.ScopeRange) {
		return a.Value
	}
	return shortID(a.ID)
}

func shortID(id string) string { return id[:min(8, len(id))] }
