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
}

type mergedFinding struct {
	engine.Finding
	since time.Time // when the first of them was decided
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
		first := mergedFinding{m.kept(f), since}
		first.Alert.Kinds, first.Alert.Services = slices.Clone(f.Alert.Kinds), slices.Clone(f.Alert.Services)
		m.order = append(m.order, &first)
		m.byKey[key] = &first
		return
	}
	sum := known.Alert
	if isGraver(f, &known.Finding) {
		known.Finding = m.kept(f)
	}
	if since.Before(known.since) {
		known.since = since
	}
	sum.Count += f.Alert.Count
	widen(&sum.First, &sum.Last, f.Alert.First)
	widen(&sum.First, &sum.Last, f.Alert.Last)
	known.Alert.Count, known.Alert.First, known.Alert.Last = sum.Count, sum.First, sum.Last
	known.Alert.Kinds = addCounts(sum.Kinds, f.Alert.Kinds)
	known.Alert.Services = addNames(sum.Services, f.Alert.Services)
}

// kept returns the part of a finding that is kept.
func (m *merged) kept(f *engine.Finding) engine.Finding {
	kept := *f
	if !m.evidence {
		kept.Alert.Evidence = nil
	}
	return kept
}

// isGraver reports whether a verdict stands in place of another.
func isGraver(a, b *engine.Finding) bool {
	return cmp.Or(weight(a.Verdict.Action)-weight(b.Verdict.Action), a.At.Compare(b.At), strings.Compare(a.Verdict.Reason, b.Verdict.Reason)) >= 0
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
		told := f.Finding
		told.Alert = engine.Describe(f.Alert)
		all = append(all, told)
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
		return cmp.Or(a.since.Compare(b.since), strings.Compare(a.Alert.Scenario, b.Alert.Scenario))
	})
	for _, f := range byTime {
		switch f.Alert.Scope {
		case event.ScopeIP:
			if s := sources.find(f.Alert.Source); s != nil {
				s.found(&f.Finding)
			}
		case event.ScopeRange:
			if inOrder == nil {
				inOrder = sources.byAddress(func(*Source) int { return 0 })
			}
			for _, s := range within(inOrder, engine.Network(f.Alert)) {
				s.found(&f.Finding)
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
func (s *Source) found(f *engine.Finding) {
	if !slices.Contains(s.Scenarios, f.Alert.Scenario) {
		s.Scenarios = append(s.Scenarios, f.Alert.Scenario)
	}
	if weight(f.Verdict.Action) > weight(s.Verdict.Action) {
		s.Verdict, s.By = f.Verdict, f.Alert.Scenario
	}
}
