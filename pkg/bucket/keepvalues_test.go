package bucket

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/event"
)

// The scenarios that count accounts, addresses of a network, and addresses for an account.
const (
	spray = `type: leaky
name: test/spray
description: test
filter: evt.Meta.kind == 'auth-failed' && evt.Meta.account != ''
groupby: evt.Meta.source_block
distinct: evt.Meta.account
capacity: 4
leakspeed: 1h
blackhole: 1h
`
	network = `type: leaky
name: test/network
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_range
distinct: evt.Meta.source_ip
capacity: 4
leakspeed: 1h
blackhole: 1h
scope: {type: Range, expression: evt.Meta.source_range}
`
	victim = `type: leaky
name: test/victim
description: test
filter: evt.Meta.kind == 'auth-failed' && evt.Meta.username != ''
groupby: evt.Meta.username
distinct: evt.Meta.source_block
capacity: 4
leakspeed: 1h
blackhole: 1h
scope: {type: Username, expression: evt.Meta.username}
`
	bySender = `type: leaky
name: test/sender
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_block
distinct: evt.Meta.sender
capacity: 4
leakspeed: 1h
blackhole: 1h
`
)

// counting is a scenario with distinct and how the n-th value of it looks.
type counting struct {
	text  string
	event func(n int, at time.Duration) *event.Event
}

var countings = map[string]counting{
	"accounts":               {spray, func(n int, at time.Duration) *event.Event { return failure(one, fmt.Sprint("user", n), at) }},
	"accounts of IPv6":       {spray, func(n int, at time.Duration) *event.Event { return failure("2001:db8::1", fmt.Sprint("user", n), at) }},
	"addresses of a network": {network, func(n int, at time.Duration) *event.Event { return failure(fmt.Sprint("192.0.2.", n+1), "bob", at) }},
	"addresses of a /64":     {network, func(n int, at time.Duration) *event.Event { return failure(fmt.Sprint("2001:db8::", n+1), "bob", at) }},
	"addresses for a name":   {victim, func(n int, at time.Duration) *event.Event { return failure(fmt.Sprint("198.51.100.", n+1), "bob", at) }},
	"blocks for a name": {victim, func(n int, at time.Duration) *event.Event {
		return failure(fmt.Sprintf("2001:db8:0:%x::1", n+1), "bob", at)
	}},
}

// value returns what the guard would call the n-th value.
func (c *counting) value(n int, at time.Duration) Value {
	ev := c.event(n, at)
	v := Value{First: Attempt{ev.Kind, ev.Service}, At: ev.Time, Addr: ev.Addr}
	if c.text == spray {
		v.Account, v.Addr = (event.HashKey{}).Account(ev.User), netip.Addr{}
	}
	return v
}

// The accounts or addresses that count stay in the bucket of a finding that was held, over a
// restart too. So the next finding comes as early as if the others had not been there.
func TestKeptValues(t *testing.T) {
	for name, c := range countings {
		for what, tt := range map[string]struct {
			kept []int // of the first five values, those that count
			more []int
			want int // which of more makes the next overflow; 0: none
		}{
			"none":                   {nil, []int{5, 6, 7, 8, 9}, 5},
			"two":                    {[]int{1, 3}, []int{5, 6, 7}, 3},
			"two, and they again":    {[]int{1, 3}, []int{1, 3, 5, 3, 6, 7}, 6},
			"two, and the others":    {[]int{1, 3}, []int{0, 2, 4}, 3},
			"as many as fit":         {[]int{0, 1, 2, 3}, []int{0, 5}, 2},
			"one more than may stay": {[]int{0, 1, 2, 3, 4}, []int{5}, 1},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				e := load(t, c.text)
				var held []Overflow
				for n := range 5 {
					held = e.Pour(c.event(n, time.Duration(n)*time.Minute))
				}
				var kept []Value
				for _, n := range tt.kept {
					kept = append(kept, c.value(n, time.Duration(n)*time.Minute))
				}
				e.Held(held[0].Blackhole, Kept{Values: kept, First: held[0].First, Kind: event.AuthFailed, Addr: held[0].Addr})
				again := load(t, c.text)
				if err := restore(again, e.AppendSnapshot(nil)); err != nil {
					t.Fatal(err)
				}
				got := 0
				for i, n := range tt.more {
					over := again.Pour(c.event(n, 10*time.Minute+time.Duration(i)*time.Second))
					if len(over) == 0 || got != 0 {
						continue
					}
					got = i + 1
					if len(kept) > 0 && !over[0].First.Equal(kept[0].At) {
						t.Errorf("got the first event at %s, want %s", over[0].First, kept[0].At)
					}
					if c.text != spray && len(over[0].Sources) != 5 {
						t.Errorf("got the sources %s, want five", over[0].Sources)
					}
				}
				if got != tt.want {
					t.Errorf("got the next overflow with event %d, want %d", got, tt.want)
				}
			})
		}
	}
}

// What a bucket keeps leaks as ever, and what came while the guard made up its mind stays.
func TestKeptValuesLeak(t *testing.T) {
	for name, c := range countings {
		t.Run(name, func(t *testing.T) {
			hour := func(n int) time.Duration { return time.Duration(n) * time.Hour / 2 }
			e := load(t, c.text)
			var held []Overflow
			for n := range 20 {
				if held = e.Pour(c.event(n, hour(n))); len(held) > 0 {
					break
				}
			}
			// Eight values have come, one in half an hour: four of them have leaked.
			if len(held) != 1 || held[0].Count != 8 {
				t.Fatalf("got %+v, want one overflow of eight", held)
			}
			// While the guard waits, two more come. One of them is a value that counts.
			e.Pour(c.event(7, hour(8)))
			e.Pour(c.event(20, hour(8)))
			e.Held(held[0].Blackhole, Kept{Values: []Value{c.value(1, hour(1)), c.value(6, hour(6)), c.value(7, hour(7))}})
			got := 0
			for n := 30; n < 40 && got == 0; n++ {
				if len(e.Pour(c.event(n, hour(8)))) > 0 {
					got = n - 29
				}
			}
			// Of 6 a half has leaked by then, 7 and 20 count whole, and 1 not at all.
			if got != 3 {
				t.Errorf("got the next overflow with event %d, want 3", got)
			}
			// A day later nothing is left of a finding that was held.
			e = load(t, c.text)
			for n := range 5 {
				held = e.Pour(c.event(n, 0))
			}
			e.Held(held[0].Blackhole, Kept{Values: []Value{c.value(1, 0), c.value(2, 0)}})
			for n := 1; n < 5; n++ {
				if len(e.Pour(c.event(n, 24*time.Hour))) > 0 {
					t.Error("old values count")
				}
			}
		})
	}
}

// Two forms of a name are one account, and what has leaked before a later value came counts
// as new when it comes again.
func TestKeptValuesCountOnce(t *testing.T) {
	c := countings["accounts"]
	form := func(login string, at time.Duration) Value {
		return Value{Account: (event.HashKey{}).Account(login), First: Attempt{event.AuthFailed, event.Dovecot}, At: c.value(0, at).At}
	}
	for name, tt := range map[string]struct {
		kept []Value
		more []int
		want int
	}{
		"forms of a name":        {[]Value{form("bob", 130*time.Minute), form("bob@example.org", 131*time.Minute), form("bob@mail.example.org", 132*time.Minute)}, []int{5, 6, 7, 8}, 4},
		"one that leaked before": {[]Value{c.value(0, 0), c.value(1, 2*time.Hour+12*time.Minute)}, []int{0, 5, 6, 7}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			e := load(t, c.text)
			var held []Overflow
			for n := range 5 {
				held = e.Pour(c.event(10+n, 2*time.Hour+12*time.Minute))
			}
			e.Held(held[0].Blackhole, Kept{Values: tt.kept, First: held[0].First, Kind: event.AuthFailed, Addr: held[0].Addr})
			got := 0
			for i, n := range tt.more {
				if len(e.Pour(c.event(n, 2*time.Hour+13*time.Minute))) > 0 && got == 0 {
					got = i + 1
				}
			}
			if got != tt.want {
				t.Errorf("got the next overflow with event %d, want %d", got, tt.want)
			}
		})
	}
}

// Any other scenario with distinct starts empty: the guard does not know its values.
func TestOtherValuesAreNotKept(t *testing.T) {
	e := load(t, bySender)
	pour := func(n int) []Overflow {
		ev := failure(one, "bob", time.Duration(n)*time.Second)
		ev.Sender = fmt.Sprint("sender", n)
		return e.Pour(ev)
	}
	var held []Overflow
	for n := range 5 {
		held = pour(n)
	}
	c := countings["addresses of a network"]
	e.Held(held[0].Blackhole, Kept{Attempts: []Attempt{{event.AuthFailed, event.Postfix}}, Values: []Value{c.value(1, 0), c.value(2, 0)}})
	for n := range 4 {
		if len(pour(10+n)) > 0 {
			t.Errorf("overflow with event %d, want the fifth", n+1)
		}
	}
	if len(pour(20)) != 1 {
		t.Error("no overflow with the fifth event")
	}
}

// However many values are excused, and whenever: the finding in which enough count comes no
// later than if the excused ones had never been there. Of addresses a finding names only
// as many as it needs, so those of the test do not leak meanwhile.
func TestHoldNeedsNoMoreValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := countings[rapid.SampledFrom([]string{"accounts", "addresses of a network", "addresses of a /64", "blocks for a name"}).Draw(t, "what")]
		g := &valueGuard{c: c}
		e, alone := load(t, c.text), load(t, c.text)
		at, next := time.Duration(0), 100
		most := 90
		if c.text != spray {
			most = 1
		}
		for range rapid.IntRange(1, 59).Draw(t, "n") {
			at += time.Duration(rapid.IntRange(0, most).Draw(t, "minutes")) * time.Minute
			n := rapid.IntRange(0, 20).Draw(t, "excused")
			if counts := rapid.Bool().Draw(t, "counts"); counts {
				n, next = next, next+1
			}
			banned := g.judge(e, e.Pour(c.event(n, at)), n, at)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				again := load(t, c.text)
				if err := restore(again, e.AppendSnapshot(nil)); err != nil {
					t.Fatal(err)
				}
				e = again
			}
			if n >= 100 && len(alone.Pour(c.event(n, at))) > 0 && !banned {
				t.Fatalf("value %d at %s: held, but alone it overflows", n, at)
			}
			if banned {
				return
			}
		}
	})
}

// valueGuard is a naive guard that excuses the values below 100.
type valueGuard struct {
	c    counting
	seen []happenedValue
}

type happenedValue struct {
	n  int
	at time.Duration
}

// judge takes an event and the overflow that it led to. It reports whether what counts is
// enough, and else has the bucket keep it.
func (g *valueGuard) judge(e *Engine, over []Overflow, n int, at time.Duration) (banned bool) {
	if n >= 100 {
		g.seen = append(g.seen, happenedValue{n, at})
	}
	if len(over) == 0 {
		return false
	}
	since := over[0].First.Sub(start)
	counted := slices.DeleteFunc(slices.Clone(g.seen), func(h happenedValue) bool { return h.at < since })
	m := &model{capacity: 4, leak: time.Hour, drains: map[string][]time.Duration{}, silent: map[string]time.Duration{}}
	var values []Value
	for _, h := range counted {
		banned = banned || m.pour("", h.at)
		values = append(values, g.c.value(h.n, h.at))
	}
	e.Held(over[0].Blackhole, Kept{Values: values, Addr: over[0].Addr})
	return banned
}
