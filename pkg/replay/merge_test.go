package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
)

// named is a source with a name, whose size nobody knows if it is a stream.
type named struct {
	text
	name   string
	stream bool
	opens  *int
}

func (n named) Name() string { return n.name }
func (n named) Size() int64 {
	if n.stream {
		return -1
	}
	return 100
}

func (n named) Read(ctx context.Context, yield func(archive.Block) error) error {
	if n.opens != nil {
		*n.opens++
	}
	return n.text.Read(ctx, yield)
}

type place struct {
	latest       int
	source, line int
}

// The order is that of a stable sort by the latest time so far of each source.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sources []archive.Input
		var want []place
		for i := range rapid.IntRange(1, 5).Draw(t, "sources") {
			n := named{name: fmt.Sprint(i), stream: rapid.Bool().Draw(t, "stream")}
			latest, line := 0, 0
			for range rapid.IntRange(0, 4).Draw(t, "blocks") {
				var block strings.Builder
				for range rapid.IntRange(1, 5).Draw(t, "lines") {
					second := rapid.IntRange(0, 20).Draw(t, "second")
					latest, line = max(latest, second), line+1
					fmt.Fprintf(&block, "Jun  3 04:11:%02d mail postfix/smtpd[42]: connect from a[192.0.2.1]\n", second)
					want = append(want, place{latest, i, line})
				}
				n.text = append(n.text, block.String())
			}
			sources = append(sources, n)
		}
		slices.SortStableFunc(want, func(a, b place) int {
			return cmp.Or(a.latest-b.latest, a.source-b.source, a.line-b.line)
		})
		var got []string
		_, err := Run(context.Background(), sources, Options{Zone: time.UTC, Result: func(source string, r *engine.Result) {
			got = append(got, fmt.Sprintf("%s:%d", source, r.Line))
		}})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range want {
			if i >= len(got) || got[i] != fmt.Sprintf("%d:%d", p.source, p.line) {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
	})
}

// Of rotated files one is read at a time, and a session runs over the border.
func TestRotated(t *testing.T) {
	var opens [2]int
	first := named{text: text{prefix + "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\n"}, name: "mail.log.1", opens: &opens[0]}
	second := named{text: text{strings.Replace(prefix, "04:11", "04:12", 1) + "disconnect from unknown[192.0.2.1] auth=0/1 commands=0/1\n"}, name: "mail.log", opens: &opens[1]}
	var seen []string
	_, err := Run(t.Context(), []archive.Input{first, second}, Options{Zone: time.UTC, Result: func(source string, r *engine.Result) {
		seen = append(seen, fmt.Sprintf("%s %v %d", source, r.Folded, opens))
	}})
	if got, want := fmt.Sprint(seen), "[mail.log.1 false [2 1] mail.log true [2 2]]"; err != nil || got != want {
		t.Errorf("got %s, want %s, error %v", got, want, err)
	}
}

var errDisk = errors.New("the disk is gone")

// broken fails after its blocks.
type broken struct{ text }

func (b broken) Read(ctx context.Context, yield func(archive.Block) error) error {
	if err := b.text.Read(ctx, yield); err != nil {
		return err
	}
	return errDisk
}

func TestOneOfManyFails(t *testing.T) {
	good, bad := text{prefix + "connect from a[192.0.2.1]\n", strings.Replace(prefix, "04:11", "04:12", 1) + "connect from a[192.0.2.1]\n"}, broken{text{prefix + "connect from a[192.0.2.1]\n"}}
	tally, err := Run(t.Context(), []archive.Input{good, bad, endless{}}, Options{Zone: time.UTC, Result: func(string, *engine.Result) {}})
	if !errors.Is(err, errDisk) || tally.Lines != 1+1 {
		t.Errorf("error %v, %d lines, want %q, Lines %d", err, tally.Lines, errDisk, 1+1)
	}
}

// A repetition stands for the line before it in its own source, over the border
// of a block as well.
func TestRepetition(t *testing.T) {
	const failed = prefix + "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\n"
	const repeated = "Jun  3 04:11:10 mail last message repeated 3 times\n"
	one := named{name: "one", text: text{failed, repeated, repeated}}
	two := named{name: "two", text: text{prefix + "connect from a[192.0.2.2]\n" + repeated}}
	attempts := map[string]int{}
	_, err := Run(t.Context(), []archive.Input{one, two}, Options{Zone: time.UTC, Result: func(source string, r *engine.Result) {
		if r.Outcome == event.Noted {
			attempts[source] += r.Attempts
		}
	}})
	if err != nil || attempts["one"] != 7 || attempts["two"] != 0 {
		t.Errorf("%v, error %v", attempts, err)
	}
}

// With Line every line is told in the order in which Step takes the records, and
// Step makes the same of them. A line that is neither witness nor event stays behind
// the record before it.
func TestEveryLine(t *testing.T) {
	sources := func() []archive.Input {
		return []archive.Input{
			named{name: "a", text: text{
				"Jun  3 04:11:01 mx1 postfix/smtpd[42]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\nJun  3 04:11:03 mx1 last message repeated 3 times\n",
				"no header\nJun  3 04:11:05 mx1 kernel: x\n",
			}},
			named{name: "b", text: text{"Jun  3 04:11:02 mx1 postfix/smtpd[43]: news\nJun  3 04:11:04 mx1 postfix/smtpd[43]: warning: unknown[192.0.2.2]: SASL LOGIN authentication failed: x\n"}},
		}
	}
	var results, stepped, lines []string
	say := func(source string, r *engine.Result) string {
		return fmt.Sprintf("%s:%d %s %s %d", source, r.Line, r.Kind, r.Addr, r.Pours())
	}
	if _, err := Run(t.Context(), sources(), Options{Zone: time.UTC, Result: func(source string, r *engine.Result) { results = append(results, say(source, r)) }}); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), sources(), Options{Zone: time.UTC, Line: func(source string, trace engine.Trace, r engine.Result) {
		lines = append(lines, fmt.Sprintf("%s:%d %d", source, trace.Line.Number, len(trace.Line.Text)))
		if r.Record != nil {
			stepped = append(stepped, say(source, &r))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a:1 auth-failed 192.0.2.1 1", "a:2 auth-failed 192.0.2.1 3", "b:2 auth-failed 192.0.2.2 1"}; !slices.Equal(results, want) || !slices.Equal(stepped, want) {
		t.Errorf("results %q, with lines %q, want %q", results, stepped, want)
	}
	if want := []string{"a:1 103", "b:1 43", "a:2 49", "a:3 9", "a:4 29", "b:2 103"}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
}
