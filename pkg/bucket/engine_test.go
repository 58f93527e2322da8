package bucket

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
}

// load makes an engine of scenario documents.
func load(t failer, text string) *Engine {
	t.Helper()
	set, err := scenario.Load(fstest.MapFS{"s.yaml": {Data: []byte(text)}}, "s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return New(set, Limits{Texts: 32}, event.HashKey{})
}

func failure(addr, user string, after time.Duration) *event.Event {
	return &event.Event{
		Time: start.Add(after), Service: event.Postfix, Program: "postfix/smtpd", Kind: event.AuthFailed, Attempts: 1,
		Addr: netip.MustParseAddr(addr), User: user,
		Message: "warning: unknown[" + addr + "]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
	}
}

const bruteForce = `
type: leaky
name: test/bf
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_block
capacity: 2
leakspeed: 10s
blackhole: 1m
`

// at is one event of a table: seconds after start, address, user.
type at struct {
	seconds float64
	addr    string
	user    string
}

// run pours the events, ticks to the end and names what overflowed:
// "value count@seconds".
func run(t *testing.T, text string, log []at, end float64) []string {
	t.Helper()
	e := load(t, text)
	var got []string
	note := func(list []Overflow) {
		for _, o := range list {
			got = append(got, fmt.Sprintf("%s %d@%g", o.Value, o.Count, o.Last.Sub(start).Seconds()))
		}
	}
	for _, a := range log {
		note(e.Pour(failure(a.addr, a.user, time.Duration(a.seconds*float64(time.Second)))))
	}
	note(e.Advance(start.Add(time.Duration(end * float64(time.Second)))))
	return got
}

func each(addr string, users string, seconds ...float64) []at {
	var log []at
	names := strings.Fields(users)
	for i, s := range seconds {
		log = append(log, at{s, addr, names[i%len(names)]})
	}
	return log
}

const one, two, head = "192.0.2.1", "192.0.2.2", "name: test/t\ndescription: test\nfilter: evt.Meta.kind == 'auth-failed'\n"

func TestTypes(t *testing.T) {
	leaky := "type: leaky\ngroupby: evt.Meta.source_ip\ncapacity: 2\nleakspeed: 10s\n" + head
	tests := map[string]struct {
		text string
		log  []at
		want []string
	}{
		"leaky overflows on the third of three":        {leaky, each(one, "a", 0, 1, 2), []string{"192.0.2.1 3@2"}},
		"leaky at its pace never overflows":            {leaky, each(one, "a", 0, 10.1, 20.2, 30.3, 40.4, 50.5), nil},
		"leaky counts what has leaked too":             {leaky, each(one, "a", 0, 5, 11, 12, 13), []string{"192.0.2.1 4@12"}},
		"leaky starts afresh after an overflow":        {leaky, each(one, "a", 0, 1, 2, 3, 4, 5), []string{"192.0.2.1 3@2", "192.0.2.1 3@5"}},
		"leaky counts from zero after it was dead":     {leaky, each(one, "a", 0, 30.1, 30.2, 30.3), []string{"192.0.2.1 3@30.3"}},
		"leaky goes on until it is dead":               {leaky, each(one, "a", 0, 29.9, 30, 30.1), []string{"192.0.2.1 4@30.1"}},
		"leaky dies after its last moment only":        {leaky, each(one, "a", 0, 30, 30.1, 30.2), []string{"192.0.2.1 4@30.2"}},
		"leaky counts a late line":                     {leaky, each(one, "a", 0, 5, 3), []string{"192.0.2.1 3@5"}},
		"leaky counts a line before its first":         {leaky, each(one, "a", 41, 40, 41), []string{"192.0.2.1 3@41"}},
		"leaky counts lines of four hosts in turn":     {leaky, each(one, "a", 43, 41, 42, 40, 43), []string{"192.0.2.1 3@43"}},
		"leaky begins no more than a leak earlier":     {leaky, each(one, "a", 41, 30.9, 41), nil},
		"leaky lets a line go that had leaked":         {leaky, each(one, "a", 40, 0, 41, 42), []string{"192.0.2.1 4@42"}},
		"leaky by address":                             {leaky, []at{{0, one, "a"}, {1, two, "a"}, {2, one, "a"}, {3, two, "a"}, {4, two, "a"}}, []string{"192.0.2.2 3@4"}},
		"blackhole silences":                           {leaky + "blackhole: 10s\n", each(one, "a", 0, 1, 2, 3, 4, 5, 6, 7, 12.5), []string{"192.0.2.1 3@2", "192.0.2.1 3@12.5"}},
		"distinct counts users":                        {leaky + "distinct: evt.Meta.username\n", each(one, "a a b b a b C c d", 0, 1, 2, 3, 4, 5, 6, 7, 8), []string{"192.0.2.1 3@6"}},
		"cancel_on empties":                            {leaky + "cancel_on: evt.Meta.username == 'ok'\n", each(one, "a a ok a a a", 0, 1, 2, 3, 4, 5), []string{"192.0.2.1 3@5"}},
		"overflow_filter drops, and does not silence":  {leaky + "blackhole: 1h\noverflow_filter: any(queue.Queue, {.Meta.username == 'x'})\n", each(one, "a a a a x a", 0, 1, 2, 3, 4, 5), []string{"192.0.2.1 3@5"}},
		"overflow_filter that fails drops nothing":     {leaky + "overflow_filter: queue.Queue[7].Meta.username == 'x'\n", each(one, "a", 0, 1, 2), []string{"192.0.2.1 3@2"}},
		"overflow_filter that reads evt drops nothing": {leaky + "overflow_filter: evt.Meta.kind == 'pregreet'\n", each(one, "a", 0, 1, 2), []string{"192.0.2.1 3@2"}},
		"distinct that fails counts every event":       {leaky + "distinct: Split(evt.Meta.username, '@')[1]\n", each(one, "a a x@b a", 0, 1, 2, 3), []string{"192.0.2.1 3@2"}},
		"groupby that fails counts no event":           {"type: leaky\ngroupby: Split(evt.Meta.username, '@')[1]\ncapacity: 1\nleakspeed: 1m\n" + head, each(one, "a a a x@b x@b", 0, 1, 2, 3, 4), []string{"192.0.2.1 2@4"}},
		"scope that fails tells of nobody, and silences": {"type: leaky\ngroupby: evt.Meta.source_ip\ncapacity: 1\nleakspeed: 1m\nblackhole: 10s\n" +
			"scope: {type: Domain, expression: \"Split(evt.Meta.username, '@')[1]\"}\n" + head, each(one, "x@b x x@b x@b x@b x@b", 0, 1, 2, 3, 12, 13), []string{"b 2@13"}},
		"trigger": {"type: trigger\ngroupby: evt.Meta.source_ip\nblackhole: 5s\n" + head, each(one, "a", 0, 1, 5, 6), []string{"192.0.2.1 1@0", "192.0.2.1 1@5"}},
		"counter ends by time": {
			"type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 30s\n" + head, each(one, "a", 0, 10, 29, 31, 50),
			[]string{"192.0.2.1 3@30", "192.0.2.1 2@61"},
		},
		"counter with overflow_filter": {
			"type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 30s\noverflow_filter: leaky.Total_count > 2\n" + head,
			each(one, "a", 0, 10, 29, 31, 50),
			[]string{"192.0.2.1 3@30"},
		},
		"counter knows when its last event came": {
			"type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 30s\noverflow_filter: (leaky.Last_ts - leaky.First_ts).Seconds() > 20 && leaky.Ovflw_ts > leaky.Last_ts\n" + head,
			each(one, "a", 0, 19, 31, 52),
			[]string{"192.0.2.1 2@61"},
		},
		"counter begun anew ends by its own time": {
			"type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 30s\ncancel_on: evt.Meta.username == 'ok'\n" + head,
			each(one, "a ok a a", 0, 10, 20, 35),
			[]string{"192.0.2.1 2@50"},
		},
		"a late line begins no counter before the end of the one before": {
			"type: counter\ngroupby: evt.Meta.source_ip\ncapacity: -1\nduration: 30s\n" + head,
			[]at{{0, one, "a"}, {40, two, "a"}, {20, one, "a"}},
			[]string{"192.0.2.1 1@30", "192.0.2.1 1@60", "192.0.2.2 1@70"},
		},
		"conditional by the median interval": {
			"type: conditional\ngroupby: evt.Meta.source_ip\ncapacity: -1\nleakspeed: 4h\ncondition: |\n" +
				"  len(queue.Queue) >= 4 && MedianInterval(map(queue.Queue[-4:], {#.Time})) >= duration(\"20m\")\n" + head,
			each(one, "a", 0, 1, 2, 3, 1300, 2600, 3900),
			[]string{"192.0.2.1 6@2600"},
		},
		"bayesian": {
			"type: bayesian\ngroupby: evt.Meta.source_ip\ncapacity: -1\nleakspeed: 60s\nbayesian_prior: 0.5\nbayesian_threshold: 0.8\nbayesian_conditions:\n" +
				"  - {condition: evt.Meta.username == 'root', prob_given_evil: 0.8, prob_given_benign: 0.2, guillotine: true}\n" +
				"  - {condition: len(queue.Queue) > 2, prob_given_evil: 0.7, prob_given_benign: 0.3}\n" + head,
			each(one, "root a a", 0, 1, 2),
			[]string{"192.0.2.1 3@2"},
		},
		"scope Range": {
			"type: leaky\ngroupby: evt.Meta.source_range\ndistinct: evt.Meta.source_ip\ncapacity: 1\nleakspeed: 1m\nscope: {type: Range, expression: evt.Meta.source_range}\n" + head,
			[]at{{0, one, "a"}, {1, one, "a"}, {2, two, "a"}},
			[]string{"192.0.2.0/24 2@2"},
		},
		"scope Username": {
			"type: leaky\ngroupby: evt.Meta.username\ndistinct: evt.Meta.source_block\ncapacity: 1\nleakspeed: 1m\nscope: {type: Username, expression: evt.Meta.username}\n" + head,
			[]at{{0, one, "Bob"}, {1, one, "bob"}, {2, two, "BOB"}},
			[]string{"bob 2@2"},
		},
		"scope by an expression of the event": {
			"type: leaky\ngroupby: evt.Meta.account\ncapacity: 1\nleakspeed: 1m\nscope: {type: Username, expression: Upper(evt.Meta.username)}\n" + head,
			[]at{{0, one, "bob@a"}, {2, two, "bob@b"}},
			[]string{"BOB@A 2@2", "BOB@B 2@2"},
		},
		"one alert for each source of the queue": {
			"type: leaky\ngroupby: evt.Meta.username\ncapacity: 2\nleakspeed: 1m\n" + head,
			[]at{{0, two, "a"}, {1, one, "a"}, {2, two, "a"}},
			[]string{"192.0.2.2 3@2", "192.0.2.1 3@2"},
		},
		"a /64 counts as one": {
			"type: leaky\ngroupby: evt.Meta.source_block\ncapacity: 1\nleakspeed: 1m\n" + head,
			[]at{{0, "2001:db8::1", "a"}, {1, "2001:db8::2", "a"}},
			[]string{"2001:db8::1 2@1", "2001:db8::2 2@1"},
		},
		"no groupby is one bucket": {"type: leaky\ncapacity: 1\nleakspeed: 1m\n" + head, []at{{0, one, "a"}, {1, two, "a"}}, []string{"192.0.2.1 2@1", "192.0.2.2 2@1"}},
		"the time of the event": {
			"type: trigger\ngroupby: evt.Meta.source_ip\nname: test/t\ndescription: test\nfilter: TimeNow() == '2026-03-01T12:00:05Z'\n",
			each(one, "a", 0, 5, 6),
			[]string{"192.0.2.1 1@5"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := run(t, test.text, test.log, 100); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWithoutAddressNobodyIsTold(t *testing.T) {
	e := load(t, "type: leaky\ngroupby: evt.Meta.username\ncapacity: 1\nleakspeed: 1m\n"+head)
	nobody := failure(one, "bob", 0)
	nobody.Addr = netip.Addr{}
	if got := append(e.Pour(nobody), e.Pour(failure(one, "bob", time.Second))...); len(got) != 0 {
		t.Errorf("told of %v", got)
	}
}

func TestOverflow(t *testing.T) {
	e := load(t, bruteForce)
	e.Pour(failure(one, "bob", 0))
	e.Pour(failure(one, "bob", 0)) // the same attempt line, counted twice
	list := e.Pour(failure(one, "eve", 2*time.Second))
	if len(list) != 1 {
		t.Fatalf("%d overflows", len(list))
	}
	o := list[0]
	if o.Addr != netip.MustParseAddr(one) || o.Count != 3 || !o.First.Equal(start) || !o.Last.Equal(start.Add(2*time.Second)) ||
		o.Kinds[0] != (event.Count{Name: "auth-failed", N: 3}) || !slices.Equal(o.Services, []string{"postfix"}) || !o.KindSet.Has(event.AuthFailed) || o.KindSet.Has(event.LoginOK) {
		t.Errorf("%+v", o)
	}
	if len(o.Evidence) != 2 || o.Evidence[0].Attempts != 2 || o.Evidence[1].User != "eve" || o.Evidence[1].Message == "" {
		t.Errorf("evidence %+v", o.Evidence)
	}
}

func TestEvidenceOutlivesItsText(t *testing.T) {
	set := load(t, bruteForce).set
	e := New(set, Limits{Texts: 1}, event.HashKey{})
	var list []Overflow
	for i := range 3 {
		list = e.Pour(failure(one, "bob", time.Duration(i)*time.Second))
	}
	evidence := list[0].Evidence
	if len(evidence) != 3 || evidence[0].Message != "" || evidence[0].Addr != netip.MustParseAddr(one) || evidence[0].Kind != event.AuthFailed ||
		!evidence[0].Time.Equal(start) || evidence[2].Message == "" {
		t.Errorf("%+v", evidence)
	}
}

func TestNoEvidence(t *testing.T) {
	e := New(load(t, bruteForce).set, Limits{Texts: NoEvidence}, event.HashKey{})
	var list []Overflow
	for i := range 3 {
		list = e.Pour(failure(one, "bob", time.Duration(i)*time.Second))
	}
	if len(list) != 1 || list[0].Count != 3 || list[0].Evidence != nil {
		t.Errorf("%+v", list)
	}
	restored := New(e.set, Limits{}, event.HashKey{})
	if err := restore(restored, e.AppendSnapshot(nil)); err != nil {
		t.Errorf("restored: %v", err)
	}
	filled := load(t, bruteForce)
	filled.Pour(failure(one, "bob", 0))
	if err := restore(e, filled.AppendSnapshot(nil)); err != nil {
		t.Errorf("restored without evidence: %v", err)
	}
	e.Pour(failure(one, "bob", time.Second))
	if list = e.Pour(failure(one, "bob", 2*time.Second)); len(list) != 1 {
		t.Errorf("after a restore: %+v", list)
	}
}

func TestLevels(t *testing.T) {
	e := load(t, bruteForce)
	ev := failure(one, "bob", 0)
	if got := e.Levels(ev); len(got) != 1 || got[0].Count != 0 || got[0].Limit != 3 || got[0].Key != one {
		t.Fatalf("before: %+v", got)
	}
	e.Pour(ev)
	e.Pour(failure(one, "bob", 4*time.Second))
	got := e.Levels(failure(one, "bob", 12*time.Second))
	if len(got) != 1 || got[0].Count != 1 || got[0].Total != 2 || !got[0].NextLeak.Equal(start.Add(20*time.Second)) || !got[0].Silent.IsZero() {
		t.Errorf("after two: %+v", got)
	}
	e.Pour(failure(one, "bob", 5*time.Second))
	of := e.LevelsOf(netip.MustParseAddr(one))
	if len(of) != 1 || of[0].Total != 0 || !of[0].Silent.Equal(start.Add(65*time.Second)) {
		t.Errorf("after the overflow: %+v", of)
	}
	e.Forget(netip.MustParseAddr(one))
	if of := e.LevelsOf(netip.MustParseAddr(one)); len(of) != 0 {
		t.Errorf("forgotten: %+v", of)
	}
}

func TestForgetInNetworks(t *testing.T) {
	e := load(t, "type: leaky\ngroupby: evt.Meta.source_range\ncapacity: 2\nleakspeed: 1h\nscope: {type: Range}\n"+head)
	e.Pour(failure(one, "a", 0))
	e.Pour(failure(two, "a", time.Second))
	e.Forget(netip.MustParseAddr(one))
	if got := e.Pour(failure(two, "a", 2*time.Second)); len(got) != 0 {
		t.Errorf("the forgotten address still counts: %+v", got)
	}
	got := e.Pour(failure(two, "a", 3*time.Second))
	if len(got) != 1 || got[0].Count != 3 || len(got[0].Sources) != 1 || got[0].Network != netip.MustParsePrefix("192.0.2.0/24") {
		t.Errorf("%+v", got)
	}
}

func TestForgetNetwork(t *testing.T) {
	e := load(t, "type: leaky\ngroupby: evt.Meta.source_range\ncapacity: 9\nleakspeed: 1h\nscope: {type: Range}\n"+head+
		"---\ntype: leaky\ngroupby: evt.Meta.source_ip\ncapacity: 5\nleakspeed: 1h\n"+strings.Replace(head, "name: test/", "name: test/more-", 1))
	const inside, beside, elsewhere = "192.0.2.1", "192.0.2.129", "198.51.100.1"
	totals := func(addr string) (all []int) {
		for _, l := range e.LevelsOf(netip.MustParseAddr(addr)) {
			all = append(all, l.Total)
		}
		return all
	}
	pour := func() {
		for i, addr := range []string{inside, beside, elsewhere} {
			e.Pour(failure(addr, "a", time.Duration(i)*time.Second))
		}
	}
	pour()
	e.ForgetNetwork(netip.MustParsePrefix("192.0.2.0/25"))
	for addr, want := range map[string]string{inside: "[1]", beside: "[1 1]", elsewhere: "[1 1]"} {
		if got := fmt.Sprint(totals(addr)); got != want {
			t.Errorf("half of its /24 forgotten, %s counts %s, want %s", addr, got, want)
		}
	}
	e.ForgetNetwork(netip.MustParsePrefix("192.0.2.0/24"))
	for addr, want := range map[string]string{inside: "[]", beside: "[]", elsewhere: "[1 1]"} {
		if got := fmt.Sprint(totals(addr)); got != want {
			t.Errorf("its /24 forgotten, %s counts %s, want %s", addr, got, want)
		}
	}
}

func TestMemoryComesBack(t *testing.T) {
	e := load(t, several)
	for i := range 200 {
		e.Pour(failure(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String(), "bob", time.Duration(i)*time.Second))
	}
	e.Advance(start.Add(time.Hour))
	if s := e.Stats(); s.Sources != 0 || s.Buckets != 0 || e.buckets.Taken() != 0 || e.words.Taken() != 0 || e.groups.texts.runs.Taken() != 0 || e.events.Len() != 0 {
		t.Errorf("%+v, %d records of buckets, %d words, %d events", s, e.buckets.Taken(), e.words.Taken(), e.events.Len())
	}
}

// What a person forgives is taken out of a bucket; which of the conditions of a
// bayesian one have come true stays.
func TestForgetKeepsGuillotine(t *testing.T) {
	e := load(t, `
type: bayesian
name: test/bayes
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_range
scope: {type: Range}
capacity: -1
leakspeed: 1h
bayesian_prior: 0.5
bayesian_threshold: 0.8
bayesian_conditions:
- condition: evt.Meta.username == 'a'
  prob_given_evil: 0.8
  prob_given_benign: 0.2
  guillotine: true
- condition: evt.Meta.username == 'b'
  prob_given_evil: 0.8
  prob_given_benign: 0.2
`)
	e.Pour(failure(two, "a", 0))
	e.Pour(failure(one, "c", time.Second))
	e.Forget(netip.MustParseAddr(one))
	if got := e.Pour(failure(two, "b", 2*time.Second)); len(got) != 1 {
		t.Errorf("the first condition is forgotten: %+v", got)
	}
}

// queue.L is what CrowdSec has there: the capacity, or no limit.
func TestQueueLength(t *testing.T) {
	for text, want := range map[string]int{
		"capacity: -1\n": 1, "capacity: 5\n": 0, "capacity: 500\n": 1, "capacity: 500\ncache_size: 5\n": 0,
	} {
		e := load(t, "type: conditional\nleakspeed: 1h\ngroupby: evt.Meta.source_ip\ncondition: queue.L > 100\n"+text+head)
		if got := e.Pour(failure(one, "a", 0)); len(got) != want {
			t.Errorf("%q: %d overflows, want %d", text, len(got), want)
		}
	}
}

// A filter that names its event by way of $env reads more than its kind.
func TestEnvironmentIsNoConstant(t *testing.T) {
	e := load(t, "type: trigger\nname: test/env\ndescription: x\ngroupby: evt.Meta.source_ip\nfilter: $env.evt.Meta.username == 'a' && $env['evt'].Meta.kind == 'auth-failed'\n")
	for i, want := range []int{1, 0, 1} {
		user := string("aba"[i])
		if got := e.Pour(failure(one, user, time.Duration(i)*time.Second)); len(got) != want {
			t.Errorf("user %s: %d overflows, want %d", user, len(got), want)
		}
	}
}

// TestFilterThatCannotBeSplit: expr's printer loses the parentheses of these.
func TestFilterThatCannotBeSplit(t *testing.T) {
	for _, filter := range []string{
		"evt.Meta.kind == 'auth-failed' && (false || (let x = evt.Meta.username; x == 'bob'))",
		"not (let x = evt.Meta.username; x != 'bob')",
	} {
		for user, want := range map[string]int{"bob": 1, "eve": 0} {
			e := load(t, fmt.Sprintf("type: trigger\nname: test/t\ndescription: test\nfilter: %q\n", filter))
			if got := e.Pour(failure("192.0.2.1", user, 0)); len(got) != want {
				t.Errorf("%s: %d overflows for %s, want %d", filter, len(got), user, want)
			}
		}
	}
}
