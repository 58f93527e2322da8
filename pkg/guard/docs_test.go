package guard

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// The page for admins names every rule and every number with its key.
func TestSafetyPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/safety.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Options]()) {
		if key := field.Tag.Get("yaml"); key == "" || !strings.Contains(text, "`"+key+"`") {
			t.Errorf("%s: no word of its key %q", field.Name, key)
		}
	}
	for rule := NeverListed; rule < ruleCount; rule++ {
		if !strings.Contains(text, "`"+rule.String()+"`") {
			t.Errorf("no word of the rule %s", rule)
		}
	}
	for _, s := range special {
		if !strings.Contains(text, s.network) {
			t.Errorf("no word of %s", s.network)
		}
	}
}
