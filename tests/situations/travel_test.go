package situations

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/logline"
	"csmail/pkg/ruleset"
	"csmail/pkg/scenario"
	"csmail/pkg/wire"
)

// readAll reads the records that an engine steps out of a log.
func readAll(text string, received time.Time) []event.Record {
	var records []event.Record
	reader := engine.Reader{Line: logline.Line{Received: received, Zone: time.UTC}}
	for line := range strings.Lines(text) {
		var r event.Record
		if reader.Next(strings.TrimRight(line, "\n"), &r); r.Outcome >= event.Witness {
			records = append(records, r)
		}
	}
	return records
}

// describe puts findings into words, with all that a person or the LAPI gets to see.
func describe(words []string, findings []engine.Finding) []string {
	for _, f := range findings {
		words = append(words, fmt.Sprint(f.At.UTC().Format(time.RFC3339Nano), " ", f.Verdict.Action, " ", f.Verdict.Rule, " ", f.Verdict.Reason,
			" ", f.Alert.ID(), " ", f.Alert.Message, " ", f.Alert.Checks, " ", len(f.Alert.Evidence)))
	}
	return words
}

// together is what one engine finds in the records.
func together(set *scenario.Set, records []event.Record, asked time.Time) []string {
	var words []string
	e := engine.New(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
	for i := range records {
		r := records[i]
		words = describe(words, e.Step(&r).Findings)
	}
	return describe(words, e.Settle(asked))
}

// apart is what a Judge finds in what travels of them, in batches.
func apart(t *testing.T, set *scenario.Set, records []event.Record, asked time.Time) (words []string, travelled int) {
	t.Helper()
	edge := engine.NewEdge(event.HashKey{})
	judge := engine.NewJudge(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
	var facts []wire.Fact
	send := func() {
		batch, err := wire.ReadBatch(wire.AppendBatch(nil, &wire.Batch{Sent: asked, Through: edge.Through(), Facts: facts}))
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch.Facts {
			words = describe(words, judge.TakeFact(&batch.Facts[i]))
		}
		words = describe(words, judge.Tell(batch.Through))
		travelled += len(facts)
		facts = facts[:0]
	}
	for i := range records {
		r := records[i]
		if facts = edge.Take(&r, facts); len(facts) >= 50 {
			send()
		}
	}
	if len(records) > 0 {
		send()
	}
	for _, f := range edge.End(asked, nil) {
		words = describe(words, judge.TakeFact(&f))
	}
	return describe(words, judge.Settle(asked)), travelled
}

// A Judge that gets only what travels finds what an engine finds that gets every line:
// the same alerts, in the same order, with the same verdicts at the same times.
func TestJudgingWhatTravels(t *testing.T) {
	logs := map[string]string{}
	for _, pattern := range []string{"../samples/*.log", "../samples/debian13/*.log", "recorded/*.log", "../../scenarios/tests/*/*.log"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			logs[file] = string(text)
		}
	}
	for _, s := range append(append(append(Honest(), Outages()...), Troubles()...), Provoked()...) {
		logs["situation "+s.Name] = s.Log.String()
	}
	for _, a := range Attacks() {
		logs["attack "+a.Name] = a.Log.String()
	}
	seeds, dice := uint64(6), rand.New(rand.NewPCG(5, 17))
	if testing.Short() {
		seeds = 1
		maps.DeleteFunc(logs, func(name, _ string) bool { return !strings.HasSuffix(name, ".log") })
	}
	some := someLines(logs, dice)
	for seed := range seeds {
		logs[fmt.Sprint("shuffled ", seed)] = shuffled(some, dice)
	}
	asked := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	found, all, travelled := 0, 0, 0
	for _, name := range []string{"strict"} { // which holds the others, too
		set, err := ruleset.Load([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for log, text := range logs {
			records := readAll(text, asked)
			want := together(set, records, asked)
			got, n := apart(t, set, records, asked)
			found, all, travelled = found+len(want), all+len(records), travelled+n
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Errorf("%s, %s: finding %d of %d and %d\ngot  %q\nwant %q", name, log, i, len(got), len(want), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
					break
				}
			}
		}
	}
	t.Logf("%d findings; %d of %d records travelled", found, travelled, all)
	if found < 100 || travelled > all*9/10 {
		t.Errorf("got %d findings and %d of %d records, want more findings and fewer records", found, travelled, all)
	}
}

// someLines are random lines of the logs, on one of two hosts, without their times.
func someLines(logs map[string]string, dice *rand.Rand) []string {
	var some []string
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		for _, r := range readAll(logs[name], time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
			if r.Program != "" && dice.IntN(20) == 0 {
				some = append(some, fmt.Sprintf("mx%d %s[%d]: %s", dice.IntN(2), r.Program, dice.IntN(30), r.Message))
			}
		}
	}
	return some
}

// shuffled is a log of such lines, of which some come late.
func shuffled(some []string, dice *rand.Rand) string {
	var b strings.Builder
	at := time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC)
	for range 6000 {
		at = at.Add([]time.Duration{0, 0, time.Millisecond, 100 * time.Millisecond, time.Second, 20 * time.Second}[dice.IntN(6)])
		stamp := at
		if dice.IntN(50) == 0 {
			stamp = at.Add(-time.Duration(dice.IntN(30)) * time.Second)
		}
		fmt.Fprintf(&b, "%s %s\n", stamp.Format(time.RFC3339Nano), some[dice.IntN(len(some))])
	}
	return b.String()
}
