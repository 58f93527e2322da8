package bucket

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

const byUser = `
type: leaky
name: test/account
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.username
distinct: evt.Meta.source_ip
capacity: 1
leakspeed: 1h
scope:
  type: Username
  expression: evt.Meta.username
`

// pourTwice has two addresses guess at an account and returns the values of what
// overflowed.
func pourTwice(e *Engine, user string) []string {
	var values []string
	for i, addr := range []string{"192.0.2.1", "192.0.2.2"} {
		for _, o := range e.Pour(failure(addr, user, time.Duration(i)*time.Second)) {
			values = append(values, o.Value)
		}
	}
	return values
}

func TestLongNamesAreCutForShowOnly(t *testing.T) {
	long := strings.Repeat("x", 660)
	for name, want := range map[string]string{
		"bob":                      "bob",
		long[:maxKept]:             long[:maxKept],
		long[:maxKept+1]:           long[:maxKept] + "…",
		long + "1":                 long[:maxKept] + "…",
		long[:maxKept-1] + "ä":     long[:maxKept-1] + "…",
		long[:maxKept-2] + "ä":     long[:maxKept-2] + "ä",
		long[:maxKept-1] + "\xff":  long[:maxKept-1] + "\xff",
		long[:maxKept-2] + "€":     long[:maxKept-2] + "…",
		long[:maxKept-1] + "\xffx": long[:maxKept-1] + "\xff…",
	} {
		got := pourTwice(load(t, byUser), name)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// Names that begin alike, and those of the same length, are different accounts.
func TestLongNamesStayApart(t *testing.T) {
	e := load(t, byUser)
	long := strings.Repeat("x", 2*maxKept)
	for i, name := range []string{long + "1", long + "2", long, long[1:], long[:maxKept], ""} {
		addr := fmt.Sprintf("192.0.2.%d", i+1)
		if got := e.Pour(failure(addr, name, 0)); len(got) > 0 {
			t.Errorf("%q counts for another name: got %+v", name, got)
		}
	}
	if got := e.Pour(failure("198.51.100.1", long+"2", time.Second)); len(got) != 1 {
		t.Errorf("the same long name once more: got %d overflows, want 1", len(got))
	}
}

func TestLongNamesAreBoundedInMemoryAndSnapshot(t *testing.T) {
	e := load(t, byUser)
	const names = 10_000
	for i := range names {
		e.Pour(failure("192.0.2.1", fmt.Sprintf("%s%d", strings.Repeat("x", 2000), i), 0))
	}
	if got, most := e.groups.texts.runs.Taken(), names*128; got > most {
		t.Errorf("got %d bytes of texts, want no more than %d", got, most)
	}
	if got, most := len(e.AppendSnapshot(nil)), names*300; got > most {
		t.Errorf("got a snapshot of %d bytes, want no more than %d", got, most)
	}
}

func TestFieldsInTheRingAreBounded(t *testing.T) {
	e := load(t, bruteForce)
	long := strings.Repeat("x", 5000)
	for i := range 3 {
		ev := failure("192.0.2.1", long, time.Duration(i)*time.Second)
		ev.Message, ev.Helo, ev.Reason = long, long, long
		for _, o := range e.Pour(ev) {
			for _, seen := range o.Evidence {
				if len(seen.Message) != maxMessage || len(seen.User) != maxField || len(seen.Helo) != maxField {
					t.Errorf("got %d, %d and %d bytes of message, user and HELO, want %d, %d and %d",
						len(seen.Message), len(seen.User), len(seen.Helo), maxMessage, maxField, maxField)
				}
			}
		}
	}
}

// What is kept whole for expressions is bounded in size and number, and the newest
// events are what is kept.
func TestQueuedEventsAreBounded(t *testing.T) {
	const reading = bruteForce + "overflow_filter: \"any(queue.Queue, {.Meta.reason contains 'x'})\"\n"
	e := New(load(t, strings.Replace(reading, "capacity: 2", "capacity: 100", 1)).set, Limits{Events: 50}, event.HashKey{})
	for i := range 1000 {
		ev := failure(fmt.Sprintf("192.0.2.%d", i%20), "bob", 0)
		ev.Reason = strings.Repeat("x", 5000)
		e.Pour(ev)
	}
	if got, most := e.events.Len(), 50+20; got > most {
		t.Errorf("got %d events in queues, want no more than %d", got, most)
	}
	for i := range e.events.Used() {
		if got := len(e.events.At(i + 1).Reason); got > maxField {
			t.Fatalf("got a reason of %d bytes, want no more than %d", got, maxField)
		}
	}
}

// Whoever knows another key, or none, cannot know which names share a place. Nothing
// that is said depends on the key.
func TestKeyDecidesNothing(t *testing.T) {
	set := load(t, several).set
	zero, other := New(set, Limits{Sources: 40}, event.HashKey{}), New(set, Limits{Sources: 40}, event.HashKey{7, 1: 9})
	for i := range 3000 {
		ev := failure(fmt.Sprintf("198.51.%d.%d", i%7, i%31), fmt.Sprintf("user%d", i%13), time.Duration(i)*time.Second)
		if want, got := summary(zero.Pour(ev)), summary(other.Pour(ev)); want != got {
			t.Fatalf("event %d: got %s under another key, want %s", i, got, want)
		}
	}
	if zero.key.Sum("bob") == other.key.Sum("bob") {
		t.Error("two keys hash a name alike")
	}
}

func TestServicesOfABucket(t *testing.T) {
	for name, services := range map[string][]event.Service{
		"none": {0, 0, 0}, "one": {event.SSHD, event.SSHD, event.SSHD}, "none first": {0, event.Dovecot, event.Dovecot},
		"two": {event.Postfix, event.Dovecot, event.Postfix}, "three": {event.SSHD, event.Postscreen, event.Dovecot},
	} {
		e := load(t, bruteForce)
		var want event.ServiceSet
		for i, s := range services {
			want = want.With(s)
			ev := failure("192.0.2.1", "bob", time.Duration(i)*time.Second)
			ev.Service = s
			for _, o := range e.Pour(ev) {
				if got := fmt.Sprint(o.Services); got != fmt.Sprint(want.Names()) {
					t.Errorf("%s: got services %s, want %v", name, got, want.Names())
				}
				if len(o.Kinds) != 1 || o.Kinds[0].N != 3 {
					t.Errorf("%s: got kinds %v, want 3 auth-failed", name, o.Kinds)
				}
			}
		}
	}
}

// A reference holds the highest of each of its parts.
func TestReferenceHoldsItsParts(t *testing.T) {
	kind, service := event.Kind(event.KindCount-1), event.Service(event.ServiceCount-1)
	at := start.UnixNano()
	r := newReference(at, 1<<numberBits-1, kind, service)
	if r.kind() != kind || r.service() != service || r.number() != 1<<numberBits-1 || r.attempts() != 1 || r.seconds() != start.Unix() {
		t.Errorf("got kind %v, service %v, number %d, attempts %d, seconds %d", r.kind(), r.service(), r.number(), r.attempts(), r.seconds())
	}
}

// A blackhole is lifted for the very account that was held, however long its name.
func TestBlackholeOfALongNameIsLifted(t *testing.T) {
	long := strings.Repeat("x", 2*maxKept)
	e := load(t, byUser+"blackhole: 1h\n")
	pourTwice(e, long+"2")
	var held Blackhole
	for i, addr := range []string{"192.0.2.1", "192.0.2.2"} {
		for _, o := range e.Pour(failure(addr, long+"1", time.Duration(i)*time.Second)) {
			held = o.Blackhole
		}
	}
	if got := pourTwice(e, long+"1"); len(got) != 0 {
		t.Fatalf("got %d overflows within the blackhole, want none", len(got))
	}
	e.Held(held, Kept{})
	if got := pourTwice(e, long+"1"); len(got) != 1 {
		t.Errorf("got %d overflows after the blackhole was lifted, want 1", len(got))
	}
	if got := pourTwice(e, long+"2"); len(got) != 0 {
		t.Errorf("got %d overflows of the other account, want none", len(got))
	}
}

// A text is kept once: what the message holds is a part of it, and all evidence of an
// event shares one copy, which a snapshot does not make.
func TestEvidenceSharesItsTexts(t *testing.T) {
	e := load(t, bruteForce)
	ev := failure("192.0.2.1", "", 0)
	ev.Message = "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: sasl_username=bob"
	ev.User, ev.Reason, ev.Helo = ev.Message[len(ev.Message)-3:], ev.Message[41:62], "elsewhere"
	ev.Sender = strings.Clone(ev.Message) // long enough to be looked for
	want := *ev
	e.Pour(ev)
	e.AppendSnapshot(nil)
	if kept := e.ring.slot(1); kept.shared != "" || len(kept.text) != len(ev.Message)+len(ev.Helo)+len(ev.Host)+len(ev.Program)+len(ev.ClientName)+len(ev.Session) {
		t.Errorf("got %d bytes of texts and the copy %q, want no more than the message and what it lacks", len(kept.text), kept.shared)
	}
	first, second := e.EvidenceOf(want.Addr), e.EvidenceOf(want.Addr)
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("got %d and %d events, want 1", len(first), len(second))
	}
	if got := first[0]; got.Message != want.Message || got.User != want.User || got.Reason != want.Reason || got.Helo != want.Helo || got.Sender != want.Sender {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if event.PlaceIn(first[0].Message, second[0].Message) != 0 || event.PlaceIn(first[0].Message, second[0].User) != len(ev.Message)-3 {
		t.Error("got two copies of one message, want one")
	}
	e.Pour(failure("192.0.2.1", "eve", time.Second))
	if again := e.EvidenceOf(want.Addr); len(again) != 2 || again[0].User != "bob" || again[1].User != "eve" {
		t.Errorf("got %+v, want bob, then eve", again)
	}
}
