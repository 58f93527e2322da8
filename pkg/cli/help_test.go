package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// The help of each command fits a screen of 80 columns, and says in the end how to use it.
func TestHelpFits(t *testing.T) {
	var visit func(c *cobra.Command)
	visited := 0
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			visit(sub)
		}
		if c.Name() == "help" || strings.HasPrefix(c.CommandPath(), "csmail completion ") { // cobra's own words
			return
		}
		visited++
		var out bytes.Buffer
		words := strings.Fields(c.CommandPath())[1:]
		if status := Main(t.Context(), append(words, "--help"), Streams{In: strings.NewReader(""), Out: &out, Err: &out}); status != exitOK {
			t.Fatalf("%s: status %d", c.CommandPath(), status)
		}
		if !strings.Contains(out.String(), "Usage:\n  "+c.CommandPath()) {
			t.Errorf("%s --help shows no usage:\n%s", c.CommandPath(), out.String())
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > helpColumns {
				t.Errorf("%s --help: got a line of %d columns, want %d at the most: %s", c.CommandPath(), n, helpColumns, line)
			}
		}
	}
	visit(Commands())
	if visited < 20 {
		t.Errorf("got %d commands, want all", visited)
	}
}

func TestReflow(t *testing.T) {
	tests := map[string]string{
		"a\nb c":                              "a b c",
		"a\n\n  csmail x   y":                 "a\n\n  csmail x   y",
		"list:\n  one\n  two":                 "list:\n  one\n  two",
		strings.Repeat("word ", 20) + "\nend": strings.TrimSpace(strings.Repeat("word ", 16)) + "\n" + strings.TrimSpace(strings.Repeat("word ", 4)) + " end",
	}
	for text, want := range tests {
		if got := reflow(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
