package render

import (
	"fmt"
	"slices"
	"strings"
)

// printRows prints rows with columns as wide as their widest cell, except for the last. A
// long address in the first column has a line of its own. Columns of numbers are aligned
// to the right.
func printRows(b *strings.Builder, rows [][]string, numbers ...int) {
	printRowsWith(b, rows, nil, numbers...)
}

// printRowsWith prints rows as printRows does, each with a text below it. A row that has
// none has the text "".
func printRowsWith(b *strings.Builder, rows [][]string, below []string, numbers ...int) {
	for n, row := range rows {
		line := ""
		for i, cell := range row {
			wide := 0
			if i < len(row)-1 {
				for _, other := range rows {
					if i > 0 || width(other[i]) <= longestAddress {
						wide = max(wide, width(other[i]))
					}
				}
			}
			if i == 0 && width(cell) > longestAddress {
				fmt.Fprintln(b, cell)
				cell = ""
			}
			line += pad(cell, wide, slices.Contains(numbers, i)) + "  "
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
		if n < len(below) && below[n] != "" {
			fmt.Fprintln(b, below[n])
		}
	}
}
