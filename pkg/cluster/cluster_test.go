package cluster

import (
	"maps"
	"slices"
	"testing"

	"csmail/pkg/merge"
)

func TestNames(t *testing.T) {
	for name, isName := range map[string]bool{
		"mx1": true, "mx1-example-org": true, "MX1": true, "1": true,
		"": false, "mx1.example.org": false, "_judges": false, "-mx1": false, "mx*": false, ">": false, "mx 1": false, "mx1\n": false,
		"a23456789012345678901234567890123456789012345678901234567890123": true, "a234567890123456789012345678901234567890123456789012345678901234": false,
	} {
		if got := CheckName(name) == nil; got != isName {
			t.Errorf("%q: got %v, want %v", name, got, isName)
		}
	}
	if got, want := NameOf("mx1.example.org"), "mx1-example-org"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if CheckName(NameOf("mx_1.example.org")) != nil {
		t.Error("the name made of a host's is none")
	}
}

func TestPositions(t *testing.T) {
	for _, p := range []merge.Position{{}, {Epoch: 1, Next: 2}, {Epoch: ^uint64(0), Next: ^uint64(0)}} {
		got, err := parseAt(formatAt(p))
		if err != nil || got != p {
			t.Errorf("got %+v, %v, want %+v", got, err, p)
		}
	}
	for _, text := range []string{"", "1", "x/1", "1/x", "1/2/3", "-1/2", "1/-2"} {
		if got, err := parseAt(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

// due are the edges that are told something, and what.
func due(a *At) map[string]atValue {
	edges, values := a.due()
	if !slices.Equal(edges, slices.Sorted(maps.Keys(values))) {
		panic("the edges are not those of the values")
	}
	for edge, v := range values {
		a.put[edge] = v // as tell does
	}
	return values
}

// An edge is told once what is stored, and each time that something is missing, until it is
// stored.
func TestAt(t *testing.T) {
	a := (&Judges{}).NewAt()
	step := func(what string, want map[string]atValue) {
		t.Helper()
		if got := due(a); !maps.Equal(got, want) {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	a.Stored(map[string]merge.Position{"mx1": {Epoch: 1, Next: 5}, "mx2": {Epoch: 1, Next: 9}})
	step("stored", map[string]atValue{"mx1": {Epoch: 1, Stored: 5}, "mx2": {Epoch: 1, Stored: 9}})
	a.Stored(map[string]merge.Position{"mx1": {Epoch: 1, Next: 5}, "mx2": {Epoch: 1, Next: 9}})
	step("the same again", map[string]atValue{})
	a.Misses("mx1", 1, 7)
	step("a gap", map[string]atValue{"mx1": {Epoch: 1, Stored: 5, Misses: true, Want: 7}})
	a.Misses("mx1", 1, 7)
	step("the same gap again", map[string]atValue{"mx1": {Epoch: 1, Stored: 5, Misses: true, Want: 7}})
	a.Stored(map[string]merge.Position{"mx1": {Epoch: 1, Next: 6}})
	step("stored, and the gap is still there", map[string]atValue{"mx1": {Epoch: 1, Stored: 6, Misses: true, Want: 7}})
	a.Stored(map[string]merge.Position{"mx1": {Epoch: 1, Next: 8}})
	step("the gap is over", map[string]atValue{"mx1": {Epoch: 1, Stored: 8, Want: 7}})
	a.Misses("mx1", 2, 0)
	step("a new life, of which nothing is stored", map[string]atValue{"mx1": {Epoch: 2, Misses: true}})
	a.forget()
	step("the server has lost all", map[string]atValue{"mx1": {Epoch: 2, Misses: true}, "mx2": {Epoch: 1, Stored: 9}})
}
