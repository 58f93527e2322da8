//go:build e2e

package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	randomDuels     = 2
	randomScenarios = 80 // of a duel
	randomEvents    = 250
)

// TestRandomScenariosAreCrowdSecs gives made-up scenarios and events to csmail and
// to the real crowdsec: the alerts of both, by scenario, source and count of
// events, are the same. Counters are left out, which never alert in a replay
// ([TestCounterIsSilentInReplay]). So are filters and groupbys that fail at run
// time: of those crowdsec complains, and keeps the event from the scenarios that
// follow. Then each key that csmail has otherwise than crowdsec must show.
func TestRandomScenariosAreCrowdSecs(t *testing.T) {
	duels := make([]*randomDuel, randomDuels)
	t.Run("equal", func(t *testing.T) {
		for seed := range duels {
			d := drawDuel(t, uint64(seed))
			duels[seed] = d
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				for name, diff := range d.fight(t, d.files) {
					t.Errorf("%s%s", d.files[fileOf(name)], diff)
				}
				if alerting := len(d.runs[0]); alerting < randomScenarios/3 {
					t.Errorf("only %d of %d scenarios alert", alerting, randomScenarios)
				}
			})
		}
	})
	if !t.Failed() {
		t.Run("changed", func(t *testing.T) { randomChangesShow(t, duels) })
	}
}

// randomDuel is a duel over made-up scenarios, one a file.
type randomDuel struct {
	*duel
	files map[string][]byte
}

// survivable are complaints about things that are not as an expression or a scope
// wants them, after which both engines go on: helpers that get no address and no
// time, a condition that fails, an overflow without an address.
var survivable = []string{
	"can't parse IP address", "can't create prefix", "bad cidr", "as unix timestamp", "bayesian update failed",
	"unable to run conditional filter", "Failed running overflow filter", "unable to collect sources",
}

func drawDuel(t *testing.T, seed uint64) *randomDuel {
	t.Helper()
	draw := newDrawer(seed)
	files := map[string][]byte{}
	for i := range randomScenarios {
		name := fmt.Sprintf("random/s%d", i)
		files[fileOf(name)] = []byte(draw.scenario(name, "leaky", "leaky", "trigger", "conditional", "bayesian"))
	}
	d := newDuel(t, files, draw.events(t, randomEvents))
	d.setup.Expected = survivable
	return &randomDuel{d, files}
}

func fileOf(scenario string) string {
	return strings.TrimPrefix(scenario, "random/") + ".yaml"
}

// randomChangesShow is the test of the test: csmail gets scenarios of which one key
// is off by a little, or left out. One such change may change no alert, for events
// are not made to fit the scenario; but each sort of change shows somewhere.
func randomChangesShow(t *testing.T, duels []*randomDuel) {
	shown, hidden := map[string]int{}, map[string]int{}
	for _, d := range duels {
		for _, name := range slices.Sorted(maps.Keys(d.runs[0])) {
			for change, changed := range documents(t, d.files[fileOf(name)])[0].changes(t) {
				if d.agrees(t, map[string][]byte{"changed.yaml": changed}, name) {
					hidden[change]++
				} else {
					shown[change]++
				}
			}
		}
	}
	for change, n := range hidden {
		if shown[change] == 0 {
			t.Errorf("%s changes nothing in any of %d scenarios", change, n)
		}
	}
	if len(shown) < 10 {
		t.Errorf("only %d sorts of changes", len(shown))
	}
	t.Logf("shown %v, hidden %v", shown, hidden)
}
