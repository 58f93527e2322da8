// Package render turns results into text for a terminal, JSON, or bare lines
// for a shell pipeline. It decides nothing and reads nothing; what came from a
// log is stripped of control characters before it reaches a terminal.
package render

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/report"
)

// Row is a source with the guard's verdict on it.
type Row struct {
	Source  *report.Source
	Verdict guard.Verdict
}

// Raw prints the addresses in byte order, as `sort` with LC_ALL=C would, so
// that comm(1) and join(1) take them; with count as `uniq -c` does.
func Raw(w io.Writer, rows []Row, count bool) error {
	lines := make([]string, 0, len(rows))
	counts := make(map[string]int, len(rows))
	for _, r := range rows {
		address := r.Source.Addr.String()
		lines = append(lines, address)
		counts[address] = r.Source.Count
	}
	slices.Sort(lines)
	out := bufio.NewWriter(w)
	for _, address := range lines {
		if count {
			fmt.Fprintf(out, "%7d ", counts[address])
		}
		fmt.Fprintln(out, address)
	}
	return out.Flush()
}

type jsonRow struct {
	Source    string         `json:"source"`
	Count     int            `json:"count"`
	Hostile   int            `json:"hostile"`
	Kinds     map[string]int `json:"kinds"`
	Services  []string       `json:"services"`
	Users     []string       `json:"users"`
	FirstSeen time.Time      `json:"first_seen"`
	LastSeen  time.Time      `json:"last_seen"`
	Verdict   guard.Action   `json:"verdict"`
	Reason    string         `json:"reason"`
}

// JSON prints one array of objects, in the order of rows.
func JSON(w io.Writer, rows []Row) error {
	out := make([]jsonRow, 0, len(rows))
	for _, r := range rows {
		kinds := make(map[string]int, len(r.Source.Kinds))
		for _, k := range r.Source.Kinds {
			kinds[k.Name] = k.N
		}
		out = append(out, jsonRow{
			Source: r.Source.Addr.String(), Count: r.Source.Count, Hostile: r.Source.Hostile, Kinds: kinds,
			Services: sorted(r.Source.Services), Users: sorted(r.Source.Users),
			FirstSeen: r.Source.First, LastSeen: r.Source.Last,
			Verdict: r.Verdict.Action, Reason: r.Verdict.Reason,
		})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

func sorted(texts []string) []string {
	return append([]string{}, slices.Sorted(slices.Values(texts))...)
}

// Table prints the rows for a person: a rounded box on a terminal, ASCII
// elsewhere, as cscli does.
func Table(w io.Writer, rows []Row, zone *time.Location, terminal bool) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "No hostile or suspect sources")
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	if terminal {
		t.SetStyle(table.StyleRounded)
	}
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"Source", "Count", "Kinds", "Users tried", "First seen", "Last seen", "Verdict"})
	for _, r := range rows {
		t.AppendRow(table.Row{
			r.Source.Addr.String(), r.Source.Count, kindsText(r.Source.Kinds), usersText(r.Source.Users),
			r.Source.First.In(zone).Format(time.DateTime), r.Source.Last.In(zone).Format(time.DateTime), verdictText(r.Verdict),
		})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func kindsText(kinds []event.Count) string {
	kinds = slices.Clone(kinds)
	slices.SortStableFunc(kinds, func(a, b event.Count) int { return b.N - a.N })
	texts := make([]string, 0, len(kinds))
	for _, k := range kinds {
		texts = append(texts, fmt.Sprintf("%s %d", k.Name, k.N))
	}
	return strings.Join(texts, "\n")
}

func usersText(users []string) string {
	const shown, width = 3, 32
	users = sorted(users)
	var texts []string
	for _, u := range users[:min(shown, len(users))] {
		texts = append(texts, text.Trim(Printable(u), width))
	}
	if len(users) > shown {
		texts = append(texts, fmt.Sprintf("and %d more", len(users)-shown))
	}
	return strings.Join(texts, "\n")
}

func verdictText(v guard.Verdict) string {
	if v.Action == guard.Hold {
		return "hold: " + text.WrapSoft(v.Reason, 30)
	}
	return v.Action.String()
}

// Printable replaces what could steer a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
