package hint

import (
	"errors"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Whatever is no YAML is said to be so in words of the field, with a line and with what
// mends it.
func TestYAML(t *testing.T) {
	tests := map[string]string{
		"a:\n\tb: 1":        "line 2: a tab, or a character",
		"a: @b":             "line 1: a tab, or a character",
		"a: [b\nc: d\n":     "a list that begins with [ is not closed",
		"a: {b: 1\nc: [d\n": "is not closed",
		"a: {b: 1]\n":       "a group that begins with { is not closed",
		"a: b: c":           "line 1: a second colon",
		"x: 1\na: b: c":     "line 2: a second colon",
		"a: \"b":            "a text in quotes is not closed",
		"a: 'b\nc: d\n":     "a text in quotes is not closed",
		"a: 1\nb\nc: 2\n":   "a colon is missing behind a key",
		"a:\n   b: 1\n  c:": "the indentation does not fit the lines above",
		"a:\n- b\n c: d\n":  "a key that is indented too far",
		"a: - b":            "line 1: a list begins in the line of its key",
		"a: [\n":            "line 1: a value is missing behind [",
		"a: *b":             "a value begins with *",
		"a: *":              "a value begins with * or &",
		"a: \"\\d\"":        "a backslash in double quotes",
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			var into any
			err := yaml.Unmarshal([]byte(text), &into)
			if err == nil {
				t.Fatal("YAML takes it")
			}
			got := YAML(err)
			if !strings.HasPrefix(got.Error(), "line ") && want != "a value begins with *" || !strings.Contains(got.Error(), want) || Of(got) == "" {
				t.Errorf("%v: got %q with hint %q, want %q and a hint", err, got, Of(got), want)
			}
		})
	}
	other := errors.New("something else")
	if got := YAML(other); !errors.Is(got, other) {
		t.Errorf("got %v, want the error as it is", got)
	}
}
