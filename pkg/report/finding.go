package report

import (
	"net/netip"
	"slices"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// merged holds one finding for each scenario and value: a source that goes on
// overflows its bucket again and again.
type merged struct {
	order []findingKey
	byKey map[findingKey]*engine.Finding
}

type findingKey struct{ scenario, value string }

func newMerged() merged { return merged{byKey: make(map[findingKey]*engine.Finding)} }

// add merges a finding into the one that is there. The gravest verdict stands,
// of equals the last.
func (m *merged) add(f engine.Finding) {
	key := findingKey{f.Alert.Scenario, f.Alert.Value()}
	known := m.byKey[key]
	if known == nil {
		m.order = append(m.order, key)
		m.byKey[key] = &f
		return
	}
	before := known.Alert
	graver := weight(f.Verdict.Action) >= weight(known.Verdict.Action)
	if graver {
		*known = f
	}
	known.Alert.Count = before.Count + f.Alert.Count
	known.Alert.First, known.Alert.Last = before.First, before.Last
	widen(&known.Alert.First, &known.Alert.Last, f.Alert.First)
	widen(&known.Alert.First, &known.Alert.Last, f.Alert.Last)
	known.Alert.Kinds = addCounts(before.Kinds, f.Alert.Kinds)
	known.Alert.Services = addNames(before.Services, f.Alert.Services)
}

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

func addCounts(a, b []event.Count) []event.Count {
	sum := slices.Clone(a)
	for _, more := range b {
		i := slices.IndexFunc(sum, func(c event.Count) bool { return c.Name == more.Name })
		if i < 0 {
			sum = append(sum, more)
			continue
		}
		sum[i].N += more.N
	}
	return sum
}

func addNames(a, b []string) []string {
	names := append(slices.Clone(a), b...)
	slices.Sort(names)
	return slices.Compact(names)
}

func (m *merged) list() []engine.Finding {
	all := make([]engine.Finding, 0, len(m.order))
	for _, key := range m.order {
		f := *m.byKey[key]
		f.Alert = engine.Describe(f.Alert)
		all = append(all, f)
	}
	return all
}

// judge gives the sources what was found about them or their networks.
func (m *merged) judge(sources map[netip.Addr]*Source) {
	for _, s := range sources {
		s.Scenarios, s.Verdict = nil, guard.Verdict{Reason: "no scenario overflowed"}
	}
	for _, key := range m.order {
		f := m.byKey[key]
		switch f.Alert.Scope {
		case event.ScopeIP:
			if s := sources[f.Alert.Source]; s != nil {
				s.found(f)
			}
		case event.ScopeRange:
			m.judgeNetwork(f, sources)
		}
	}
}

func (m *merged) judgeNetwork(f *engine.Finding, sources map[netip.Addr]*Source) {
	network, err := netip.ParsePrefix(f.Alert.Value())
	if err != nil {
		return // an alert whose source is no address
	}
	for addr, s := range sources {
		if network.Contains(addr) {
			s.found(f)
		}
	}
}

func (s *Source) found(f *engine.Finding) {
	if !slices.Contains(s.Scenarios, f.Alert.Scenario) {
		s.Scenarios = append(s.Scenarios, f.Alert.Scenario)
	}
	if weight(f.Verdict.Action) > weight(s.Verdict.Action) {
		s.Verdict = f.Verdict
	}
}
