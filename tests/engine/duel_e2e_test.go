//go:build e2e

package engine

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/render"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

const (
	// maxAttempts is how often one event is poured at most.
	maxAttempts = 20

	// maxRuns is how often crowdsec may run over one series of events. Where one
	// of its overflows is dropped, the bucket that came after it can go as well,
	// as its scheduler has it: one alert in some thousand differs from run to
	// run. So csmail has to agree, scenario by scenario, with one of the runs.
	maxRuns = 5

	parserFile = "../../parsers/s01-parse/csmail/csmail-events.yaml"
)

// duel is one series of events that both engines get.
type duel struct {
	setup  Setup
	events []*event.Event
	runs   []map[string][]Alert // crowdsec's alerts by scenario, of each run
}

func newDuel(t *testing.T, files map[string][]byte, events []*event.Event) *duel {
	t.Helper()
	s, err := NewSetup(parserFile)
	if err != nil {
		t.Fatal(err)
	}
	s.Scenarios, s.Data = files, dataFiles(t)
	return &duel{setup: s, events: events}
}

// fight returns what the engines disagree on, by scenario.
func (d *duel) fight(t *testing.T, files map[string][]byte) map[string]string {
	t.Helper()
	ours := pour(t, files, d.events)
	open := names(t, files)
	for try := range maxRuns {
		if try == len(d.runs) {
			d.runs = append(d.runs, d.replay(t))
		}
		open = slices.DeleteFunc(open, func(name string) bool { return slices.Equal(ours[name], d.runs[try][name]) })
		if len(open) == 0 {
			break
		}
		t.Logf("run %d of crowdsec differs in %s", try+1, strings.Join(open, ", "))
	}
	diffs := map[string]string{}
	for _, name := range open {
		diffs[name] = difference(ours[name], d.runs[0][name])
	}
	return diffs
}

// agrees tells whether csmail with other scenario files agrees with what crowdsec
// said to the original ones about the named scenario.
func (d *duel) agrees(t *testing.T, files map[string][]byte, name string) bool {
	t.Helper()
	ours := pour(t, files, d.events)[name]
	return slices.ContainsFunc(d.runs, func(run map[string][]Alert) bool { return slices.Equal(ours, run[name]) })
}

// replay runs the real crowdsec.
func (d *duel) replay(t *testing.T) map[string][]Alert {
	t.Helper()
	var log bytes.Buffer
	for e := range attempts(d.events) {
		meta, parsed := expression.View(e)
		if err := render.CrowdSecEvent(&log, e, meta, parsed); err != nil {
			t.Fatal(err)
		}
	}
	alerts, err := d.setup.Replay(t.Context(), "csmail", log.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return byScenario(alerts)
}

// attempts yields each event as often as it happened.
func attempts(events []*event.Event) iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		for _, e := range events {
			for range min(e.Attempts, maxAttempts) {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// pour runs csmail's own engine.
func pour(t *testing.T, files map[string][]byte, events []*event.Event) map[string][]Alert {
	t.Helper()
	core := bucket.New(load(t, files), bucket.Limits{}, event.HashKey{})
	var alerts []Alert
	for e := range attempts(events) {
		for _, o := range core.Pour(e) {
			alerts = append(alerts, Alert{Scenario: o.Scenario.Name, Scope: o.Scope, Value: o.Value, Events: o.Count})
		}
	}
	slices.SortFunc(alerts, Alert.Compare)
	return byScenario(alerts)
}

func load(t *testing.T, files map[string][]byte) *scenario.Set {
	t.Helper()
	folder := fstest.MapFS{}
	for _, group := range []map[string][]byte{files, dataFiles(t)} {
		for name, text := range group {
			folder[name] = &fstest.MapFile{Data: text}
		}
	}
	set, err := scenario.Load(folder, slices.Sorted(maps.Keys(files))...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func names(t *testing.T, files map[string][]byte) []string {
	t.Helper()
	var names []string
	for _, s := range load(t, files).Scenarios() {
		names = append(names, s.Name)
	}
	return names
}

func byScenario(alerts []Alert) map[string][]Alert {
	groups := map[string][]Alert{}
	for _, a := range alerts {
		groups[a.Scenario] = append(groups[a.Scenario], a)
	}
	return groups
}

// difference lists what only one of the two has.
func difference(ours, theirs []Alert) string {
	count := map[Alert]int{}
	for _, a := range ours {
		count[a]++
	}
	for _, a := range theirs {
		count[a]--
	}
	var out strings.Builder
	for _, a := range slices.SortedFunc(maps.Keys(count), Alert.Compare) {
		switch n := count[a]; {
		case n > 0:
			fmt.Fprintf(&out, "\tcsmail alone %d x %s %s, %d events\n", n, a.Scope, a.Value, a.Events)
		case n < 0:
			fmt.Fprintf(&out, "\tcrowdsec alone %d x %s %s, %d events\n", -n, a.Scope, a.Value, a.Events)
		}
	}
	return out.String()
}
