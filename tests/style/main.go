// Command style measures how readable the code is: words of comments, lengths of
// functions, methods of types, failure messages of tests. make style prints it.
//
// The figures are aims, not laws. What must never come back is in the test of
// this package.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	worst := flag.Int("worst", 0, "also print this many of the worst places of each kind")
	flag.Parse()
	m, err := measure(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "style:", err)
		os.Exit(1)
	}
	m.print(os.Stdout, *worst)
}
