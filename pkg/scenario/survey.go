package scenario

import (
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/expression"
)

// survey finds the kinds that the scenario may count and the fields that csmail
// never sets.
func (l *loader) survey(s *Scenario) {
	var ev event.Event
	m := expression.Machine{In: &expression.Input{Event: &ev}}
	for _, k := range event.Kinds() {
		for service := event.NoService; service <= event.SSHD; service++ {
			for sh := range expression.Shapes {
				if sh.Plausible(k, service) && s.mayTake(&m, k, service, sh) {
					s.Kinds |= 1 << k
				}
			}
		}
	}
	for _, x := range slices.Concat([]*expression.Expression{s.filter, s.groupBy, s.distinct, s.cancelOn}, s.bucketExpressions()) {
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

// mayTake runs the enumerated conjuncts of the filter on a machine with room for an
// event.
func (s *Scenario) mayTake(m *expression.Machine, k event.Kind, service event.Service, sh expression.Shape) bool {
	*m.In = expression.Input{Event: m.In.Event, Shape: sh}
	m.In.Event.Kind, m.In.Event.Service = k, service
	for _, x := range s.sure {
		if !m.IsTrue(x) {
			return false
		}
	}
	return true
}
