package bucket

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// Level is the state of one bucket, for csmail explain and why.
type Level struct {
	Scenario *scenario.Scenario
	Key      string    // value of groupby
	Count    int       // events that have not leaked; all of them if the scenario does not leak
	Limit    int       // events needed to overflow (capacity+1); 0 if the scenario does not count
	Total    int       // events since First, including those that have leaked
	First    time.Time // zero if the bucket is empty
	Last     time.Time
	NextLeak time.Time // zero if nothing leaks
	Ends     time.Time // when an open counter overflows; else zero
	Silent   time.Time // end of the blackhole; zero if overflows are reported
}

// Levels returns, for each scenario whose filter takes the event, its bucket as
// it is at the time of the event, before or after the pour. Nothing changes.
func (e *Engine) Levels(ev *event.Event) []Level {
	e.begin(ev)
	defer func() { e.in = expression.Input{} }()
	var levels []Level
	for _, s := range e.takersOf() {
		if !e.passes(s.Rest) {
			continue
		}
		level := Level{Scenario: s, Key: e.keyAtHand(s), Limit: limitOf(s)}
		if gi := e.findGroup(s); gi != 0 {
			g := e.groups.At(gi)
			if b := e.findBucket(g, int(s.Index)); b != nil {
				level = e.level(g, b, e.at)
			}
		}
		levels = append(levels, level)
	}
	return levels
}

// keyAtHand returns the value of groupby for the current event.
func (c *current) keyAtHand(s *scenario.Scenario) string {
	if by := c.networkBy(s.GroupField); by != expression.NoField {
		key := networkOf(by, c.in.Event.Addr)
		return c.keyText(&group{hi: key.hi, lo: key.lo, bits: key.bits})
	}
	key, _ := c.machine.Bytes(s.GroupBy)
	return shownText(key)
}

// LevelsOf returns the open and the silent buckets of an address, of its /64 and
// of its /24, in the order of the Set.
func (e *Engine) LevelsOf(addr netip.Addr) []Level {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return nil
	}
	var levels []Level
	for _, key := range [...]groupKey{addrKey(addr), rangeKey(addr)} {
		gi := e.groups.findNetwork(key)
		if gi == 0 {
			continue
		}
		g := e.groups.At(gi)
		buckets := e.bucketsOf(g)
		for i := range buckets {
			if level := e.level(g, &buckets[i], e.now); level.Total > 0 || !level.Silent.IsZero() {
				levels = append(levels, level)
			}
		}
	}
	slices.SortFunc(levels, func(a, b Level) int {
		if d := int(a.Scenario.Index) - int(b.Scenario.Index); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	return levels
}

// limitOf returns the number of events that overflow a scenario, 0 if it does not count.
func limitOf(s *scenario.Scenario) int {
	if s.IsLeaky || s.IsTrigger {
		return s.Capacity + 1
	}
	return 0
}

// level describes a bucket at a time.
func (e *Engine) level(g *group, b *bucket, now int64) Level {
	s := e.set.Scenarios()[b.owner.scenario()]
	level := Level{Scenario: s, Key: e.keyText(g), Limit: limitOf(s)}
	if until := e.silentUntil(b); until > now {
		level.Silent = stamp(until)
	}
	if b.total == 0 || (!s.IsTimed() && now > b.last+s.Life) {
		return level
	}
	level.Total, level.First, level.Last = int(b.total), stamp(b.first), stamp(b.last)
	level.Count = level.Total
	if s.IsTimed() {
		level.Ends = stamp(b.busy + s.Life)
	}
	if s.IsLeaky {
		leak := int64(s.LeakSpeed)
		now = max(now, b.last)
		if level.Count = b.level(now, leak); level.Count > 0 {
			level.NextLeak = stamp(b.empty(leak) - int64(level.Count-1)*leak)
		}
	}
	return level
}

func (m *memory) keyText(g *group) string {
	switch g.bits {
	case isText:
		return m.groups.texts.shown(textRef(g.lo))
	case 128:
		return g.key().addr().String()
	}
	return g.key().prefix().String()
}
