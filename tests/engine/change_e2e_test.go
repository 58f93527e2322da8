//go:build e2e

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// everyScenarioAlerts: a scenario that never alerts is compared with nothing.
func everyScenarioAlerts(t *testing.T, files map[string][]byte, duels map[string]*duel) {
	for _, name := range names(t, files) {
		alerts := 0
		for _, d := range duels {
			alerts += len(d.runs[0][name])
		}
		if alerts == 0 {
			t.Errorf("%s alerts on no input", name)
		}
	}
}

// slow is why a change of the blackhole of a scenario cannot show.
const slow = "after an overflow the next takes an hour at least, the blackhole ends after five minutes"

// exempt are the changes that cannot show, with the reason.
var exempt = map[string]string{
	"hub/dovecot-time-based-bf: blackhole a tenth more":           slow,
	"hub/dovecot-time-based-bf: blackhole a tenth less":           slow,
	"hub/dovecot-time-based-bf: without blackhole":                slow,
	"hub/dovecot-time-based-bf_user-enum: blackhole a tenth more": slow,
	"hub/dovecot-time-based-bf_user-enum: blackhole a tenth less": slow,
	"hub/dovecot-time-based-bf_user-enum: without blackhole":      slow,
}

// everyChangeShows is the test of the test: a scenario of which one key is off by
// a little, or left out, in csmail alone, must differ from what crowdsec said on
// one of the inputs at least.
func everyChangeShows(t *testing.T, files map[string][]byte, duels map[string]*duel) {
	for _, text := range files {
		for _, s := range documents(t, text) {
			for change, changed := range s.changes(t) {
				if exempt[s.get("name").Value+": "+change] != "" {
					continue
				}
				if isHidden(t, duels, s.get("name").Value, changed) {
					t.Errorf("%s: %s changes nothing", s.get("name").Value, change)
				}
			}
		}
	}
}

// isHidden tells whether csmail with the changed scenario still agrees with
// crowdsec with the original one, on all inputs.
func isHidden(t *testing.T, duels map[string]*duel, name string, changed []byte) bool {
	t.Helper()
	for _, d := range duels {
		if !d.agrees(t, map[string][]byte{"changed.yaml": changed}, name) {
			return false
		}
	}
	return true
}

// document is one scenario of a file.
type document struct{ root *yaml.Node }

func documents(t *testing.T, text []byte) []document {
	t.Helper()
	var list []document
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, document{node.Content[0]})
	}
}

// get returns the value of a key, nil if there is none.
func (s document) get(key string) *yaml.Node {
	for i := 0; i < len(s.root.Content); i += 2 {
		if s.root.Content[i].Value == key {
			return s.root.Content[i+1]
		}
	}
	return nil
}

// with returns the text of the scenario with another value for a key; "" leaves
// the key out.
func (s document) with(t *testing.T, key, value string) []byte {
	t.Helper()
	changed := *s.root
	changed.Content = nil
	for i := 0; i < len(s.root.Content); i += 2 {
		name, node := s.root.Content[i], s.root.Content[i+1]
		if name.Value == key {
			if value == "" {
				continue
			}
			node = &yaml.Node{Kind: yaml.ScalarNode, Value: value}
		}
		changed.Content = append(changed.Content, name, node)
	}
	text, err := yaml.Marshal(&changed)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// only returns the text of a scenario of the given type with no other keys than
// the given ones.
func (s document) only(t *testing.T, kind string, keys ...string) []byte {
	t.Helper()
	text := fmt.Appendf(nil, "type: %s\n", kind)
	for _, key := range keys {
		if node := s.get(key); node != nil {
			pair := yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: key}, node}}
			line, err := yaml.Marshal(&pair)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, line...)
		}
	}
	return text
}

// changes returns the scenario with one key changed, by a name for the change.
func (s document) changes(t *testing.T) map[string][]byte {
	t.Helper()
	list := map[string][]byte{}
	if s.get("type").Value == "leaky" {
		capacity, err := strconv.Atoi(s.get("capacity").Value)
		if err != nil {
			t.Fatal(err)
		}
		list["capacity one more"] = s.with(t, "capacity", strconv.Itoa(capacity+1))
		if capacity > 1 {
			list["capacity one less"] = s.with(t, "capacity", strconv.Itoa(capacity-1))
		}
	}
	for _, key := range []string{"leakspeed", "blackhole"} {
		node := s.get(key)
		if node == nil || key == "leakspeed" && s.get("type").Value == "trigger" {
			continue // a trigger holds nothing that could leak
		}
		d, err := time.ParseDuration(node.Value)
		if err != nil {
			t.Fatal(err)
		}
		list[fmt.Sprintf("%s a tenth more", key)] = s.with(t, key, (d + d/10).String())
		list[fmt.Sprintf("%s a tenth less", key)] = s.with(t, key, (d - d/10).String())
	}
	for _, key := range []string{"distinct", "cancel_on", "overflow_filter", "cache_size", "blackhole"} {
		if s.get(key) != nil {
			list["without "+key] = s.with(t, key, "")
		}
	}
	return list
}
