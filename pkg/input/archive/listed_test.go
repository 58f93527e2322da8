package archive

import "testing"

func TestListed(t *testing.T) {
	for want, paths := range map[string][]string{
		"":                 nil,
		`"/a"`:             {"/a"},
		`"/a" and "/b c"`:  {"/a", "/b c"},
		`"a", "b" and "c"`: {"a", "b", "c"},
	} {
		if got := listed(paths); got != want {
			t.Errorf("%q: got %s, want %s", paths, got, want)
		}
	}
}
