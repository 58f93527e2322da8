package scenario

import "fmt"

// Join returns one Set with the scenarios of all, in their order. A name that occurs in
// two of them is an error.
func Join(sets ...*Set) (*Set, error) {
	joined := &Set{}
	byName := map[string]*Scenario{}
	for _, set := range sets {
		joined.shapes = joined.shapes || set.shapes
		for _, s := range set.scenarios {
			if other := byName[s.Name]; other != nil {
				return nil, fmt.Errorf("the scenario %q stands in %s:%d and in %s:%d", s.Name, other.File, other.Line, s.File, s.Line)
			}
			if len(joined.scenarios) == MaxScenarios {
				return nil, fmt.Errorf("more than %d scenarios", MaxScenarios)
			}
			own := *s
			own.Index = uint16(len(joined.scenarios))
			byName[s.Name] = &own
			joined.scenarios = append(joined.scenarios, &own)
		}
	}
	return joined, nil
}
