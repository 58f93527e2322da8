package report

import (
	"math"
	"net/netip"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// CollectorState is the content of a Collector. Kinds, actions and rules have their names, so another release can read it.
type CollectorState struct {
	Sources  []SourceState
	Findings []FindingState
	Events   int
	Others   Others
}

// SourceState is the content of one source.
type SourceState struct {
	Addr           netip.Addr
	Count, Hostile int
	Kinds          []event.Count
	First, Last    time.Time
	Users          []string
	Services       []string
}

// FindingState is one finding with the guard's gravest word on it.
type FindingState struct {
	Scenario, Scope, Account string
	Source                   netip.Addr
	Bits, Count              int
	First, Last, At          time.Time
	Since                    time.Time // when the first of them was decided
	Action, Rule, Reason     string
}

// State returns a copy of the content.
func (c *Collector) State() CollectorState {
	state := CollectorState{Events: c.events, Others: c.others}
	w := newWords()
	for s := range c.sources.all {
		w.sum(s)
		state.Sources = append(state.Sources, s.state())
	}
	for _, f := range c.findings.order {
		state.Findings = append(state.Findings, f.state())
	}
	return state
}

// state returns the content of a source whose kinds and services are written in words.
func (s *Source) state() SourceState {
	return SourceState{Addr: s.Addr, Count: s.Count, Hostile: s.Hostile, First: s.First, Last: s.Last, Users: s.Users, Kinds: s.Kinds, Services: s.Services}
}

func (m *mergedFinding) state() FindingState {
	return FindingState{
		Scenario: m.scenario, Scope: string(m.scope), Account: m.account, Source: m.source, Bits: int(m.bits), Count: m.count, First: m.first, Last: m.last, At: m.at, Since: m.since,
		Action: m.action.String(), Rule: m.rule.String(), Reason: m.reason,
	}
}

// Merge adds the content of another Collector, the earlier one first: names are listed in
// the order of their first attempts. A kind that this release does not know is left out
// of the kinds, but not of the sum.
func (c *Collector) Merge(state CollectorState) {
	c.events += state.Events
	c.addOthers(state.Others)
	for i := range state.Sources {
		c.mergeSource(&state.Sources[i])
	}
	for i := range state.Findings {
		c.mergeFinding(&state.Findings[i])
	}
}

func (c *Collector) mergeSource(one *SourceState) {
	s := c.source(one.Addr)
	if s == nil {
		c.others.Attempts += one.Count
		return
	}
	s.Count += one.Count
	s.Hostile += one.Hostile
	widen(&s.First, &s.Last, one.First)
	widen(&s.First, &s.Last, one.Last)
	for _, k := range one.Kinds {
		var kind event.Kind
		if kind.UnmarshalText([]byte(k.Name)) == nil {
			s.addKind(kind, uint32(min(uint64(max(k.N, 0)), math.MaxUint32)))
		}
	}
	for _, service := range event.Services() {
		for _, name := range one.Services {
			if service.String() == name {
				s.services = s.services.With(service)
			}
		}
	}
	for _, name := range one.Users {
		c.nameUserOf(s, name)
	}
}

func (c *Collector) mergeFinding(one *FindingState) {
	f := one.finding()
	c.addFinding(&f, one.Since)
}

func (s *FindingState) finding() engine.Finding {
	f := engine.Finding{At: s.At, Verdict: guard.Verdict{Reason: s.Reason}, Alert: event.Alert{
		Scenario: s.Scenario, Scope: event.Scope(s.Scope), Account: s.Account, Source: s.Source, Bits: s.Bits, Count: s.Count, First: s.First, Last: s.Last,
	}}
	// A name of another release leaves the zero value: no ban is claimed.
	_ = f.Verdict.Action.UnmarshalText([]byte(s.Action))
	_ = f.Verdict.Rule.UnmarshalText([]byte(s.Rule))
	return f
}
