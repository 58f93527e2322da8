package bucket

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/wire"
)

// restore reads a snapshot by a few bytes at a time.
func restore(e *Engine, b []byte) error {
	return e.Restore(func() (wire.Next, error) { return slowly(b, nil), nil })
}

// slowly returns at most seven bytes at a time. With an error it fails near the end.
func slowly(rest []byte, err error) wire.Next {
	return func() ([]byte, error) {
		if err != nil && len(rest) < 9 {
			return nil, err
		}
		if len(rest) == 0 {
			return nil, nil
		}
		piece := rest[:min(len(rest), 7)]
		rest = rest[len(piece):]
		return piece, nil
	}
}

// An error in reading comes back, whether it comes the first or the second time, and
// the engine is as it was.
func TestRestoreReaderFails(t *testing.T) {
	e := load(t, several)
	e.Pour(failure("192.0.2.1", "bob", 0))
	want, failed := e.AppendSnapshot(nil), errors.New("the disk is gone")
	for failing := range 2 {
		for _, isOpened := range []bool{false, true} {
			calls := -1
			err := e.Restore(func() (wire.Next, error) {
				switch calls++; {
				case calls != failing:
					return slowly(want, nil), nil
				case isOpened:
					return slowly(want, failed), nil
				}
				return nil, failed
			})
			if !errors.Is(err, failed) || !bytes.Equal(e.AppendSnapshot(nil), want) {
				t.Errorf("call %d, opened %t: got error %v, want %v and the state of before", failing, isOpened, err, failed)
			}
		}
	}
}

func TestRestoreErrors(t *testing.T) {
	e := load(t, several)
	e.Pour(failure("192.0.2.1", "bob", 0))
	whole := e.AppendSnapshot(nil)
	bad := slices.Clone(whole)
	bad[len(bad)/2] ^= 1
	newer := slices.Clone(whole)
	newer[len(snapshotMagic)-1] = 9
	for name, test := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing": {nil, "not a state of the scenarios"},
		"another": {[]byte("something that is quite another thing"), "not a state of the scenarios"},
		"cut":     {whole[:len(whole)-9], "the state of the scenarios is damaged"},
		"changed": {bad, "the state of the scenarios is damaged"},
		"newer":   {newer, "the state of the scenarios has version 9, this csmail reads version 3"},
	} {
		if err := restore(e, test.b); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e.Stats().Sources == 0 {
		t.Error("a failed restore emptied the engine")
	}
}

// moves are the two ways in which the state comes into another engine.
var moves = map[string]func(from, to *Engine) error{
	"restored":   func(from, to *Engine) error { return restore(to, from.AppendSnapshot(nil)) },
	"taken over": func(from, to *Engine) error { to.TakeOver(from); return nil },
}

// TestChangedScenarioStartsEmpty moves the state to a set in which one scenario has
// another capacity, one stands elsewhere, and one has another text only.
func TestChangedScenarioStartsEmpty(t *testing.T) {
	doc := func(name, rest string) string {
		return "---\ntype: leaky\nname: " + name + "\nfilter: evt.Meta.kind == 'auth-failed'\ngroupby: evt.Meta.source_ip\nleakspeed: 1h\n" + rest
	}
	for name, move := range moves {
		before := load(t, doc("t/a", "capacity: 5\ndescription: d\n")+doc("t/b", "capacity: 5\ndescription: d\n"))
		before.Pour(failure("192.0.2.1", "bob", 0))
		after := load(t, doc("t/b", "capacity: 5\ndescription: other words\n")+doc("t/a", "capacity: 6\ndescription: d\n"))
		if err := move(before, after); err != nil {
			t.Fatal(err)
		}
		levels := after.LevelsOf(netip.MustParseAddr("192.0.2.1"))
		if len(levels) != 1 || levels[0].Scenario.Name != "t/b" || levels[0].Total != 1 {
			t.Errorf("%s: got %+v, want one of t/b", name, levels)
		}
		after.Pour(failure("192.0.2.1", "bob", time.Second))
		if levels := after.LevelsOf(netip.MustParseAddr("192.0.2.1")); len(levels) != 2 || levels[0].Total+levels[1].Total != 3 {
			t.Errorf("%s: got %+v after one more, want two of t/b and one of t/a", name, levels)
		}
	}
}

// A scenario that is no more leaves nothing behind when its state is moved.
func TestDroppedScenarioTakesNoRoom(t *testing.T) {
	const text = "type: leaky\nname: t/gone\nfilter: evt.Meta.kind == 'auth-failed'\ngroupby: evt.Meta.source_range\ndistinct: evt.Meta.username\n" +
		"leakspeed: 1h\ncapacity: 5\ndescription: d\nscope: {type: host, expression: evt.Meta.machine}\n"
	for name, move := range moves {
		before := load(t, text)
		for i := range 3 {
			before.Pour(failure(fmt.Sprintf("192.0.2.%d", i), fmt.Sprint("u", i), time.Duration(i)*time.Second))
		}
		if before.words.Taken() == 0 || before.events.Len() == 0 {
			t.Fatalf("got %d words and %d events before, want some", before.words.Taken(), before.events.Len())
		}
		after := load(t, strings.Replace(text, "capacity: 5", "capacity: 6", 1))
		if err := move(before, after); err != nil {
			t.Fatal(err)
		}
		if after.words.Taken() != 0 || after.events.Len() != 0 || after.Stats().Buckets != 0 {
			t.Errorf("%s: got %d words, %d events and %d buckets, want none", name, after.words.Taken(), after.events.Len(), after.Stats().Buckets)
		}
	}
}

// An engine that takes over goes on as one that restores a snapshot, with scenarios that
// stand elsewhere or are no more.
func TestTakeOverEqualsRestore(t *testing.T) {
	docs := strings.Split(several, "---\n")
	slices.Reverse(docs)
	for name, text := range map[string]string{"the same": several, "in another order": strings.Join(docs, "---\n"), "fewer": strings.Join(docs[1:], "---\n")} {
		pour := func(e *Engine, from, to int) (found []Overflow) {
			for i := from; i < to; i++ {
				ev := failure(fmt.Sprintf("192.0.2.%d", i%7), fmt.Sprint("u", i%5), time.Duration(i)*time.Minute)
				found = append(found, e.Pour(ev)...)
			}
			return append(found, e.Advance(stamp(e.now).Add(24*time.Hour))...)
		}
		taken, restored, before := load(t, text), load(t, text), load(t, several)
		for i := range 60 {
			before.Pour(failure(fmt.Sprintf("192.0.2.%d", i%7), fmt.Sprint("u", i%5), time.Duration(i)*time.Minute))
		}
		if err := restore(restored, before.AppendSnapshot(nil)); err != nil {
			t.Fatal(err)
		}
		taken.TakeOver(before)
		if got, want := taken.AppendSnapshot(nil), restored.AppendSnapshot(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: got a snapshot of %d bytes, want the same %d as of the restored one", name, len(got), len(want))
		}
		if got, want := pour(taken, 60, 200), pour(restored, 60, 200); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %d overflows, want the same %d as of the restored one", name, len(got), len(want))
		}
	}
}

// A snapshot that an older csmail of the same version wrote is read, and written again
// byte by byte.
func TestSnapshotOfAnOlderRelease(t *testing.T) {
	want, err := os.ReadFile("testdata/snapshot-3")
	if err != nil {
		t.Fatal(err)
	}
	e := load(t, several)
	if err := restore(e, want); err != nil {
		t.Fatal(err)
	}
	if got := e.AppendSnapshot(nil); !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d others: if the layout has changed, change the version", len(got), len(want))
	}
}

// An engine that was restored, and one that was not, have the same snapshot after the same
// events: also where a full queue has come round.
func TestSnapshotOfAQueueThatCameRound(t *testing.T) {
	const scenario = `
type: leaky
name: test/range
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_range
capacity: 3
leakspeed: 1s
scope: {type: Range, expression: evt.Meta.source_range}
`
	one, at := load(t, scenario), 0
	pour := func(e *Engine, from, to int) {
		for i := from; i < to; i++ {
			e.Pour(failure(fmt.Sprintf("192.0.2.%d", i), "bob", time.Duration(i)*900*time.Millisecond))
		}
	}
	for _, n := range []int{3, 5, 9, 10} {
		pour(one, at, n)
		at = n
		other := load(t, scenario)
		if err := restore(other, one.AppendSnapshot(nil)); err != nil {
			t.Fatal(err)
		}
		straight := load(t, scenario)
		pour(straight, 0, n+3)
		pour(other, n, n+3)
		if got, want := other.AppendSnapshot(nil), straight.AppendSnapshot(nil); !bytes.Equal(got, want) {
			t.Errorf("restored after %d events: got %d bytes that differ from the %d of an engine that was not restored", n, len(got), len(want))
		}
	}
}
