package guard

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

// The page for admins names every rule and every number with its key.
func TestSafetyPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/safety.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Options]()) {
		if field.Name == "MaxSources" || field.Name == "MaxPending" || field.Name == "MaxSites" || field.Name == "Foreign" || field.Name == "HashKey" {
			continue // no keys: the page gives the numbers, HashKey is drawn, and Foreign is of judges
		}
		if key := snakeCase(field.Name); !strings.Contains(text, "`"+key+"`") {
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

// snakeCase is how the configuration spells a field: login_proves.
func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
