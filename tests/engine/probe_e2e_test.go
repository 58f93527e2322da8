//go:build e2e

package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
)

// prober makes events at the edge of one scenario: bursts that just fill its
// bucket, and what comes shortly before and after something leaks, or a blackhole
// ends.
type prober struct {
	document
	t         *testing.T
	rand      *rand.Rand
	templates []template // those that the filter takes
	capacity  int
	leak      time.Duration
	blackhole time.Duration

	sources string // how addresses vary: "one", "many of one network", "many"
	oneUser bool
}

// endless is how many events go into a bucket without a capacity.
const endless = 8

// probes returns the events of the probes of all scenarios, in the order of time.
// Edges are where a probe comes down, in parts of a leak speed or a blackhole.
func probes(t *testing.T, files map[string][]byte, edges ...float64) []*event.Event {
	t.Helper()
	var events []*event.Event
	random := rand.New(rand.NewPCG(4, 4))
	attacker := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, d := range documents(t, files[name]) {
			p := newProber(t, d, random)
			for _, edge := range edges {
				events = append(events, p.leaks(&attacker, edge)...)
				events = append(events, p.rests(&attacker, edge)...)
				events = append(events, p.drops(&attacker, edge)...)
				if p.capacity < 0 { // what is at hand decides, so once more
					events = append(events, p.leaks(&attacker, edge)...)
					events = append(events, p.rests(&attacker, edge)...)
				}
			}
		}
	}
	slices.SortStableFunc(events, func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
	return events
}

func newProber(t *testing.T, d document, random *rand.Rand) *prober {
	t.Helper()
	p := &prober{document: d, t: t, rand: random, sources: "one"}
	group := ""
	if node := d.get("groupby"); node != nil {
		group = node.Value
	}
	p.oneUser = strings.Contains(group, "username") || strings.Contains(group, "account")
	switch {
	case strings.Contains(group, "source_range"):
		p.sources = "many of one network"
	case !strings.Contains(group, "source_"):
		p.sources = "many"
	}
	if node := d.get("capacity"); node != nil {
		p.capacity, _ = strconv.Atoi(node.Value) // checked by Load
	}
	p.leak, p.blackhole = p.duration("leakspeed"), p.duration("blackhole")
	p.templates = p.taken()
	if len(p.templates) == 0 {
		t.Errorf("%s takes no event", d.get("name").Value)
	}
	return p
}

func (p *prober) duration(key string) time.Duration {
	node := p.get(key)
	if node == nil {
		return 0
	}
	d, err := time.ParseDuration(node.Value)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

// taken returns the templates of one attempt that the scenario's filter takes.
func (p *prober) taken() []template {
	var list []template
	distinct := p.get("distinct")
	byName := distinct != nil && (strings.Contains(distinct.Value, "user") || strings.Contains(distinct.Value, "account") ||
		strings.Contains(distinct.Value, "recipient"))
	trigger := p.only(p.t, "trigger", "name", "description", "filter", "data", "labels")
	core := bucket.New(load(p.t, map[string][]byte{"trigger.yaml": trigger}), bucket.Limits{}, event.HashKey{})
	for _, candidate := range templates() {
		e := candidate.fill(p.t, netip.MustParseAddr("192.0.2.1"), p.user(0, 0))
		if e.Attempts == 1 && len(core.Pour(e)) > 0 && (!byName || strings.Contains(candidate.text, "a@example.org")) {
			list = append(list, candidate)
		}
	}
	return list
}

// leaks fills the bucket, waits until about one event has leaked, and adds one;
// then it goes on at a rate a little above the leak's.
func (p *prober) leaks(attacker *int, edge float64) []*event.Event {
	if p.leak == 0 {
		return nil
	}
	*attacker++
	a := p.attack(*attacker)
	size := p.capacity
	if size < 0 {
		size = endless / 2
	}
	a.burst(size)
	a.wait(p.leak, edge)
	a.burst(max(1, size-p.capacity))
	for range p.capacity + 2 {
		a.wait(p.leak, 0.4+0.2*p.rand.Float64())
		a.burst(1)
	}
	return a.events
}

// rests overflows the bucket, waits until about the end of the blackhole, and
// overflows it again.
func (p *prober) rests(attacker *int, edge float64) []*event.Event {
	*attacker++
	a := p.attack(*attacker)
	size := p.capacity + 1
	if p.capacity < 0 {
		size = endless
	}
	a.burst(size)
	a.wait(p.blackhole, edge)
	a.burst(size)
	a.burst(1)
	return a.events
}

// drops shows a leak that the overflow filter hides, as it only lets overflows through
// that take less time than the leak. One event comes to a full bucket about when an
// event has leaked: either it overflows, which the filter drops, and leaves no bucket,
// or it does not. So of the next events, just enough for an overflow, the first may
// belong to the overflow before, and then there is no alert.
func (p *prober) drops(attacker *int, edge float64) []*event.Event {
	if p.get("overflow_filter") == nil || p.leak == 0 || p.capacity < 0 {
		return nil
	}
	*attacker++
	a := p.attack(*attacker)
	a.burst(p.capacity)
	a.wait(p.leak, edge)
	a.burst(1)
	a.burst(p.capacity + 1)
	return a.events
}

// attack is one attacker under way.
type attack struct {
	*prober
	number int
	n      int
	now    time.Time
	events []*event.Event
}

func (p *prober) attack(number int) *attack {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return &attack{prober: p, number: number, now: start.Add(time.Duration(p.rand.Int64N(int64(time.Hour))))}
}

func (a *attack) wait(d time.Duration, part float64) {
	a.now = a.now.Add(time.Duration(float64(d) * part))
}

// burst adds n events that are distinct in what may be distinct, and now and then
// one that repeats the last.
func (a *attack) burst(n int) {
	for range n {
		a.n++
		a.add()
		if a.rand.IntN(4) == 0 && a.get("distinct") != nil {
			a.add()
		}
	}
}

func (a *attack) add() {
	a.now = a.now.Add(time.Millisecond + time.Duration(a.rand.IntN(1e6)))
	e := a.templates[a.rand.IntN(len(a.templates))].fill(a.t, a.source(), a.user(a.number, a.n))
	e.Time = a.now
	a.events = append(a.events, e)
}

func (a *attack) source() netip.Addr {
	network, host := 0, 1
	switch a.sources {
	case "many of one network":
		host = a.n
	case "many":
		network = a.n
	}
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::%x", a.number, network, host))
}

// user returns a name that the filter takes.
func (p *prober) user(attacker, n int) string {
	if p.oneUser {
		n = 0
	}
	switch filter := p.get("filter").Value; {
	case strings.Contains(filter, "postmaster"):
		return fmt.Sprintf("test@u%d-%d.example", attacker, n)
	case strings.Contains(filter, "File("):
		return fmt.Sprintf("info@u%d-%d.com", attacker, n)
	}
	return fmt.Sprintf("u%d-%d@example.org", attacker, n)
}
