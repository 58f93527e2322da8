package daily

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// everyTrap is a log where one trap happens after the other.
func everyTrap() []string {
	var lines []string
	var names []string
	for name := range traps {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		for _, line := range linesOf(traps[name].log) {
			at, err := time.Parse(time.RFC3339, line[:25])
			if err != nil {
				panic(err)
			}
			// Each trap gets hours and queue IDs of its own.
			line = at.Add(time.Duration(i)*2*time.Hour).Format("2006-01-02T15:04:05-07:00") + line[25:]
			lines = append(lines, strings.NewReplacer("AAAAAA", fmt.Sprintf("A%03dAA", i), "BBBBBB", fmt.Sprintf("B%03dBB", i)).Replace(line))
		}
	}
	return lines
}

func sampleLog(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../../tests/samples/provoked.log")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func stored(t *testing.T, f *Figures) string {
	t.Helper()
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A window that is cut at any time into two, merged, is the window.
func TestHalvesMergeIntoTheWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, lines := range map[string][]string{"traps": everyTrap(), "sample": sampleLog(t)} {
		want := figuresOf(t, lines)
		for range 25 {
			cut := timeOf(lines[random.IntN(len(lines))])
			early, late := NewFigures(), NewFigures()
			count(t, lines, func(at time.Time) *Figures {
				if at.Before(cut) {
					return early
				}
				return late
			})
			late.Merge(early)
			if diff := cmp.Diff(stored(t, want), stored(t, late)); diff != "" {
				t.Fatalf("%s cut at %s (-want +got):\n%s", name, cut, diff)
			}
		}
	}
}

func timeOf(line string) time.Time {
	word, _, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339, word)
	if err != nil {
		at = time.Date(2026, 11, 24, 3, 40, 0, 0, time.UTC)
	}
	return at
}

// Hosts have queue IDs of their own: their lines in any order of hosts give the
// same figures.
func TestHostsDoNotMix(t *testing.T) {
	lines := everyTrap()
	var other []string
	for _, line := range lines {
		other = append(other, strings.Replace(line, " mx1 ", " mx2 ", 1))
	}
	want := figuresOf(t, lines)
	want.Merge(figuresOf(t, other))
	var mixed []string
	for i := range lines {
		mixed = append(mixed, other[i], lines[i])
	}
	got := figuresOf(t, mixed)
	if diff := cmp.Diff(stored(t, want), stored(t, got)); diff != "" {
		t.Errorf("two hosts in one log (-want +got):\n%s", diff)
	}
}

func TestStoredFiguresAreRestored(t *testing.T) {
	want := figuresOf(t, everyTrap())
	var got Figures
	if err := json.Unmarshal([]byte(stored(t, want)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored(t, want), stored(t, &got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
