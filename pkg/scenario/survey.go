package scenario

import (
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/scenario/expression"
)

// survey finds the kinds that the scenario may count and the fields that csmail
// never sets.
func (l *loader) survey(s *Scenario) {
	var ev event.Event
	m := expression.Machine{In: &expression.Input{Event: &ev}}
	refuses := event.KindSet(0) // of which the filter does not take each event
	for _, k := range event.Kinds() {
		for _, service := range append(event.Services(), event.NoService) {
			for sh := range expression.Shapes {
				switch {
				case !sh.Plausible(k, service):
				case s.MayTake(&m, k, service, sh):
					s.Kinds = s.Kinds.With(k)
				default:
					refuses = refuses.With(k)
				}
			}
		}
	}
	countsKinds := s.countsAll() && s.Kinds&refuses == 0
	s.CountsKinds = countsKinds && s.OverflowFilter == nil
	s.CountsNames = s.countsEachOnce() && s.Kinds&refuses == 0
	s.SumsKinds = countsKinds && s.OverflowFilter != nil && !s.KeepTimes && !s.KeepEvents
	for _, x := range slices.Concat([]*expression.Expression{s.filter, s.GroupBy, s.Distinct, s.CancelOn}, s.bucketExpressions()) {
		if x == nil {
			continue
		}
		l.set.shapes = l.set.shapes || x.ReadsShape()
		for _, name := range x.UnknownFields() {
			if note := "csmail never sets " + name; !slices.Contains(s.Notes, note) {
				s.Notes = append(s.Notes, note)
			}
		}
	}
}

// countsAll reports whether the bucket counts each event that kind, service and shape let
// pass the filter, for the source it is about. Its overflow filter may still drop an
// overflow.
func (s *Scenario) countsAll() bool {
	return s.IsLeaky && len(s.Rest) == 0 && s.GroupField == expression.FieldSourceBlock && s.Scope == string(event.ScopeIP) &&
		s.Distinct == nil && s.CancelOn == nil && s.Condition == nil
}

// countsEachOnce reports whether the bucket counts each account, or each address, that kind,
// service and shape let pass the filter once. The filter may ask for a name besides.
func (s *Scenario) countsEachOnce() bool {
	if !s.IsLeaky || s.Distinct == nil || s.CancelOn != nil || s.Condition != nil || s.OverflowFilter != nil {
		return false
	}
	switch s.GroupField {
	case expression.FieldSourceBlock:
		return s.DistinctField == expression.FieldAccount && s.Scope == string(event.ScopeIP) && s.asksForNames()
	case expression.FieldSourceRange:
		return s.CountsAddresses() && s.Scope == string(event.ScopeRange) && len(s.Rest) == 0
	case expression.FieldUsername:
		return s.CountsAddresses() && s.ScopeField == s.GroupField && s.asksForNames()
	}
	return false
}

// asksForNames reports whether the filter asks for no more than a name, besides kind,
// service and shape.
func (s *Scenario) asksForNames() bool {
	return !slices.ContainsFunc(s.Rest, func(x *expression.Expression) bool {
		return x.Source() != `evt.Meta.account != ""` && x.Source() != `evt.Meta.username != ""`
	})
}

// MayTake reports whether the filter may take an event of the kind, service and shape:
// no conjunct that these three decide refuses it. It runs on a machine with an event of
// its own in In, and overwrites that event.
func (s *Scenario) MayTake(m *expression.Machine, k event.Kind, service event.Service, sh expression.Shape) bool {
	*m.In = expression.Input{Event: m.In.Event, Shape: sh}
	m.In.Event.Kind, m.In.Event.Service = k, service
	for _, x := range s.Sure {
		if !m.IsTrue(x) {
			return false
		}
	}
	return true
}
