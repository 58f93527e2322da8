//go:build e2e

package engine

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/scenarios"
)

// TestAlertsAreCrowdSecs gives the same events and scenarios to csmail and to the
// real crowdsec: the alerts of both, by scenario, source and count of events, are
// the same. Then csmail's scenarios are changed a little, and the difference must
// show.
func TestAlertsAreCrowdSecs(t *testing.T) {
	const size = 1300
	files := scenarioFiles(t)
	duels := map[string]*duel{}
	for name, events := range map[string][]*event.Event{
		"two hours":     newStream(1).events(t, size, 2*time.Hour),
		"a day":         newStream(2).events(t, size, 24*time.Hour),
		"twelve days":   newStream(3).events(t, size, 12*24*time.Hour),
		"early probes":  probes(t, files, 0.93, 0.97),
		"late probes":   probes(t, files, 1.03, 1.07),
		"recorded logs": recorded(t, "../samples/mail-rfc3339.log"),
	} {
		duels[name] = newDuel(t, files, events)
	}
	t.Run("equal", func(t *testing.T) {
		for name, d := range duels {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for scenario, diff := range d.fight(t, files) {
					t.Errorf("%s:\n%s", scenario, diff)
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Run("each scenario alerts", func(t *testing.T) { everyScenarioAlerts(t, files, duels) })
	t.Run("changed", func(t *testing.T) { everyChangeShows(t, files, duels) })
}

// TestCounterIsSilentInReplay shows why counters are not among the scenarios of
// the comparison.
func TestCounterIsSilentInReplay(t *testing.T) {
	files := map[string][]byte{"counter.yaml": read(t, os.DirFS("testdata"), "counter.yaml")}
	d := newDuel(t, files, newStream(1).events(t, 200, time.Hour))
	if got := d.replay(t); len(got) != 0 {
		t.Errorf("crowdsec alerts now: %v; take counters into the comparison", got)
	}
	if len(pour(t, files, d.events)) == 0 {
		t.Error("csmail does not alert")
	}
}

// scenarioFiles are the hub's scenarios of Debian's package, the stand-ins for
// newer ones, one scenario for each type and key, and csmail's own.
func scenarioFiles(t *testing.T) map[string][]byte {
	t.Helper()
	hub, err := Hub()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	add := func(folder fs.FS, names ...string) {
		for _, name := range names {
			files[filepath.Base(name)] = read(t, folder, name)
		}
	}
	add(os.DirFS(filepath.Join(hub, "scenarios", "crowdsecurity")), "postfix-spam.yaml", "dovecot-spam.yaml", "ssh-bf.yaml", "ssh-slow-bf.yaml")
	add(os.DirFS("testdata"), "hub-newer.yaml", "types.yaml")
	for _, set := range scenarios.Sets() {
		paths, _ := scenarios.Paths(set)
		add(scenarios.Files, paths...)
	}
	return files
}

// dataFiles are what scenarios name under data.
func dataFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"accounts.txt", "patterns.txt"} {
		files[name] = read(t, os.DirFS("testdata"), name)
	}
	return files
}

func read(t *testing.T, folder fs.FS, name string) []byte {
	t.Helper()
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
