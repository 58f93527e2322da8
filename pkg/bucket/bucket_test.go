package bucket

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
		e := New(set, Limits{Distinct: most}, event.HashKey{})
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
	for _, second := range []int{15, 13, 17} {
		got = e.Pour(failure(one, "a", time.Duration(second)*time.Second))
	}
	if len(got) != 1 || !got[0].First.Equal(start.Add(13*time.Second)) || !got[0].Last.Equal(start.Add(17*time.Second)) {
		t.Errorf("%+v", got)
	}
}

const leakyTwo = "type: leaky\ngroupby: evt.Meta.source_ip\ncapacity: 2\nleakspeed: 10s\n" + head

// The evidence of an overflow begins with the bucket, and an event that is poured
// very often stays one.
func TestEvidenceOfTheBucket(t *testing.T) {
	e := load(t, leakyTwo)
	e.Pour(failure(one, "a", 0))
	var got []Overflow
	for _, second := range []int{100, 101, 102} {
		got = e.Pour(failure(one, "a", time.Duration(second)*time.Second))
	}
	if len(got) != 1 || len(got[0].Evidence) != 3 || !got[0].Evidence[0].Time.Equal(start.Add(100*time.Second)) {
		t.Fatalf("%+v", got)
	}
	e = load(t, "type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 1h\n"+head)
	for range 100 {
		e.Pour(failure(one, "a", 0))
	}
	got = e.Advance(start.Add(time.Hour))
	if len(got) != 1 || len(got[0].Evidence) != 1 || got[0].Evidence[0].Attempts != mostAttempts || got[0].Evidence[0].Kind != event.AuthFailed {
		t.Errorf("%+v", got)
	}
}

// A dead bucket waits for late lines before its memory is given back.
func TestDeadBucketWaitsForLateLines(t *testing.T) {
	e := load(t, leakyTwo)
	e.Pour(failure(one, "a", 0))
	e.Pour(failure(one, "a", time.Second))
	e.Advance(start.Add(5 * time.Minute))
	if got := e.Pour(failure(one, "a", time.Second)); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// At the last moment of its life a bucket still counts.
func TestLevelAtTheEnd(t *testing.T) {
	e := load(t, leakyTwo)
	e.Pour(failure(one, "a", 0))
	for after, want := range map[time.Duration]int{30 * time.Second: 1, 30*time.Second + 1: 0} {
		if got := e.Levels(failure(one, "a", after)); len(got) != 1 || got[0].Total != want {
			t.Errorf("%s: %+v", after, got)
		}
	}
}

// What is forgiven leaves the counts of kinds as well.
func TestForgetKinds(t *testing.T) {
	e := load(t, "type: leaky\nname: test/t\ndescription: x\nfilter: evt.Meta.service == 'postfix'\ngroupby: evt.Meta.source_range\ncapacity: 2\nleakspeed: 1h\nscope: {type: Range}\n")
	e.Pour(failure(two, "a", 0))
	other := failure(one, "a", time.Second)
	other.Kind = event.RelayDenied
	e.Pour(other)
	e.Forget(other.Addr)
	e.Pour(failure(two, "a", 2*time.Second))
	if got := e.Pour(failure(two, "a", 3*time.Second)); len(got) != 1 || fmt.Sprint(got[0].Kinds) != "[{auth-failed 3}]" {
		t.Errorf("%+v", got)
	}
}

// Only a guillotine stays true, and a probability must be above the threshold.
func TestBayesianBounds(t *testing.T) {
	const text = "type: bayesian\ngroupby: evt.Meta.source_ip\ncapacity: -1\nleakspeed: 1h\nbayesian_prior: 0.5\nbayesian_threshold: %s\nbayesian_conditions:\n" +
		"- {condition: evt.Meta.username == 'a', prob_given_evil: 0.75, prob_given_benign: 0.25}\n" +
		"- {condition: evt.Meta.username == 'b', prob_given_evil: 0.75, prob_given_benign: 0.25}\n" + head
	for threshold, want := range map[string]int{"0.5": 0, "0.49": 3} {
		e, told := load(t, fmt.Sprintf(text, threshold)), 0
		for i, user := range []string{"a", "b", "a"} {
			told += len(e.Pour(failure(one, user, time.Duration(i)*time.Second)))
		}
		if told != want {
			t.Errorf("threshold %s: %d overflows, want %d", threshold, told, want)
		}
	}
}

// A bucket that was begun before the clock ran ahead, and used after, is emptied.
func TestRewindOfALaterUse(t *testing.T) {
	e := load(t, "type: leaky\ngroupby: evt.Meta.source_ip\ncapacity: 5\nleakspeed: 1h\n"+head)
	e.Pour(failure(one, "a", 0))
	e.Pour(failure(one, "a", time.Hour/2))
	e.Rewind(start.Add(time.Minute))
	if s := e.Stats(); s.Sources != 0 {
		t.Errorf("%+v", s)
	}
}

// The texts of a full queue are those of its events.
func TestQueuedTextsAreFreed(t *testing.T) {
	e := load(t, "type: conditional\ngroupby: evt.Meta.source_ip\ncapacity: 2\nleakspeed: 1h\ncondition: any(queue.Queue, {.Meta.username == 'x'})\n"+head)
	for i := range 20 {
		e.Pour(failure(one, fmt.Sprint("u", i), time.Duration(i)*time.Second))
	}
	if got := e.events.Len(); got != 3 {
		t.Errorf("%d texts, want 3", got)
	}
}
