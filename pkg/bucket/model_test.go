package bucket

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/event"
	"csmail/pkg/scenario/expression"
)

// model is a leaky bucket as its definition has it: each event drains leak after
// the one before, or after its own time if the bucket was empty. It overflows when
// it holds more than capacity events that have not drained.
type model struct {
	capacity        int
	leak, blackhole time.Duration
	drains          map[string][]time.Duration
	silent          map[string]time.Duration
}

func (m *model) pour(key string, t time.Duration) bool {
	drains := m.drains[key]
	from := t
	if n := len(drains); n > 0 {
		from = max(from, drains[n-1])
	}
	drains = append(drains, from+m.leak)
	drains = slices.DeleteFunc(drains, func(at time.Duration) bool { return at <= t })
	m.drains[key] = drains
	if len(drains) <= m.capacity {
		return false
	}
	delete(m.drains, key)
	if m.silent[key] > t {
		return false
	}
	m.silent[key] = t + m.blackhole
	return true
}

type happening struct {
	addr string
	user string
	at   time.Duration
}

func (h happening) event() *event.Event { return failure(h.addr, h.user, h.at) }

func drawHappenings(t *rapid.T, most int) []happening {
	n := rapid.IntRange(1, most).Draw(t, "n")
	list := make([]happening, n)
	for i := range list {
		list[i] = happening{
			addr: rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1", "2001:db8::2", "203.0.113.9"}).Draw(t, "addr"),
			user: rapid.SampledFrom([]string{"bob", "alice", "eve", "info"}).Draw(t, "user"),
			at:   time.Duration(rapid.IntRange(0, 400).Draw(t, "at")) * 250 * time.Millisecond,
		}
	}
	return list
}

func sorted(list []happening) []happening {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b happening) int { return cmp.Compare(a.at, b.at) })
	return list
}

func leakyText(capacity int, leak, blackhole time.Duration, more string) string {
	return fmt.Sprintf("type: leaky\nname: test/leaky\ndescription: test\nfilter: evt.Meta.kind == 'auth-failed'\n"+
		"groupby: evt.Meta.source_ip\ncapacity: %d\nleakspeed: %s\nblackhole: %s\n%s", capacity, leak, blackhole, more)
}

func TestLeakyIsCapacityPlusOneUndrained(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			capacity: rapid.IntRange(1, 5).Draw(t, "capacity"), leak: time.Duration(rapid.IntRange(1, 40).Draw(t, "leak")) * time.Second,
			blackhole: time.Duration(rapid.IntRange(0, 60).Draw(t, "blackhole")) * time.Second,
			drains:    map[string][]time.Duration{}, silent: map[string]time.Duration{},
		}
		e := load(t, leakyText(m.capacity, m.leak, m.blackhole, ""))
		for _, h := range sorted(drawHappenings(t, 80)) {
			want, got := m.pour(h.addr, h.at), e.Pour(h.event())
			if want != (len(got) == 1) {
				t.Fatalf("%s at %s: overflow %v, the model says %v", h.addr, h.at, len(got), want)
			}
			if len(got) == 1 && got[0].Value != h.addr {
				t.Fatalf("overflow of %q, want %q", got[0].Value, h.addr)
			}
		}
	})
}

// several is one scenario of each sort.
const several = `
type: leaky
name: test/bf
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: 3
leakspeed: 10s
blackhole: 20s
---
type: leaky
name: test/users
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_block
distinct: evt.Meta.account
capacity: 1
leakspeed: 60s
---
type: leaky
name: test/range
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_range
distinct: evt.Meta.source_ip
capacity: 1
leakspeed: 60s
scope: {type: Range, expression: evt.Meta.source_range}
---
type: trigger
name: test/trigger
description: test
filter: evt.Meta.username == 'eve'
groupby: evt.Meta.source_ip
blackhole: 30s
---
type: leaky
name: test/account
description: test
filter: evt.Meta.kind == 'auth-failed' && evt.Meta.username != ''
groupby: evt.Meta.username
distinct: evt.Meta.source_block
capacity: 2
leakspeed: 60s
scope: {type: Username, expression: evt.Meta.username}
---
type: counter
name: test/counter
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: -1
duration: 30s
overflow_filter: leaky.Total_count >= 3
---
type: conditional
name: test/conditional
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: -1
leakspeed: 60s
condition: len(queue.Queue) >= 3 && queue.Queue[-1].Meta.username == 'info'
---
type: bayesian
name: test/bayesian
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: -1
leakspeed: 60s
bayesian_prior: 0.5
bayesian_threshold: 0.9
bayesian_conditions:
  - {condition: "any(queue.Queue, {.Meta.username == 'bob'})", prob_given_evil: 0.8, prob_given_benign: 0.2, guillotine: true}
  - {condition: "len(queue.Queue) > 2", prob_given_evil: 0.8, prob_given_benign: 0.2}
`

// summary is what must not change of an overflow.
func summary(list []Overflow) string {
	text := ""
	for _, o := range list {
		text += fmt.Sprintf("%s %s %s %v %d %s %s %v %v %d", o.Scenario.Name, o.Scope, o.Value, o.Sources, o.Count, o.First, o.Last, o.Kinds, o.Services, len(o.Evidence))
		for _, e := range o.Evidence {
			text += fmt.Sprintf(" [%s %s %d %q]", e.Time, e.Addr, e.Attempts, e.Message)
		}
		text += "\n"
	}
	return text
}

func TestOrderOfEqualTimesDoesNotMatter(t *testing.T) {
	set := load(t, several).set
	isOrdered := func(name string) bool {
		return name == "test/bf" || name == "test/trigger"
	}
	rapid.Check(t, func(t *rapid.T) {
		list := drawHappenings(t, 60)
		for i := range list {
			list[i].at = list[i].at.Truncate(5 * time.Second)
		}
		other := slices.Clone(list)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		r.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		var sets [2][]string
		for i, log := range [][]happening{sorted(list), sorted(other)} {
			e := New(set, Limits{Texts: 32}, event.HashKey{})
			for _, h := range log {
				for _, o := range e.Pour(h.event()) {
					if isOrdered(o.Scenario.Name) {
						sets[i] = append(sets[i], fmt.Sprint(o.Scenario.Name, o.Value, o.Count, o.Last))
					}
				}
			}
			slices.Sort(sets[i])
		}
		if !slices.Equal(sets[0], sets[1]) {
			t.Fatalf("in one order %q, in another %q", sets[0], sets[1])
		}
	})
}

func TestLateLinesInventNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := leakyText(rapid.IntRange(1, 4).Draw(t, "capacity"), time.Duration(rapid.IntRange(1, 30).Draw(t, "leak"))*time.Second, 0, "")
		log := sorted(drawHappenings(t, 60))
		arrival := slices.Clone(log)
		for range rapid.IntRange(0, 6).Draw(t, "late") {
			from := rapid.IntRange(0, len(log)-1).Draw(t, "from")
			to := rapid.IntRange(from, len(log)-1).Draw(t, "to")
			h := arrival[from]
			arrival = slices.Insert(slices.Delete(arrival, from, from+1), to, h)
		}
		late := load(t, text)
		set := late.set
		told := map[string]int{}
		for i, h := range arrival {
			for _, o := range late.Pour(h.event()) {
				told[o.Value]++
			}
			inOrder := map[string]int{}
			e := New(set, Limits{Texts: 1}, event.HashKey{})
			for _, h := range sorted(arrival[:i+1]) {
				for _, o := range e.Pour(h.event()) {
					inOrder[o.Value]++
				}
			}
			for addr, n := range told {
				if n > inOrder[addr] {
					t.Fatalf("%s overflows %d times with late lines, %d times in order, after %v", addr, n, inOrder[addr], arrival[:i+1])
				}
			}
		}
	})
}

func TestSnapshotChangesNothing(t *testing.T) {
	set := load(t, several).set
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Sources: rapid.SampledFrom([]int{1, 2, 3, 8, 100}).Draw(t, "sources"), Texts: 7}
		whole, parts := New(set, limits, event.HashKey{1}), New(set, limits, event.HashKey{2})
		for _, h := range drawHappenings(t, 80) {
			if rapid.IntRange(0, 4).Draw(t, "snapshot") == 0 {
				fresh := New(set, limits, event.HashKey{3})
				if err := restore(fresh, parts.AppendSnapshot([]byte("before"))[len("before"):]); err != nil {
					t.Fatal(err)
				}
				parts = fresh
			}
			want, got := summary(whole.Pour(h.event())), summary(parts.Pour(h.event()))
			if want != got {
				t.Fatalf("without a snapshot\n%s\nwith one\n%s", want, got)
			}
			now := start.Add(h.at + 40*time.Second)
			if rapid.IntRange(0, 4).Draw(t, "tick") == 0 {
				if want, got := summary(whole.Advance(now)), summary(parts.Advance(now)); want != got {
					t.Fatalf("tick without a snapshot\n%s\nwith one\n%s", want, got)
				}
			}
		}
		if want, got := whole.Stats(), parts.Stats(); want != got {
			t.Fatalf("without a snapshot %+v, with one %+v", want, got)
		}
	})
}

func TestEvictionInventsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := leakyText(rapid.IntRange(1, 4).Draw(t, "capacity"), time.Duration(rapid.IntRange(1, 30).Draw(t, "leak"))*time.Second, 0, "")
		set := load(t, text).set
		large, small := New(set, Limits{Texts: 1}, event.HashKey{}), New(set, Limits{Texts: 1, Sources: rapid.IntRange(1, 3).Draw(t, "limit")}, event.HashKey{})
		balance := map[string]int{}
		for _, h := range sorted(drawHappenings(t, 120)) {
			for _, o := range large.Pour(h.event()) {
				balance[o.Value]++
			}
			for _, o := range small.Pour(h.event()) {
				if balance[o.Value]--; balance[o.Value] < 0 {
					t.Fatalf("%s overflows more often where sources are forgotten", o.Value)
				}
			}
		}
	})
}

func TestEvictionKeepsSilence(t *testing.T) {
	set := load(t, leakyText(1, 10*time.Second, time.Hour, "")).set
	e := New(set, Limits{Sources: 2}, event.HashKey{})
	told := 0
	for i := range 200 {
		addr := "192.0.2.1"
		if i%4 >= 2 {
			addr = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String()
		}
		for _, o := range e.Pour(failure(addr, "bob", time.Duration(i)*time.Second)) {
			if o.Value == "192.0.2.1" {
				told++
			}
		}
	}
	if told != 1 || e.Stats().Evicted == 0 {
		t.Errorf("told %d times within the blackhole, %d evicted", told, e.Stats().Evicted)
	}
}

// TestFactsAreTheQueue compares the two ways in which the events of a queue are
// shown to an expression, for queues of any length, and what an expression that is
// native and the same one as a program say of them.
func TestFactsAreTheQueue(t *testing.T) {
	const text = "---\ntype: leaky\nname: test/%s\ndescription: test\nfilter: \"true\"\ngroupby: evt.Meta.source_ip\n" +
		"capacity: 4\nleakspeed: 1h\noverflow_filter: %s\n"
	const source = "count(queue.Queue, {.Meta.kind == 'auth-failed'}) %s %d and len(queue.Queue) == %d"
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 8).Draw(t, "events")
		filter := fmt.Sprintf(source, rapid.SampledFrom([]string{"==", "<", ">="}).Draw(t, "op"), rapid.IntRange(0, 5).Draw(t, "number"), min(most, 5))
		e := load(t, fmt.Sprintf(text, "native", filter)+fmt.Sprintf(text, "program", filter+" and TimeNow() != ''"))
		native, program := e.set.Scenarios()[0], e.set.Scenarios()[1]
		if native.OverflowFilter.Needs() != expression.NeedsFacts || program.OverflowFilter.Needs() != expression.NeedsQueue {
			t.Fatalf("%s needs %d, as a program %d", filter, native.OverflowFilter.Needs(), program.OverflowFilter.Needs())
		}
		g, s := &group{bits: 128}, native
		var b bucket
		var want []string
		for i := range most {
			ev := failure("192.0.2.1", "bob", time.Duration(i)*time.Minute)
			ev.Kind = rapid.SampledFrom([]event.Kind{event.AuthFailed, event.NoHostname, event.Pregreet}).Draw(t, "kind")
			ev.Service = rapid.SampledFrom([]event.Service{event.Postfix, event.Dovecot}).Draw(t, "service")
			e.begin(ev)
			e.hold(s, g, &b)
			want = append(want, ev.Kind.String()+" of "+ev.Service.String())
		}
		want = want[max(0, len(want)-5):]
		facts, queue := e.appendFacts(nil, &b), e.queueView(&b, s).Queue
		var asFacts, asQueue []string
		for _, f := range facts {
			asFacts = append(asFacts, f.Kind().String()+" of "+f.Service().String())
		}
		for _, evt := range queue {
			asQueue = append(asQueue, evt.Meta["kind"]+" of "+evt.Meta["service"])
		}
		if !slices.Equal(asFacts, want) || !slices.Equal(asQueue, want) {
			t.Fatalf("%q as facts %q, as a queue %q", want, asFacts, asQueue)
		}
		e.turnTo()
		fast, _ := e.decide(s, &b, native.OverflowFilter)
		if slow, ok := e.decide(s, &b, program.OverflowFilter); !ok || slow != fast {
			t.Fatalf("%s: native %v, expr %v (%v)", filter, fast, slow, ok)
		}
	})
}
