package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"csmail/pkg/report"
)

// nameless stands for a group without a known name.
const nameless = "(unknown)"

// SortGroups returns the groups in the order, in a slice of its own.
func SortGroups(groups []report.Group, by Order) []report.Group {
	groups = slices.Clone(groups)
	slices.SortStableFunc(groups, func(a, b report.Group) int {
		first := 0
		switch by {
		case ByLast:
			first = b.Last.Compare(a.Last)
		case ByUsers:
			first = b.Users - a.Users
		}
		return cmp.Or(first, b.Tries-a.Tries, strings.Compare(a.Name, b.Name))
	})
	return groups
}

// headings are the names of the first column, by grouping.
var headings = map[string]string{
	"user": "Login name", "network": "Network", "country": "Country", "as": "AS", "day": "Day", "kind": "Kind",
}

// Groups prints the totals in the first line and then one line a group.
func Groups(w io.Writer, groups []report.Group, o Overview, by string, screen Screen) error {
	var b strings.Builder
	writeBreakIns(&b, o, screen)
	if len(groups) == 0 {
		fmt.Fprintln(&b, "No hostile or suspect sources")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintln(&b, groupTotals(groups, by))
	if by == "user" { // most tries name no user, and the totals count them
		groups = slices.DeleteFunc(slices.Clone(groups), func(g report.Group) bool { return g.Name == "" })
	}
	shown := groups
	if o.Top > 0 && len(shown) > o.Top {
		shown = shown[:o.Top]
	}
	groupRows(&b, shown, o, by, cmp.Or(screen.Columns, defaultColumns))
	if left := len(groups) - len(shown); left > 0 {
		fmt.Fprintf(&b, "and %d more; --all shows them\n", left)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// groupTotals counts all groups, also those that are not shown. Sources are not added up,
// because one may be in several groups. For example: "12 countries, 5012 tries".
func groupTotals(groups []report.Group, by string) string {
	tries, named, without := 0, 0, 0
	for _, g := range groups {
		tries += g.Tries
		if g.Name == "" {
			without += g.Tries
			continue
		}
		named++
	}
	line := fmt.Sprintf("%s, %s", groupCount(named, by), plural(tries, "try"))
	if without > 0 {
		line += fmt.Sprintf(", %d of them without a known %s", without, singular(by))
	}
	return line
}

// groupCount writes the number of groups with their noun.
func groupCount(n int, by string) string {
	return plural(n, singular(by))
}

// singular returns the noun of one group.
func singular(by string) string {
	switch by {
	case "user":
		return "login name"
	case "as":
		return "network operator"
	}
	return by
}

// groupRows prints one row a group.
func groupRows(b *strings.Builder, groups []report.Group, o Overview, by string, columns int) {
	if len(groups) == 0 {
		return
	}
	newest := groups[0].Last
	for _, g := range groups {
		if g.Last.After(newest) {
			newest = g.Last
		}
	}
	rows := [][]string{{headings[by], "Tries", "Sources", "Banned", "Users", "Last seen"}}
	for _, g := range groups {
		rows = append(rows, []string{
			groupName(g), fmt.Sprint(g.Tries), fmt.Sprint(g.Sources), fmt.Sprint(g.Banned), fmt.Sprint(g.Users), shortTime(g.Last, newest, o.Zone),
		})
	}
	numbers := []int{1, 2, 3, 4}
	if by == "user" { // one each
		numbers = numbers[:3]
		for i := range rows {
			rows[i] = slices.Delete(rows[i], 4, 5)
		}
	}
	others := 0
	for i := 1; i < len(rows[0]); i++ {
		others += 2 + slices.Max(cellWidths(rows, i))
	}
	for i := range rows {
		rows[i][0] = clip(rows[i][0], columns-others)
	}
	widths := make([]int, len(rows[0]))
	for i := range widths {
		widths[i] = slices.Max(cellWidths(rows, i))
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += pad(cell, widths[i], slices.Contains(numbers, i)) + "  "
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}

func cellWidths(rows [][]string, column int) (all []int) {
	for _, row := range rows {
		all = append(all, width(row[column]))
	}
	return all
}

// groupName is the name for a person.
func groupName(g report.Group) string {
	if g.Name == "" {
		return nameless
	}
	return Printable(g.Name)
}

// RawGroups prints the names in byte order, and with count the tries before each. An
// unknown name is an empty line.
func RawGroups(w io.Writer, groups []report.Group, count bool) error {
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b report.Group) int { return strings.Compare(a.Name, b.Name) })
	out := bufio.NewWriter(w)
	for _, g := range groups {
		if count {
			fmt.Fprintf(out, "%7d ", g.Tries)
		}
		fmt.Fprintln(out, Printable(g.Name))
	}
	return out.Flush()
}
