// Package render turns results into text for a terminal, JSON, or bare lines for a shell
// pipeline. It decides nothing and reads nothing. Texts from a log lose their control
// characters before they reach a terminal, because a client may have written them.
package render

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/report"
)

// Raw prints the addresses in byte order, like sort with LC_ALL=C, for comm(1) and
// join(1). With count it prints the tries before each address, like uniq -c.

// SourceRow is a source of csmail scan -o json. Tools depend on the names.
type SourceRow struct {
	Source    string         `json:"source"`
	Count     int            `json:"count"`
	Hostile   int            `json:"hostile"`
	Kinds     map[string]int `json:"kinds"`
	Services  []string       `json:"services"`
	Users     []string       `json:"users"`
	FirstSeen time.Time      `json:"first_seen"`
	LastSeen  time.Time      `json:"last_seen"`
	Scenarios []string       `json:"scenarios"`
	Verdict   guard.Action   `json:"verdict"`
	Rule      guard.Rule     `json:"rule"`
	Reason    string         `json:"reason"`
	Country   string         `json:"country,omitempty"`
	AS        string         `json:"as,omitempty"`
}

// JSON prints one array of objects, in the order of sources.
func JSON(w io.Writer, sources []*report.Source) error {
	s := NewStream(w)
	s.List(len(sources), func(i int) { s.Whole(SourceRowOf(sources[i])) })
	return s.Close()
}

// SourceRowOf returns the row of a source.
func SourceRowOf(s *report.Source) SourceRow {
	kinds := make(map[string]int, len(s.Kinds))
	for _, k := range s.Kinds {
		kinds[k.Name] = k.N
	}
	return SourceRow{
		Source: s.Addr.String(), Count: s.Count, Hostile: s.Hostile, Kinds: kinds,
		Services: sorted(s.Services), Users: sorted(s.Users),
		FirstSeen: s.First, LastSeen: s.Last, Scenarios: sorted(s.Scenarios),
		Verdict: s.Verdict.Action, Rule: s.Verdict.Rule, Reason: s.Verdict.Reason,
		Country: s.Country, AS: s.AS,
	}
}

// writeJSON writes one indented value.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(plainJSON{w})
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

func sorted(texts []string) []string {
	return append([]string{}, slices.Sorted(slices.Values(texts))...)
}

// wideTable returns the table of scan --wide, with all that is known of a source.
func wideTable(sources []*report.Source, zone *time.Location, screen Screen) *grid {
	header := []string{"Source", "From", "Count", "Kinds", "Users tried", "First seen", "Last seen", "Scenarios", "Verdict"}
	known := knowsPlaces(sources)
	if !known {
		header = slices.Delete(header, 1, 2)
	}
	t := newGrid(screen, header...)
	t.wide = true
	for _, s := range sources {
		row := []any{
			s.Addr, placeText(s), s.Count, kindsText(s.Kinds), usersText(s.Users),
			s.First.In(zone).Format(time.DateTime), s.Last.In(zone).Format(time.DateTime), items(s.Scenarios), verdictText(s.Verdict, zone),
		}
		if !known {
			row = slices.Delete(row, 1, 2)
		}
		t.add(row...)
	}
	return t
}

// placeText returns the country and the network operator, one a line.
func placeText(s *report.Source) (all items) {
	for _, known := range []string{s.Country, s.AS} {
		if known != "" {
			all = append(all, text.Trim(Printable(known), 32))
		}
	}
	return all
}

// kindsText returns the kinds of a source's events with their numbers.
func kindsText(kinds []event.Count) items {
	kinds = slices.Clone(kinds)
	slices.SortStableFunc(kinds, func(a, b event.Count) int { return b.N - a.N })
	texts := make(items, 0, len(kinds))
	for _, k := range kinds {
		texts = append(texts, fmt.Sprintf("%s %d", k.Name, k.N))
	}
	return texts
}

// usersText returns the login names, one a line.
func usersText(users []string) items {
	const shown, width = 3, 32
	users = sorted(users)
	var texts items
	for _, u := range users[:min(shown, len(users))] {
		texts = append(texts, text.Trim(Printable(u), width))
	}
	if len(users) > shown {
		texts = append(texts, fmt.Sprintf("and %d more", len(users)-shown))
	}
	return texts
}

func verdictText(v guard.Verdict, zone *time.Location) string {
	if v.Action == guard.Hold {
		return "hold: " + text.WrapSoft(inZone(v.Reason, zone), 30)
	}
	return v.Action.String()
}

// Printable replaces characters that could steer a terminal, including line ends.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// printableLines does the same and keeps line ends.
func printableLines(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return '?'
	}, s)
}
