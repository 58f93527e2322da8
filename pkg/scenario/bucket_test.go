package scenario

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// A trickle that never stops keeps the bucket as full as it is, however long it
// lasts: one event more overflows.
func TestTrickle(t *testing.T) {
	const leak = int64(time.Second)
	for _, length := range []int64{10, 1<<14 + 10, 1<<15 + 10, 1<<16 + 10, 1<<17 + 10} {
		b := bucket{}
		b.pour(leak, leak, 2)
		b.last = leak
		for n := range length {
			at := (n + 1) * leak
			if b.pour(at, leak, 2) {
				t.Fatalf("overflow after %d events", n)
			}
			b.last = at
		}
		if got := b.level(b.last, leak); got != 2 {
			t.Errorf("after %d events the level is %d, want 2", length, got)
		}
		if !b.pour(b.last, leak, 2) {
			t.Errorf("after %d events one more does not overflow", length)
		}
	}
}

// What a bucket counts of each kind has no bound that an attacker reaches.
func TestManyOfAKind(t *testing.T) {
	const many = 70_000
	e := load(t, "type: counter\nname: test/t\ndescription: x\nfilter: evt.Meta.service == 'postfix'\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 1h\n")
	ev := failure(one, "a", 0)
	e.Pour(ev)
	for _, kind := range []event.Kind{event.RelayDenied, event.NonSMTP} {
		ev.Kind = kind
		for range many {
			e.Pour(ev)
		}
	}
	got := e.Advance(start.Add(time.Hour))
	if len(got) != 1 || fmt.Sprint(got[0].Kinds) != "[{non-smtp 70000} {relay-denied 70000} {auth-failed 1}]" {
		t.Fatalf("%+v", got)
	}
}

// The ends of counters that were cancelled do not pile up.
func TestEndsOfCancelledCounters(t *testing.T) {
	e := load(t, "type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 9000h\ncancel_on: evt.Meta.username == 'ok'\n"+head)
	for i := range 10_000 {
		e.Pour(failure(one, "a", time.Duration(i)*time.Second))
		e.Pour(failure(one, "ok", time.Duration(i)*time.Second))
	}
	if len(e.due) > 2000 {
		t.Errorf("%d ends of one bucket", len(e.due))
	}
}

// A bucket with distinct that has no room for further values counts none of them.
func TestDistinctIsBounded(t *testing.T) {
	set := load(t, "type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 1h\ndistinct: evt.Meta.username\n"+head).set
	for _, most := range []int{1, 3, 16, 17, 40} {
		e := New(set, Limits{Distinct: most})
		for range 2 {
			for i := range 60 {
				e.Pour(failure(one, fmt.Sprint("user", i), 0))
			}
		}
		if got := e.Advance(start.Add(time.Hour)); len(got) != 1 || got[0].Count != most {
			t.Errorf("with room for %d values: %+v", most, got)
		}
	}
}

// The first event of an overflow is that of the earliest time, however late it came.
func TestFirstOfLateLines(t *testing.T) {
	e := load(t, "type: leaky\ngroupby: evt.Meta.source_ip\ncapacity: 2\nleakspeed: 10s\n"+head)
	var got []Overflow
	for _, second := range []int{5, 6, 5, 3, 7} {
		if got = e.Pour(failure(one, "a", time.Duration(second)*time.Second)); len(got) > 0 {
			break
		}
	}
	if len(got) != 1 || !got[0].First.Equal(start.Add(5*time.Second)) {
		t.Fatalf("%+v", got)
	}
	for _, second := range []int{15, 13, 17, 18} {
		got = e.Pour(failure(one, "a", time.Duration(second)*time.Second))
	}
	if len(got) != 1 || !got[0].First.Equal(start.Add(13*time.Second)) || !got[0].Last.Equal(start.Add(18*time.Second)) {
		t.Errorf("%+v", got)
	}
}
