// Package page turns a daily report (report/document) into text, HTML, CSV and JSON. Any
// text in a report may be a client's. In text and mail it loses its control characters,
// in HTML it is escaped, in CSV it cannot become a formula. The package does not decide
// about the content of a report.
package page

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"csmail/pkg/render"
	"csmail/pkg/report/document"
)

// JSON writes the report as one object (docs/report.md).
func JSON(w io.Writer, d *document.Document) error {
	s := render.NewStream(w)
	list := render.Member{Name: "list", Write: func() {
		s.List(len(d.Attackers.List), func(i int) { s.Whole(render.SourceRowOf(d.Attackers.List[i])) })
	}}
	s.Fields(reflect.ValueOf(*d), render.Member{Name: "attackers", Write: func() { s.Fields(reflect.ValueOf(d.Attackers), list) }})
	if err := s.Close(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// plain returns client text in which characters that a terminal, a mail program or a
// browser would act on are written like \u202e.
func plain(text string) string {
	if strings.IndexFunc(text, isUnsafe) < 0 {
		return text
	}
	var b strings.Builder
	for _, c := range text {
		if isUnsafe(c) {
			fmt.Fprintf(&b, `\u%04x`, c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// isUnsafe reports whether a character is a control character or changes the direction of
// the text around it.
func isUnsafe(c rune) bool {
	return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == '\u2028' || c == '\u2029' || c == unicode.ReplacementChar
}

// row is one line of a list: a number and its name.
type row struct {
	n    int
	text string
}

// byCount lists a map, the greatest first, equal ones by text; top 0 is all. more is the
// number of rows that were left out.
func byCount(counts map[string]int, top int) (rows []row, more int) {
	for text, n := range counts {
		rows = append(rows, row{n, text})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(b.n-a.n, strings.Compare(a.text, b.text)) })
	return cut(rows, top)
}

// attackersShown returns how many attackers a report shows whose other lists have so many
// rows; 0: all. By default it is 20.
func attackersShown(top int) int { return 2 * top }

// cut returns the first rows; 0 is all.
func cut[T any](rows []T, top int) ([]T, int) {
	if top <= 0 || len(rows) <= top {
		return rows, 0
	}
	return rows[:top], len(rows) - top
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// clip cuts a text to width characters.
func clip(text string, width int) string {
	runes := []rune(plain(text))
	if len(runes) <= width {
		return string(runes)
	}
	return string(runes[:max(width-3, 0)]) + "..."
}

// needs describes how many findings need a person.
func needs(d *document.Document) string {
	n := 0
	for _, f := range d.Findings {
		if f.Severity != document.Note {
			n++
		}
	}
	switch n {
	case 0:
		return "nothing needs you"
	case 1:
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}

// Subject returns the mail's subject: the state of the day, in the words of the most
// important finding.
func Subject(d *document.Document) string {
	text := fmt.Sprintf("%s: %d banned, %s", d.Title(), d.Bans.Total, needs(d))
	if len(d.Findings) > 0 && d.Findings[0].Severity == document.Urgent {
		text += ": " + d.Findings[0].Title
	}
	// What looks like an encoded word of RFC 2047 would be decoded by who reads the mail, and
	// be anything.
	return strings.ReplaceAll(clip(text, 150), "=?", "= ?")
}
