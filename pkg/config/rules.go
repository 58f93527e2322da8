package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"gopkg.in/yaml.v3"
)

// Rules are what all judges of a cluster must have in common, since they judge the same
// facts: the guard's numbers, who counts, and the scenarios.
type Rules struct {
	Guard     Guard               `yaml:"guard"`
	Judges    []string            `yaml:"judges"`
	Edges     []string            `yaml:"edges"`
	Sites     map[string][]string `yaml:"sites"`
	Late      Duration            `yaml:"late"`
	Scenarios string              `yaml:"scenarios"` // a hash of all that decides
}

// RulesOf returns the rules of a judge's configuration, with the hash of its scenarios.
func RulesOf(c Config, scenarios string) Rules {
	return Rules{Guard: c.Guard, Judges: c.Cluster.Judges, Edges: c.Cluster.Edges, Sites: c.Cluster.Sites, Late: c.Cluster.Late, Scenarios: scenarios}
}

// Text returns the rules in the form that ReadRules reads.
func (r Rules) Text() string {
	text, _ := yaml.Marshal(r) // of texts, numbers and lists
	return string(text)
}

// ReadRules reads the rules that Text wrote. Keys of another release are left out.
func ReadRules(text string) (r Rules, err error) {
	if err := yaml.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("the rules of the judges: %w", err)
	}
	return r, nil
}

// Hash returns a short name of the rules, equal where they are.
func (r Rules) Hash() string {
	sum := sha256.Sum256([]byte(r.Text()))
	return hex.EncodeToString(sum[:8])
}
