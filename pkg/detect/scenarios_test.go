package detect

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"csmail/pkg/hint"
)

const trigger = "type: trigger\nname: me/one\ndescription: one\nfilter: evt.Meta.kind == 'pregreet'\nlabels: {remediation: true}\n"

func TestLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("one.yaml", []byte(trigger), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"balanced": 13, "strict": 16, "one.yaml": 1, "./one.yaml": 1, ".": 1, here: 1, here + "/one.yaml": 1} {
		set, err := Load([]string{name})
		if err != nil || len(set.Scenarios()) != want {
			t.Errorf("%s: got %v, %v, want %d Scenarios", name, set, err, want)
		}
	}
	set, err := Load([]string{"balanced", "one.yaml"})
	if err != nil || len(set.Scenarios()) != 14 {
		t.Errorf("a set and a file: %v, want 14 Scenarios", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("bad.yaml", []byte("type: leeky\nname: me/x\ndescription: x\nfilter: 1 == 1\nlabels: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ballanced": "no such file", "bad.yaml": "leeky", "empty": "no scenario stands there",
	} {
		_, err := Load([]string{name})
		if err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%s: %v, hint %q, want an error containing %q, a hint", name, err, hint.Of(err), want)
		}
	}
	if _, err := Load([]string{"balanced", "strict"}); err == nil || !strings.Contains(err.Error(), "stands in") {
		t.Errorf("a scenario twice: %v, want an error containing \"stands in\"", err)
	}
}

// Networks that hold everybody are said to.
func TestEverybodyIsSpared(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	want := []string{
		"mynetworks holds 0.0.0.0/0, so no address of it can be banned; name the networks that are yours",
		"mynetworks holds ::/0, so no address of it can be banned; name the networks that are yours",
	}
	if got := spared("mynetworks", networks); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
