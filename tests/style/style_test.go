package main

import (
	"strings"
	"testing"
)

// The measures are those of a file that is counted by hand.
func TestMeasure(t *testing.T) {
	m, err := measure([]string{"testdata/src"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ got, want int }{
		"words":      {m.words, 27},
		"who":        {m.found[rows[0].name], 2},
		"told":       {m.found[rows[1].name], 1},
		"nobody":     {m.found[rows[2].name], 1},
		"examples":   {m.found[rows[3].name], 1},
		"exported":   {m.exported, 3},
		"documented": {m.documented, 2},
		"methods":    {m.methods["src.Thing"], 1},
		"comments":   {m.commentLines, 4},
		"longest":    {m.quantile(1), 2},
		"failures":   {m.failures, 2},
		"want":       {m.failuresWantGot, 1},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %d, want %d", name, tt.got, tt.want)
		}
	}
}

func TestPrint(t *testing.T) {
	m, err := measure([]string{"testdata/src"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	m.print(&out, 1)
	for _, want := range []string{"source lines", "told, tell, tells, a 1000 words", "37.04", "undocumented: testdata/src/thing.go:13 Bare"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant it to hold %q", out.String(), want)
		}
	}
}
