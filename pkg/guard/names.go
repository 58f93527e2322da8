package guard

import "fmt"

// Rules returns all rules in the order of their numbers.
func Rules() []Rule {
	all := make([]Rule, 0, len(ruleNames))
	for r := range ruleNames {
		all = append(all, Rule(r))
	}
	return all
}

// UnmarshalText reads the form of MarshalText.
func (a *Action) UnmarshalText(text []byte) error {
	for i, name := range actionNames {
		if name == string(text) {
			*a = Action(i)
			return nil
		}
	}
	return fmt.Errorf("action %q is none", text)
}

// UnmarshalText reads the form of MarshalText.
func (r *Rule) UnmarshalText(text []byte) error {
	for i, name := range ruleNames {
		if name == string(text) {
			*r = Rule(i)
			return nil
		}
	}
	return fmt.Errorf("rule %q is none", text)
}
