package expression

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"csmail/pkg/event"
)

// TestBytesAreText compares the two ways in which a text is read.
func TestBytesAreText(t *testing.T) {
	c := NewCompiler(NewDataFiles())
	for _, source := range []string{
		"evt.Meta.source_ip", "evt.Meta.source_block", "evt.Meta.source_range", "evt.Meta.username", "evt.Meta.account", "evt.Meta.nothing",
		"evt.Meta.source_block + '/' + evt.Meta.account", "evt.Meta.kind + ' ' + Lower(evt.Meta.username)", "evt.Meta.username + TrimSpace(' a ')",
	} {
		x, err := c.compile(source, filterEnv{}, reflect.String)
		if err != nil {
			t.Fatal(err)
		}
		for _, addr := range []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1:2:3"), {}} {
			ev := failure("192.0.2.1", "Bob@Example.com", 0)
			ev.Addr = addr
			m := Machine{In: &Input{Event: ev}}
			want, _ := m.Text(x)
			if got, ok := m.Bytes(x); want != string(got) || !ok {
				t.Errorf("%s of %v: %q, as text %q", source, addr, got, want)
			}
		}
	}
}

// TestNativeIsExpr compares the two ways in which an expression runs.
func TestNativeIsExpr(t *testing.T) {
	texts := []string{
		"evt.Meta.kind", "evt.Meta.username", "evt.Meta.source_ip", "evt.Meta.nothing", "evt.Parsed.message", "evt.Meta['account']",
		"'bob'", "'auth-failed'", "'b'", "''", "Lower(evt.Meta.client_name)", "evt.Meta.kind + '/' + evt.Meta.account",
	}
	c := NewCompiler(NewDataFiles())
	var condition func(t *rapid.T, depth int) string
	condition = func(t *rapid.T, depth int) string {
		text := func() string { return rapid.SampledFrom(texts).Draw(t, "text") }
		switch n := rapid.IntRange(0, 8).Draw(t, "what"); {
		case n < 2 && depth > 0:
			op := rapid.SampledFrom([]string{"&&", "||", "and", "or"}).Draw(t, "op")
			return "(" + condition(t, depth-1) + " " + op + " " + condition(t, depth-1) + ")"
		case n == 2 && depth > 0:
			return "not (" + condition(t, depth-1) + ")"
		case n == 3:
			return text() + " in ['bob', 'auth-failed', '']"
		case n == 4:
			return text() + " not in ['bob']"
		case n == 5:
			return text() + " matches '(?i)^b.b$'"
		}
		op := rapid.SampledFrom([]string{"==", "!=", "contains", "startsWith", "endsWith"}).Draw(t, "op")
		return text() + " " + op + " " + text()
	}
	rapid.Check(t, func(t *rapid.T) {
		source := condition(t, 3)
		x, err := c.compile(source, filterEnv{}, 1)
		if err != nil {
			t.Fatal(source, err)
		}
		if x.match == nil {
			t.Fatalf("%s has no native form, want match other than nil", source)
		}
		ev := failure("192.0.2.1", rapid.SampledFrom([]string{"", "bob", "BOB@example.com", "alice"}).Draw(t, "user"), 0)
		ev.ClientName = "Mail.example.net"
		in := Input{Event: ev, Shape: ShapeOf(ev)}
		m := Machine{In: &in}
		native := x.match(&in)
		x.match = nil
		if slow, ok := m.Decide(x); !ok || slow != native {
			t.Fatalf("%s: native %v, expr %v (%v)", source, native, slow, ok)
		}
		all := true
		for _, part := range c.Conjuncts(x) {
			all = all && m.IsTrue(part)
		}
		if all != native {
			t.Fatalf("%s: as a whole %v, in its parts %v", source, native, all)
		}
	})
}

// TestNativeQueueIsExpr compares the two ways in which an expression over a queue
// runs, for queues of any length.
func TestNativeQueueIsExpr(t *testing.T) {
	predicates := []string{
		".Meta.kind == 'auth-failed'", "#.Meta.service == 'dovecot'", "#.Meta.kind in ['no-hostname', 'pregreet']",
		"not (#.Meta.class == 'hostile')", ".Meta.kind != 'pregreet' && .Meta.service == 'postfix' || .Meta['class'] == 'suspect'",
	}
	var condition func(t *rapid.T, depth int) string
	condition = func(t *rapid.T, depth int) string {
		predicate := rapid.SampledFrom(predicates).Draw(t, "predicate")
		number := rapid.IntRange(0, 6).Draw(t, "number")
		op := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "op")
		switch n := rapid.IntRange(0, 6).Draw(t, "what"); {
		case n == 0 && depth > 0:
			join := rapid.SampledFrom([]string{"&&", "||", "and", "or"}).Draw(t, "join")
			return "(" + condition(t, depth-1) + " " + join + " " + condition(t, depth-1) + ")"
		case n == 1 && depth > 0:
			return "not (" + condition(t, depth-1) + ")"
		case n == 2:
			return "any(queue.Queue, {" + predicate + "})"
		case n == 3:
			return "all(queue.Queue, {" + predicate + "})"
		case n == 4:
			return fmt.Sprintf("len(queue.Queue) %s %d", op, number)
		}
		return fmt.Sprintf("count(queue.Queue, {%s}) %s %d", predicate, op, number)
	}
	c := NewCompiler(NewDataFiles())
	rapid.Check(t, func(t *rapid.T) {
		source := condition(t, 3)
		x, err := c.compile(source, bucketEnv{}, reflect.Bool)
		if err != nil {
			t.Fatal(source, err)
		}
		if x.ofQueue == nil {
			t.Fatalf("%s has no native form, want ofQueue other than nil", source)
		}
		m := Machine{In: &Input{Event: &event.Event{}}, Queue: &Queue{}, Leaky: &Leaky{}}
		for range rapid.IntRange(0, 8).Draw(t, "events") {
			f := FactsOf(&Input{Event: &event.Event{
				Kind:    rapid.SampledFrom([]event.Kind{event.AuthFailed, event.NoHostname, event.Pregreet}).Draw(t, "kind"),
				Service: rapid.SampledFrom([]event.Service{event.Postfix, event.Dovecot}).Draw(t, "service"),
			}})
			m.Facts = append(m.Facts, f)
			m.Queue.Queue = append(m.Queue.Queue, &Evt{Meta: f.Meta()})
		}
		native, _ := m.Decide(x)
		x.ofQueue = nil
		if slow, ok := m.Decide(x); !ok || slow != native {
			t.Fatalf("%s: native %v, expr %v (%v)", source, native, slow, ok)
		}
	})
}
