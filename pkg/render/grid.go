package render

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Screen is the place where a result is read. The zero value is a file or a pipe.
type Screen struct {
	Terminal bool
	Columns  int  // width; 0: that of a file, a pipe or a mail
	Color    bool // important parts may be coloured
}

// grid is a table for a person: a rounded box on a terminal, ASCII elsewhere, like
// cscli's. If the screen is too narrow each row becomes a paragraph, because a wrapped
// table cannot be read.
type grid struct {
	screen Screen
	header []string
	rows   [][]any
	wide   bool // in a file or a pipe any width will do
}

// columns is the width that the grid may take.
func (g *grid) columns() int {
	if g.screen.Columns == 0 && g.wide {
		return math.MaxInt
	}
	return cmp.Or(g.screen.Columns, defaultColumns)
}

// items are the entries of a cell that holds several, one a line.
type items []string

func (i items) String() string { return strings.Join(i, "\n") }

func newGrid(screen Screen, header ...string) *grid { return &grid{screen: screen, header: header} }

func (g *grid) add(cells ...any) { g.rows = append(g.rows, cells) }

// String ends without a newline.
func (g *grid) String() string {
	drawn := g.table()
	if text.LongestLineLen(drawn) <= g.columns() {
		return drawn
	}
	var b strings.Builder
	for _, row := range g.rows {
		g.paragraph(&b, row)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// table draws the table in its full width.
func (g *grid) table() string {
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	if g.screen.Terminal {
		t.SetStyle(table.StyleRounded)
	}
	t.Style().Format.Header = text.FormatDefault
	header := make(table.Row, 0, len(g.header))
	for _, name := range g.header {
		header = append(header, name)
	}
	t.AppendHeader(header)
	for _, row := range g.rows {
		t.AppendRow(row)
	}
	return t.Render()
}

// paragraph prints the first cell on a line of its own, and the others with their names
// below it. Empty cells are left out.
func (g *grid) paragraph(b *strings.Builder, row []any) {
	fmt.Fprintln(b, oneLine(row[0]))
	width := max(20, g.columns()-4)
	line := ""
	for i, cell := range row[1:] {
		value := oneLine(cell)
		if value == "" {
			continue
		}
		if name := g.header[i+1]; name != "" {
			value = name + ": " + value
		}
		switch {
		case line == "":
			line = value
		case len(line)+len(value)+2 <= width:
			line += "; " + value
		default:
			indented(b, line+";", width)
			line = value
		}
	}
	indented(b, line, width)
}

// indented writes a line at most width columns long, its continuations indented.
func indented(b *strings.Builder, line string, width int) {
	indent := "  "
	for part := range strings.SplitSeq(text.WrapSoft(line, width), "\n") {
		fmt.Fprintf(b, "%s%s\n", indent, strings.TrimRight(part, " "))
		indent = "    "
	}
}

// oneLine returns the text of a cell without line ends.
func oneLine(cell any) string {
	if several, ok := cell.(items); ok {
		return strings.Join(several, ", ")
	}
	return strings.Join(strings.Fields(fmt.Sprint(cell)), " ")
}
