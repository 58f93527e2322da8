package bucket

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// The words of a bucket keep what was put into them, in whatever order that was.
func TestDetail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New(&scenario.Set{}, Limits{Distinct: rapid.SampledFrom([]int{3, fewValues + 1, 1000}).Draw(t, "distinct")}, event.HashKey{})
		limit := rapid.IntRange(1, 9).Draw(t, "queue")
		stride := uint8(rapid.IntRange(strideFacts, strideAll).Draw(t, "stride"))
		var b bucket
		seen, kinds, queue := map[uint64]bool{}, map[uint8]int{}, []expression.Facts{}
		values := rapid.Uint64Range(1, 200)
		for i := range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case what < 5:
				value := values.Draw(t, "value")
				l, w := e.needDetail(&b)
				if l.holds(w, value) != seen[value] {
					t.Fatalf("value %d: held %v, seen %v", value, l.holds(w, value), seen[value])
				}
				if !seen[value] && len(seen) < e.limits.Distinct {
					e.addValue(&b, l, value)
					seen[value] = true
				}
			case what < 8:
				e.enqueue(&b, queued{facts: expression.Facts(i), time: int64(i), hi: 1, lo: uint64(i)}, stride, limit)
				queue = append(queue, expression.Facts(i))
				queue = queue[max(0, len(queue)-limit):]
			case what < 9:
				kind := rapid.SampledFrom([]uint8{5, 6, 7}).Draw(t, "kind")
				e.countMore(&b, event.Kind(kind))
				kinds[kind]++
			default:
				e.silence(&b, int64(i))
			}
			l, w := e.detailOf(&b)
			var got []expression.Facts
			for n := range int(l.queued) {
				q := queuedOf(l.nth(w, n))
				if got = append(got, q.facts); stride == strideAll && (q.time != int64(q.facts) || q.lo != uint64(q.facts)) {
					t.Fatalf("%+v", q)
				}
			}
			if !slices.Equal(got, queue) {
				t.Fatalf("queue %v, want %v", got, queue)
			}
			if int(l.kinds) != len(kinds) || int(l.values) != len(seen) {
				t.Fatalf("%+v: %d kinds, %d values", l, len(kinds), len(seen))
			}
			for _, word := range w[min(kindsWord, len(w)) : l.set()*min(1, len(w))] {
				if n := kinds[uint8(word>>kindShift)]; n != int(uint32(word)) {
					t.Fatalf("kind %d counted %d times, want %d", word>>kindShift, uint32(word), n)
				}
			}
		}
		e.restart(&b)
		silent := e.silentUntil(&b) != 0
		if l, w := e.detailOf(&b); silent && len(w) != kindsWord || !silent && w != nil || l != (layout{}) {
			t.Fatalf("after a restart: %+v, %v", l, w)
		}
	})
}

// More scenarios than a group has bits for.
func TestManyScenarios(t *testing.T) {
	var text strings.Builder
	for i := range 90 {
		fmt.Fprintf(&text, "---\ntype: leaky\nname: test/%d\ndescription: test\nfilter: evt.Meta.username contains 'u%02d'\n"+
			"groupby: evt.Meta.source_ip\ncapacity: 1\nleakspeed: 1h\n", i, i)
	}
	e := load(t, text.String())
	told := map[string]int{}
	pour := func(i int) {
		for _, o := range e.Pour(failure(one, fmt.Sprintf("u%02d", i), time.Duration(i)*time.Second)) {
			told[o.Scenario.Name]++
		}
	}
	for i := range 90 {
		pour(i * 37 % 90) // in no order
	}
	restored := New(e.set, Limits{}, event.HashKey{})
	if err := restore(restored, e.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	e = restored
	if s := e.Stats(); s.Buckets != 90 || s.Sources != 1 || len(told) != 0 {
		t.Fatalf("%+v, told %v", s, told)
	}
	for i := range 90 {
		if pour(i * 53 % 90); told[fmt.Sprintf("test/%d", i*53%90)] != 1 {
			t.Fatalf("scenario %d did not overflow at its second event", i*53%90)
		}
	}
	e.Advance(start.Add(24 * time.Hour))
	if s := e.Stats(); s.Buckets != 0 || s.Sources != 0 {
		t.Errorf("%+v", s)
	}
}
