package config

import (
	"reflect"
	"testing"
	"time"
)

// Rules stay the same when they are written and read, and differ by each of their parts.
func TestRules(t *testing.T) {
	c, err := load(t, "cluster: {role: judge, servers: ['nats://a:4222'], judges: [j0, j1], edges: [mx1, mx2]}\nguard: {allow: [192.0.2.0/24, 2001:db8::1], provider_names: [provider.example]}\n", "")
	if err != nil {
		t.Fatal(err)
	}
	rules := RulesOf(c, "abc")
	back, err := ReadRules(rules.Text())
	if err != nil || back.Text() != rules.Text() || !reflect.DeepEqual(back.Guard.Allow, rules.Guard.Allow) {
		t.Errorf("got %s, %v, want %s", back.Text(), err, rules.Text())
	}
	for name, change := range map[string]func(*Config){
		"a number":  func(c *Config) { c.Guard.BansPerHour++ },
		"a network": func(c *Config) { c.Guard.Allow = c.Guard.Allow[1:] },
		"an edge":   func(c *Config) { c.Cluster.Edges = []string{"mx1"} },
		"a judge":   func(c *Config) { c.Cluster.Judges = []string{"j0"} },
		"a site":    func(c *Config) { c.Cluster.Sites = map[string][]string{"paris": {"mx1", "mx2"}} },
		"late":      func(c *Config) { c.Cluster.Late += Duration(time.Second) },
	} {
		other := c
		change(&other)
		if RulesOf(other, "abc").Hash() == rules.Hash() {
			t.Errorf("%s: got the same hash, want another", name)
		}
	}
	if RulesOf(c, "abd").Hash() == rules.Hash() {
		t.Error("other scenarios: got the same hash, want another")
	}
}
