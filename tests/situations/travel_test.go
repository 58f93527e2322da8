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

	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/input/archive"
	"csmail/pkg/logline"
	"csmail/pkg/merge"
	"csmail/pkg/replay"
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
		words = describe(words, judge.JudgeUntil(batch.Through))
		travelled += len(facts)
		facts = facts[:0]
	}
	for i := range records {
		r := records[i]
		if _, facts = edge.Take(&r, facts); len(facts) >= 50 {
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
		set, err := detect.Load([]string{name})
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

// merged is what a Judge finds in what the edges of many hosts send, in batches of any
// size and in any order over the hosts.
func merged(t *testing.T, set *scenario.Set, hosts map[string][]event.Record, asked time.Time, dice *rand.Rand) (words []string) {
	return mergedSite(t, set, hosts, asked, dice, "")
}

// mergedSite is merged for hosts that are edges of a site; "" for none.
func mergedSite(t *testing.T, set *scenario.Set, hosts map[string][]event.Record, asked time.Time, dice *rand.Rand, site string) (words []string) {
	t.Helper()
	join := engine.NewSiteJoin()
	judge := engine.NewJudge(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
	merger := merge.New(merge.Options{Late: 24 * time.Hour}) // the logs are of six hours
	names := slices.Sorted(maps.Keys(hosts))
	merger.Expect(names)
	edges, numbers := map[string]*engine.Edge{}, map[string]uint64{}
	for _, name := range names {
		edges[name] = engine.NewEdge(event.HashKey{})
	}
	send := func(name string, facts []wire.Fact, ended bool) {
		b := &wire.Batch{Epoch: 1, First: numbers[name], Sent: asked, Through: edges[name].Through(), Facts: facts, Ended: ended}
		b, err := wire.ReadBatch(wire.AppendBatch(nil, b))
		if err != nil {
			t.Fatal(err)
		}
		numbers[name] = b.Next()
		if taken := merger.Add(name, b, asked); taken != merge.All {
			t.Fatalf("got a batch of %s %v, want %v", name, taken, merge.All)
		}
		for f, edge := merger.Next(); f != nil; f, edge = merger.Next() {
			if site != "" {
				setOrigin(f, event.Origin{Host: event.OriginOf(site, "").Host, Edge: event.EdgeOf(edge)})
				join.Join(f, &event.HashKey{})
			}
			words = describe(words, judge.TakeFact(f))
		}
		words = describe(words, judge.JudgeUntil(merger.Watermark()))
	}
	for left := slices.Clone(names); len(left) > 0; {
		name := left[dice.IntN(len(left))]
		n := min(dice.IntN(200), len(hosts[name]))
		var facts []wire.Fact
		for i := range hosts[name][:n] {
			_, facts = edges[name].Take(&hosts[name][i], facts)
		}
		hosts[name] = hosts[name][n:]
		if len(hosts[name]) == 0 {
			left = slices.DeleteFunc(left, func(other string) bool { return other == name })
			facts = edges[name].End(asked, facts)
		}
		send(name, facts, len(hosts[name]) == 0)
	}
	return describe(words, judge.Settle(asked))
}

func byHost(records []event.Record) map[string][]event.Record {
	hosts := map[string][]event.Record{}
	for _, r := range records {
		hosts[r.Host] = append(hosts[r.Host], r)
	}
	return hosts
}

func setOrigin(f *wire.Fact, origin event.Origin) {
	f.Record.Origin = origin
	for i := range f.Released {
		f.Released[i].Record.Origin = origin
	}
}

// What a Dovecot proxy and the server behind it come to, as edges of one site, is what a
// backtest of both logs comes to, unless the server asks PAM, which names no session.
func TestProxyInASite(t *testing.T) {
	set, err := detect.Load([]string{"strict"})
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("reports/proxy-*.log")
	if err != nil || len(paths) < 8 {
		t.Fatalf("got %d logs, %v, want some", len(paths), err)
	}
	joined, differ := 0, 0
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "pam_") {
			continue
		}
		joined++
		asked := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		records := readAll(string(text), asked)
		want := together(set, slices.Clone(records), asked)
		dice := rand.New(rand.NewPCG(1, 1))
		got := mergedSite(t, set, byHost(records), asked, dice, "paris")
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %d findings, want %d:\n%s", path, len(got), len(want), difference(got, want))
		}
		if apart := merged(t, set, byHost(records), asked, dice); !slices.Equal(apart, want) {
			differ++
		}
	}
	if differ < 3 {
		t.Errorf("got %d logs that differ without a site, want more", differ)
	}
	if joined < 4 {
		t.Errorf("got %d logs, want more", joined)
	}
}

// What hosts come to that are counted as one is what a backtest of their logs comes to.
func TestManyHostsAsOne(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	set, err := detect.Load([]string{"strict"})
	if err != nil {
		t.Fatal(err)
	}
	asked := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(3) {
		dice := rand.New(rand.NewPCG(seed, 3))
		var files []string
		hosts, dir := map[string][]event.Record{}, t.TempDir()
		for i := range 4 {
			name := fmt.Sprint("mx", i)
			text := HostLog(name, time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC), dice).String()
			hosts[name] = readAll(text, asked)
			files = append(files, filepath.Join(dir, name+".log"))
			write(t, files[i], text)
		}
		inputs, err := archive.Files(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		e := engine.New(engine.Options{Scenarios: set, Guard: guard.New(guard.Facts{}, guard.Options{})})
		if _, err := replay.Run(t.Context(), inputs, replay.Options{Engine: e, Zone: time.UTC, Result: func(_ string, r *engine.Result) {
			want = describe(want, r.Findings)
		}}); err != nil {
			t.Fatal(err)
		}
		want = describe(want, e.Settle(asked))
		got := merged(t, set, hosts, asked, dice)
		if len(want) < 50 || !slices.Equal(got, want) {
			t.Errorf("seed %d: got %d findings, want %d:\n%s", seed, len(got), len(want), difference(got, want))
		}
	}
}

// difference shows where two lists begin to differ.
func difference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("finding %d\ngot  %q\nwant %q", i, got[min(i, len(got)):min(i+2, len(got))], want[min(i, len(want)):min(i+2, len(want))])
		}
	}
	return "none"
}
