package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"csmail/pkg/guard"
	"csmail/pkg/report"
)

// Order is the order of sources on a screen.
type Order string

// The orders. Equal sources are sorted by address.
const (
	ByTries Order = "tries" // most attempts first
	ByLast  Order = "last"  // latest first
	ByUsers Order = "users" // most login names first
)

// Orders returns all orders, the default first.
func Orders() []string { return []string{string(ByTries), string(ByLast), string(ByUsers)} }

// Sort returns the sources in the order, in a slice of its own.
func Sort(sources []*report.Source, by Order) []*report.Source {
	sources = slices.Clone(sources)
	compare := func(a, b *report.Source) int {
		first := 0
		switch by {
		case ByLast:
			first = b.Last.Compare(a.Last)
		case ByUsers:
			first = len(b.Users) - len(a.Users)
		}
		return cmp.Or(first, b.Count-a.Count, a.Addr.Compare(b.Addr))
	}
	if !slices.IsSortedFunc(sources, compare) {
		slices.SortStableFunc(sources, compare)
	}
	return sources
}

// defaultColumns is the width of a screen of unknown width: a pipe, a file, a mail.
const defaultColumns = 80

// Overview says which sources are printed, and how.
type Overview struct {
	Top  int // number of sources at most; 0: all
	Zone *time.Location
	Wide bool // with all kinds, names, times and the guard's whole reason

	// BreakIns come before everything else, and their sources before the others.
	BreakIns []report.BreakIn
}

// writeBreakIns writes a line for each break-in, since it comes before everything else.
func writeBreakIns(b *strings.Builder, o Overview, screen Screen) {
	for _, found := range o.BreakIns {
		fmt.Fprintln(b, screen.paint(urgent, breakInText(found, o.Zone)))
	}
}

// Sources prints the totals in the first line and then one line a source. A long IPv6
// address, which would take the room of the other columns, has a line of its own, like
// long names in df(1), so that it can be copied whole.
func Sources(w io.Writer, sources []*report.Source, o Overview, screen Screen) error {
	var b strings.Builder
	writeBreakIns(&b, o, screen)
	if len(sources) == 0 {
		fmt.Fprintln(&b, "No hostile or suspect sources")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintln(&b, totalsText(sources))
	shown := breakInsFirst(sources, o.BreakIns)
	if o.Top > 0 && len(shown) > o.Top {
		shown = shown[:o.Top]
	}
	if o.Wide {
		fmt.Fprintln(&b, wideTable(shown, o.Zone, screen))
	} else {
		overview(&b, shown, o.Zone, screen)
	}
	if left := len(sources) - len(shown); left > 0 {
		fmt.Fprintf(&b, "and %s; --all shows them\n", plural(left, "more source"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// breakInText describes a break-in, the most important line of a screen. For example:
//
//	! BREAK-IN? 192.0.2.7 logged in as alice at Jun  3 04:11
//	  after 12 wrong passwords: csmail why 192.0.2.7
func breakInText(b report.BreakIn, zone *time.Location) string {
	user := ""
	if b.User != "" {
		user = " as " + Printable(b.User)
	}
	return fmt.Sprintf("! BREAK-IN? %s logged in%s at %s\n  after %d wrong passwords: csmail why %s", b.Addr, user, dayTime(b.At, zone), b.Guesses, b.Addr)
}

// breakInsFirst puts the sources that broke in before the others.
func breakInsFirst(sources []*report.Source, breakIns []report.BreakIn) []*report.Source {
	if len(breakIns) == 0 {
		return sources
	}
	sources = slices.Clone(sources)
	broke := func(s *report.Source) bool {
		return slices.ContainsFunc(breakIns, func(b report.BreakIn) bool { return b.Addr == s.Addr })
	}
	slices.SortStableFunc(sources, func(a, b *report.Source) int { return falseFirst(!broke(a), !broke(b)) })
	return sources
}

// totalsText counts all sources, also those that are not shown. For example: "214
// sources, 5012 tries, 12 ban, 3 hold, 199 none".
func totalsText(sources []*report.Source) string {
	tries, verdicts := 0, map[guard.Action]int{}
	for _, s := range sources {
		tries += s.Count
		verdicts[s.Verdict.Action]++
	}
	line := fmt.Sprintf("%s, %s", plural(len(sources), "source"), plural(tries, "try"))
	for _, action := range [...]guard.Action{guard.Ban, guard.Hold, guard.Alert, guard.None} {
		if n := verdicts[action]; n > 0 {
			line += fmt.Sprintf(", %d %s", n, action)
		}
	}
	return line
}

// plural writes a number and its noun: 1 try, 2 tries, 2 days.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "a") {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

const (
	// longestAddress is the width of the widest address that leaves enough room for the
	// other columns.
	longestAddress = 24
	// leastWhat and leastUsers are the narrowest widths of these columns that are still
	// useful.
	leastWhat, leastUsers = 12, 8
)

// The columns of the overview. From is left out if no place is known.
const (
	sourceColumn = iota
	fromColumn
	triesColumn
	whatColumn
	usersColumn
	lastColumn
	verdictColumn
	allColumns
)

// overview prints the rows. The columns What and Users share the room that is left by the
// others.
func overview(b *strings.Builder, sources []*report.Source, zone *time.Location, screen Screen) {
	columns := cmp.Or(screen.Columns, defaultColumns)
	newest := sources[0].Last
	for _, s := range sources {
		if s.Last.After(newest) {
			newest = s.Last
		}
	}
	rows := make([][allColumns]string, 0, len(sources)+1)
	rows = append(rows, [...]string{"Source", "From", "Tries", "What", "Users", "Last seen", "Verdict"})
	for _, s := range sources {
		rows = append(rows, [...]string{
			s.Addr.String(), fromText(s), fmt.Sprint(s.Count), kindText(s), userText(s.Users), shortTime(s.Last, newest, zone), shortVerdict(s),
		})
	}
	shortenFrom(rows, sources, columns)
	widths := columnWidths(rows, columns)
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			switch {
			case i == fromColumn && widths[i] == 0:
				continue
			case i == sourceColumn && len(cell) > widths[0]:
				fmt.Fprintln(b, cell)
				cell = ""
			case i == whatColumn, i == usersColumn:
				cell = clipName(cell, widths[i])
			case i == verdictColumn:
				cell = screen.paint(verdictColor(cell), cell)
			}
			line += pad(cell, widths[i], i == triesColumn) + "  "
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}

// fromText returns the country and the number of the network operator: DE AS64496.
func fromText(s *report.Source) string {
	number, _, _ := strings.Cut(s.AS, " ")
	return strings.TrimSpace(Printable(s.Country + " " + number))
}

// shortenFrom leaves out the network operators if they would narrow What and Users, and
// the whole column if no place is known.
func shortenFrom(rows [][allColumns]string, sources []*report.Source, columns int) {
	wanted := 2*(allColumns-1) - max(0, maxWidths(rows)[sourceColumn]-longestAddress)
	for _, w := range maxWidths(rows) {
		wanted += w
	}
	known := knowsPlaces(sources)
	if known && wanted <= columns {
		return
	}
	for i := range rows {
		switch {
		case !known:
			rows[i][fromColumn] = ""
		case i > 0:
			rows[i][fromColumn] = Printable(sources[i-1].Country)
		}
	}
}

// knowsPlaces reports whether the place of any source is known.
func knowsPlaces(sources []*report.Source) bool {
	return slices.ContainsFunc(sources, func(s *report.Source) bool { return s.Country != "" || s.AS != "" })
}

// maxWidths returns the width of the widest cell of each column.
func maxWidths(rows [][allColumns]string) (widths [allColumns]int) {
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	return widths
}

// columnWidths distributes the columns of the screen.
func columnWidths(rows [][allColumns]string, columns int) [allColumns]int {
	widths := maxWidths(rows)
	what, users := widths[whatColumn], widths[usersColumn]
	left := columns - widths[triesColumn] - widths[lastColumn] - widths[verdictColumn] - 2*(len(widths)-2)
	if from := widths[fromColumn]; from > 0 {
		left -= from + 2
	}
	longest := min(longestAddress, left-min(what, leastWhat)-min(users, leastUsers))
	widths[sourceColumn] = 0
	for _, row := range rows {
		if len(row[sourceColumn]) <= longest {
			widths[sourceColumn] = max(widths[sourceColumn], len(row[sourceColumn]))
		}
	}
	left -= widths[sourceColumn]
	if what+users > left {
		what = min(what, max(leastWhat, left-min(users, left*2/5)))
		users = min(users, max(leastUsers, left-what))
	}
	widths[whatColumn], widths[usersColumn] = what, users
	return widths
}

// width returns the number of columns of a text.
func width(cell string) int { return text.RuneWidthWithoutEscSequences(cell) }

// pad fills a cell up to a width.
func pad(cell string, columns int, right bool) string {
	space := strings.Repeat(" ", max(0, columns-width(cell)))
	if right {
		return space + cell
	}
	return cell + space
}

// clip shortens a cell to a width and marks the cut.
func clip(cell string, columns int) string {
	if width(cell) <= columns {
		return cell
	}
	return text.Trim(cell, max(0, columns-1)) + "…"
}

// clipName shortens the name and keeps the number of others behind it.
func clipName(cell string, columns int) string {
	name, more, several := strings.Cut(cell, " +")
	if !several {
		return clip(cell, columns)
	}
	more = " +" + more
	return clip(name, max(1, columns-len(more))) + more
}

// kindText returns the most frequent kind of a source's events, and the number of other
// kinds. For example: "auth-failed +2".
func kindText(s *report.Source) string {
	best, others := "", -1
	most := 0
	for _, k := range s.Kinds {
		others++
		if k.N > most {
			best, most = k.Name, k.N
		}
	}
	return withOthers(best, others)
}

// userText returns the first of the login names, and the number of others. Blanks in a
// name are made visible, because they would look like its end.
func userText(users []string) string {
	if len(users) == 0 {
		return ""
	}
	first := slices.Min(users)
	return withOthers(strings.ReplaceAll(Printable(first), " ", "?"), len(users)-1)
}

func withOthers(name string, others int) string {
	if others <= 0 {
		return name
	}
	return fmt.Sprintf("%s +%d", name, others)
}

// shortTime writes a time like syslog, without seconds. A time of another year than the
// newest has its year, as in ls(1).
func shortTime(t, newest time.Time, zone *time.Location) string {
	t = t.In(zone)
	if t.Year() != newest.In(zone).Year() {
		return t.Format("Jan _2  2006")
	}
	return t.Format("Jan _2 15:04")
}

// shortVerdict returns the verdict with one word for its reason: the scenario that found
// the source, or the guard's rule that holds it back (docs/safety.md). For example: "ban
// auth-bf", "hold proven".
func shortVerdict(s *report.Source) string {
	verdict := s.Verdict.Action.String()
	switch {
	case s.Verdict.Action == guard.Hold && s.Verdict.Rule != guard.NoRule:
		return verdict + " " + s.Verdict.Rule.String()
	case s.By != "":
		return verdict + " " + strings.TrimPrefix(s.By, "csmail/")
	}
	return verdict
}
