package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// merged holds one finding for each scenario and value, because a source that goes on
// overflows its bucket again and again.
type merged struct {
	order []*mergedFinding
	byKey map[findingKey]*mergedFinding

	evidence bool // findings keep theirs
	brief    bool // the findings are not asked for as a whole, for less than half of the memory
}

// mergedFinding is the part of a finding that the rows of sources need. Attempts and span
// are those of all findings with its key, the rest is of the gravest.
type mergedFinding struct {
	scenario, account, reason string

	source      netip.Addr
	first, last time.Time // of the attempts
	at          time.Time // of the verdict
	since       time.Time // when the first of the findings was decided
	count       int
	bits        int32
	scope       event.Scope
	action      guard.Action
	rule        guard.Rule

	whole *engine.Finding // nil if the findings are brief
}

// findingKey is a scenario and a value. A network has many sources, so its key holds its
// first address and its size.
type findingKey struct {
	scenario string
	scope    event.Scope
	network  netip.Prefix // for an address, of full length
	account  string
}

func keyOf(a event.Alert) findingKey {
	key := findingKey{scenario: a.Scenario, scope: a.Scope, network: engine.Network(a)}
	if a.Scope == event.ScopeAccount {
		key.account = a.Account
	}
	return key
}

func newMerged() merged { return merged{byKey: make(map[findingKey]*mergedFinding)} }

// add merges a finding into the one with the same key, whose counts belong to merged. The
// gravest verdict stays, among equal ones the last.
func (m *merged) add(f *engine.Finding, since time.Time) {
	key := keyOf(f.Alert)
	known := m.byKey[key]
	if known == nil {
		first := mergedFinding{since: since, first: f.Alert.First, last: f.Alert.Last}
		first.take(f)
		if first.count = f.Alert.Count; !m.brief {
			whole := m.kept(f)
			whole.Alert.Kinds, whole.Alert.Services = slices.Clone(f.Alert.Kinds), slices.Clone(f.Alert.Services)
			first.whole = &whole
		}
		m.order = append(m.order, &first)
		m.byKey[key] = &first
		return
	}
	if since.Before(known.since) {
		known.since = since
	}
	known.count += f.Alert.Count
	widen(&known.first, &known.last, f.Alert.First)
	widen(&known.first, &known.last, f.Alert.Last)
	isGraver := known.isLess(f)
	if isGraver {
		known.take(f)
	}
	if known.whole != nil {
		m.addWhole(known, f, isGraver)
	}
}

// take takes the verdict and the subject of a finding.
func (m *mergedFinding) take(f *engine.Finding) {
	a := &f.Alert
	m.scenario, m.account, m.source, m.bits, m.scope = a.Scenario, a.Account, a.Source, int32(a.Bits), a.Scope
	m.at, m.action, m.rule, m.reason = f.At, f.Verdict.Action, f.Verdict.Rule, f.Verdict.Reason
}

// addWhole adds a finding to a whole one.
func (m *merged) addWhole(known *mergedFinding, f *engine.Finding, isGraver bool) {
	kinds, services := known.whole.Alert.Kinds, known.whole.Alert.Services
	if isGraver {
		*known.whole = m.kept(f)
	}
	a := &known.whole.Alert
	a.Count, a.First, a.Last = known.count, known.first, known.last
	a.Kinds, a.Services = addCounts(kinds, f.Alert.Kinds), addNames(services, f.Alert.Services)
}

// kept returns the part of a finding that is kept.
func (m *merged) kept(f *engine.Finding) engine.Finding {
	kept := *f
	if !m.evidence {
		kept.Alert.Evidence = nil
	}
	return kept
}

// isLess reports whether the verdict of another finding stands in place of this one's.
func (m *mergedFinding) isLess(f *engine.Finding) bool {
	return cmp.Or(weight(f.Verdict.Action)-weight(m.action), f.At.Compare(m.at), strings.Compare(f.Verdict.Reason, m.reason)) >= 0
}

// verdict returns the guard's verdict, for a source.
func (m *mergedFinding) verdict() guard.Verdict {
	if m.whole != nil {
		return m.whole.Verdict
	}
	return guard.Verdict{Action: m.action, Rule: m.rule, Reason: m.reason}
}

// weight orders verdicts by their gravity.
func weight(a guard.Action) int {
	switch a {
	case guard.Ban:
		return 3
	case guard.Hold:
		return 2
	case guard.Alert:
		return 1
	}
	return 0
}

// addCounts adds more to sum, in place.
func addCounts(sum, more []event.Count) []event.Count {
	for _, c := range more {
		i := slices.IndexFunc(sum, func(known event.Count) bool { return known.Name == c.Name })
		if i < 0 {
			sum = append(sum, c)
			continue
		}
		sum[i].N += c.N
	}
	return sum
}

// addNames adds to a sorted list, in place.
func addNames(names, more []string) []string {
	for _, name := range more {
		if at, known := slices.BinarySearch(names, name); !known {
			names = slices.Insert(names, at, name)
		}
	}
	return names
}

func (m *merged) list() []engine.Finding {
	all := make([]engine.Finding, 0, len(m.order))
	for _, f := range m.order {
		if f.whole != nil {
			described := *f.whole
			described.Alert = engine.Describe(f.whole.Alert)
			all = append(all, described)
		}
	}
	return all
}

// judge gives each source the findings about it or its networks.
func (m *merged) judge(sources *sourceTable) {
	for s := range sources.all {
		s.Scenarios, s.By, s.Verdict = nil, "", guard.Verdict{Reason: "no scenario overflowed"}
	}
	var inOrder []*Source           // by address, made for the first network
	byTime := slices.Clone(m.order) // windows that are merged come in any order
	slices.SortStableFunc(byTime, func(a, b *mergedFinding) int {
		return cmp.Or(a.since.Compare(b.since), strings.Compare(a.scenario, b.scenario))
	})
	for _, f := range byTime {
		switch f.scope {
		case event.ScopeIP:
			if s := sources.find(f.source); s != nil {
				s.found(f)
			}
		case event.ScopeRange:
			if inOrder == nil {
				inOrder = sources.byAddress(func(*Source) int { return 0 })
			}
			for _, s := range within(inOrder, engine.Network(f.alert())) {
				s.found(f)
			}
		}
	}
}

// within returns the sources of a network, from a list in the order of their addresses;
// none for an invalid network.
func within(inOrder []*Source, network netip.Prefix) []*Source {
	from, _ := slices.BinarySearchFunc(inOrder, network.Masked().Addr(), func(s *Source, first netip.Addr) int { return s.Addr.Compare(first) })
	to := from
	for to < len(inOrder) && network.Contains(inOrder[to].Addr) {
		to++
	}
	return inOrder[from:to]
}

// found adds a finding to the source.
func (s *Source) found(f *mergedFinding) {
	if !slices.Contains(s.Scenarios, f.scenario) {
		s.Scenarios = append(s.Scenarios, f.scenario)
	}
	if weight(f.action) > weight(s.Verdict.Action) {
		s.Verdict, s.By = f.verdict(), f.scenario
	}
}

// alert returns the subject of the finding, without the attempts.
func (m *mergedFinding) alert() event.Alert {
	return event.Alert{Scenario: m.scenario, Scope: m.scope, Account: m.account, Source: m.source, Bits: int(m.bits)}
}
