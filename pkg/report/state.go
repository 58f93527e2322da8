package report

import (
	"net/netip"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

// CollectorState is what a Collector holds, in a form that encoding/gob keeps.
// Kinds of events go by their numbers, so it is for the release that wrote it.
type CollectorState struct {
	Sources  []SourceState
	Findings []engine.Finding // without evidence
	Events   int
}

// SourceState is what is counted of one source.
type SourceState struct {
	Addr           netip.Addr
	Count, Hostile int
	Kinds          []KindState
	First, Last    time.Time
	Users          []string
	Services       event.ServiceSet
}

// KindState counts attempts of one kind.
type KindState struct {
	Kind event.Kind
	N    uint32
}

// State returns a copy of what the Collector holds.
func (c *Collector) State() CollectorState {
	state := CollectorState{Events: c.events}
	for _, s := range c.sources {
		one := SourceState{Addr: s.Addr, Count: s.Count, Hostile: s.Hostile, First: s.First, Last: s.Last, Users: s.Users, Services: s.services}
		for _, k := range append(s.kinds[:len(s.kinds):len(s.kinds)], s.more...) {
			if k.kind != event.NoKind {
				one.Kinds = append(one.Kinds, KindState{k.kind, k.n})
			}
		}
		state.Sources = append(state.Sources, one)
	}
	for _, f := range c.findings.order {
		one := *f
		one.Alert.Evidence = nil
		state.Findings = append(state.Findings, one)
	}
	return state
}

// RestoreCollector returns a Collector that goes on where another left off.
func RestoreCollector(scope Scope, state CollectorState) *Collector {
	c := NewCollector(scope)
	c.events = state.Events
	for _, one := range state.Sources {
		s := c.source(one.Addr)
		s.Count, s.Hostile, s.First, s.Last, s.services = one.Count, one.Hostile, one.First, one.Last, one.Services
		for i, k := range one.Kinds {
			if i < len(s.kinds) {
				s.kinds[i] = kindCount{k.Kind, k.N}
				continue
			}
			s.more = append(s.more, kindCount{k.Kind, k.N})
		}
		for _, name := range one.Users {
			s.nameUser(name)
		}
	}
	c.AddFindings(state.Findings)
	return c
}

// BacktestState is what a Backtest holds, for encoding/gob.
type BacktestState struct {
	Bans   []BanState
	First  map[netip.Addr]time.Time
	Days   []DayBans
	Result Outcome
	Waits  []time.Duration
}

// BanState is one banned value.
type BanState struct {
	Value        netip.Prefix
	Since, Until time.Time
	Scenario     string
	Good         bool
}

// State returns what the Backtest holds. It shares the maps, so it is to be used
// before the next Add.
func (b *Backtest) State() BacktestState {
	state := BacktestState{First: b.first, Result: b.result, Waits: b.waits}
	for value, one := range b.bans.on {
		state.Bans = append(state.Bans, BanState{value, one.since, one.until, one.scenario, one.good})
	}
	for d, n := range b.days {
		state.Days = append(state.Days, DayBans{d.date, d.scenario, n})
	}
	return state
}

// RestoreBacktest returns a Backtest that goes on where another left off.
func RestoreBacktest(scope Scope, duration time.Duration, state BacktestState) *Backtest {
	b := NewBacktest(scope, duration)
	for _, one := range state.Bans {
		b.bans.add(one.Value, &ban{since: one.Since, until: one.Until, scenario: one.Scenario, good: one.Good})
	}
	if state.First != nil {
		b.first = state.First
	}
	for _, d := range state.Days {
		b.days[day{d.Day, d.Scenario}] = d.Bans
	}
	heldBy, scenarios := b.result.HeldBy, b.result.Scenarios
	b.result, b.waits = state.Result, state.Waits
	if b.result.HeldBy == nil { // gob leaves empty maps out
		b.result.HeldBy = heldBy
	}
	if b.result.Scenarios == nil {
		b.result.Scenarios = scenarios
	}
	return b
}
