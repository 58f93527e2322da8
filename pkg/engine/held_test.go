package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"csmail/pkg/scenario"
)

// deaf has a blackhole of an hour, by the address, by its network or by a text.
func deaf(t *testing.T, groupBy, rest string) *Engine {
	t.Helper()
	set, err := scenario.Load(fstest.MapFS{"deaf.yaml": {Data: []byte(`
type: leaky
name: csmail/deaf
description: x
filter: evt.Meta.kind == 'non-smtp'
groupby: ` + groupBy + `
capacity: 2
leakspeed: 1h
blackhole: 1h
` + rest + `
labels:
  remediation: true
`)}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Scenarios: set})
}

// A finding that is held begins no blackhole: what the source does when the reason has
// ended is judged and told. Until then each is told of once in the time of a
// blackhole; and a ban begins one.
func TestHeldBeginsNoBlackhole(t *testing.T) {
	const ranged = "scope:\n  type: Range\n  expression: evt.Meta.source_range"
	for name, tt := range map[string]struct {
		groupBy, rest string
		addrs         [3]string
	}{
		"an address":    {"evt.Meta.source_ip", "", [3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
		"a block":       {"evt.Meta.source_block", "", [3]string{"2001:db8::1", "2001:db8::2", "2001:db8::3"}},
		"a network":     {"evt.Meta.source_range", ranged, [3]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}},
		"part of a key": {"evt.Meta.source_ip + '/' + evt.Meta.service", "", [3]string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := deaf(t, tt.groupBy, tt.rest)
			start := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
			e.Unban(netip.MustParsePrefix("192.0.2.0/24"), start.Add(10*time.Minute))
			e.Unban(netip.MustParsePrefix("2001:db8::/64"), start.Add(10*time.Minute))
			pid := 0
			three := func(minute int) (found []string) {
				for i, addr := range tt.addrs {
					pid++
					r := parse(fmt.Sprintf("Jun  3 %02d:%02d:%02d mail postfix/smtpd[%d]: warning: non-SMTP command from unknown[%s]: GET / HTTP/1.1", 4+minute/60, minute%60, i, pid, addr))
					for _, f := range e.Step(&r).Findings {
						if word := fmt.Sprint(f.Verdict.Action, " ", f.Verdict.Rule); !slices.Contains(found, word) {
							found = append(found, word)
						}
					}
				}
				return found
			}
			for _, step := range []struct {
				minute int
				want   string
			}{
				{0, "[hold amnesty]"},
				{5, "[]"},
				{9, "[]"},
				{20, "[ban none]"},
				{25, "[]"},
				{79, "[]"}, // the ban's blackhole
				{81, "[ban none]"},
			} {
				if got := fmt.Sprint(three(step.minute)); got != step.want {
					t.Errorf("after %d minutes: %s, want %s", step.minute, got, step.want)
				}
				b, err := e.AppendSnapshot(nil)
				if err != nil {
					t.Fatal(err)
				}
				e = deaf(t, tt.groupBy, tt.rest)
				if err := e.Restore(b); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What is held for longer than a blackhole is told of once in each.
func TestHeldIsToldOnceABlackhole(t *testing.T) {
	e := deaf(t, "evt.Meta.source_ip", "")
	e.Unban(only("192.0.2.1"), time.Date(2026, 6, 4, 4, 0, 0, 0, time.UTC))
	told := 0
	for minute := range 180 {
		r := parse(fmt.Sprintf("Jun  3 %02d:%02d:00 mail postfix/smtpd[%d]: warning: non-SMTP command from unknown[192.0.2.1]: GET / HTTP/1.1", 4+minute/60, minute%60, 1+minute))
		told += len(e.Step(&r).Findings)
	}
	if told != 3 {
		t.Errorf("told of %d times in three hours, want 3", told)
	}
}
