//go:build e2e

package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// spans are the durations of made-up scenarios. In a replay crowdsec lets a bucket
// die by the clock of the wall as well, so none is shorter than a replay.
var spans = []time.Duration{time.Minute, 97 * time.Second, 4 * time.Minute, 10 * time.Minute, time.Hour}

// scenario returns one document with a name of its own. Its type is one of kinds.
func (d *drawer) scenario(name string, kinds ...string) string {
	kind := oneOf(d, kinds...)
	var b strings.Builder
	put := func(key, value string) { fmt.Fprintf(&b, "%s: %s\n", key, value) }
	expression := func(key, value string) { fmt.Fprintf(&b, "%s: %q\n", key, value) }
	span := func() string { return oneOf(d, spans...).String() }
	put("type", kind)
	put("name", name)
	put("description", "made up")
	expression("filter", d.filter())
	if d.chance(85) {
		expression("groupby", d.groupBy())
	}
	capacity := d.capacityOf(kind)
	if kind != "trigger" || d.chance(50) {
		put("capacity", fmt.Sprint(capacity))
	}
	switch kind {
	case "leaky":
		put("leakspeed", span())
	case "counter":
		put("duration", span())
	case "conditional":
		put("leakspeed", span())
		expression("condition", d.about(2))
	case "bayesian":
		put("leakspeed", span())
		d.bayes(&b)
	}
	if d.chance(30) {
		expression("distinct", d.keyed())
	}
	if d.chance(25) {
		put("blackhole", span())
	}
	if d.chance(12) {
		expression("cancel_on", d.truth(1))
	}
	if d.chance(20) {
		filter := d.about(1)
		if d.chance(d.fault(20)) {
			filter += oneOf(d, " || ", " && ") + d.truth(1)
		}
		expression("overflow_filter", filter)
	}
	if kind == "counter" && d.chance(25) {
		expression("condition", d.about(1))
	}
	if kind == "leaky" && d.chance(10) { // of one that is full as well, crowdsec's bucket never ends
		expression("condition", fmt.Sprintf("len(queue.Queue) <= %d && %s", capacity, d.about(1)))
	}
	if d.chance(25) {
		put("cache_size", fmt.Sprint(d.IntN(6)))
	}
	d.scope(&b)
	put("data", "[{dest_file: accounts.txt, type: string}, {dest_file: patterns.txt, type: regexp}]")
	put("labels", "{remediation: true}")
	return b.String()
}

func (d *drawer) capacityOf(kind string) int {
	switch kind {
	case "leaky":
		return 1 + d.IntN(5)
	case "trigger":
		return 0
	case "conditional":
		return oneOf(d, -1, -1, -1, -1, 0, 1, 3)
	}
	return -1
}

// filter takes many events, or a bucket never fills.
func (d *drawer) filter() string {
	return d.draw(
		form{3, func() string { return "evt.Meta.class in ['hostile', 'suspect']" }},
		form{3, func() string { return "evt.Meta.kind == 'auth-failed'" }},
		form{4, func() string { return "evt.Meta.class != 'own' && " + d.truth(2) }},
		form{4, func() string { return d.truth(2) }},
		form{2, func() string { return d.truth(3) }},
	)
}

func (d *drawer) keyed() string {
	return d.draw(
		form{10, func() string {
			return "evt.Meta." + oneOf(d, "source_ip", "source_block", "source_range", "username", "account")
		}},
		form{2, func() string { return "evt.Meta." + oneOf(d, enumerated...) }},
		form{2, func() string { return "evt.Parsed." + oneOf(d, parsedOnes...) }},
		form{5, func() string { return d.text(2) }},
	)
}

func (d *drawer) groupBy() string {
	if d.chance(50) {
		return "evt.Meta.source_ip"
	}
	return d.keyed()
}

func (d *drawer) bayes(b *strings.Builder) {
	fmt.Fprintf(b, "bayesian_prior: %.2f\nbayesian_threshold: %.2f\nbayesian_conditions:\n", 0.05+0.9*d.Float64(), 0.1+0.9*d.Float64())
	for range 1 + d.IntN(4) {
		condition := d.about(1)
		if d.chance(40) {
			condition = d.truth(1)
		}
		fmt.Fprintf(b, "  - {condition: %q, prob_given_evil: %.2f, prob_given_benign: %.2f, guillotine: %v}\n",
			condition, d.Float64(), d.Float64(), d.chance(30))
	}
}

func (d *drawer) scope(b *strings.Builder) {
	kind, expression := "", ""
	switch d.IntN(8) {
	case 0:
		kind, expression = "Username", oneOf(d, "evt.Meta.username", "evt.Meta.account", d.text(1))
	case 1:
		kind, expression = "Range", oneOf(d, "evt.Meta.source_range", "evt.Meta.source_block", d.text(1))
	case 2:
		kind = "Ip"
	}
	if kind == "" {
		return
	}
	fmt.Fprintf(b, "scope:\n  type: %s\n", kind)
	if expression != "" {
		fmt.Fprintf(b, "  expression: %q\n", expression)
	}
}

// events returns n events of few clients, users and kinds. They come in bursts, at
// once, and around the ends of the spans; exactly there as well.
func (d *drawer) events(t *testing.T, n int) []*event.Event {
	t.Helper()
	all := templates()
	few := slices.Clone(all[:8])
	for range 6 {
		few = append(few, oneOf(d, all...))
	}
	few = append(few, template{event.LoginOK.Example(), 1})
	sources := make([]netip.Addr, 1+d.IntN(5))
	for i := range sources {
		sources[i] = netip.MustParseAddr(oneOf(d, "192.0.2.1", "192.0.2.2", "198.51.100.1", "203.0.113.9", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"))
	}
	users := []string{"info@example.org", "Info@example.com", "dora", "admin@example.org", "test@example.org"}[:1+d.IntN(5)]
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	events := make([]*event.Event, n)
	for i := range events {
		now = now.Add(d.gap())
		e := oneOf(d, few...).fill(t, oneOf(d, sources...), oneOf(d, users...))
		e.Time, e.Attempts = now, 1
		events[i] = e
	}
	return events
}

func (d *drawer) gap() time.Duration {
	switch d.IntN(8) {
	case 0, 1:
		return 0
	case 2, 3:
		return time.Duration(d.IntN(5000)) * time.Millisecond
	case 4:
		return time.Duration(d.IntN(60)) * time.Second
	}
	gap := oneOf(d, spans...) / time.Duration(1+d.IntN(4))
	if d.chance(80) {
		gap = min(gap, 97*time.Second)
	}
	switch d.IntN(3) {
	case 0:
		return gap - 10*time.Microsecond
	case 1:
		return gap + 10*time.Microsecond
	}
	return gap
}
