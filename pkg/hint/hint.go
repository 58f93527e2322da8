// Package hint gives an error a second line: its remedy. An error says what is wrong
// ("state: permission denied"), and its hint says how to mend it ("run as the user
// csmail"). The hint travels with the error through fmt.Errorf and %w, and the command
// line prints it after the message. The package formats nothing for a terminal and ends
// no process.
package hint

import (
	"errors"
	"fmt"
	"strings"
)

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// Wrap returns err with a hint, formatted like [fmt.Sprintf]. The error's own
// text does not change. Wrapping nil gives nil.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// Of returns the outermost hint of err, or "".
func Of(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	return ""
}

// Nearest returns the name that differs least from a word, whatever their case, and
// by no more than within letters; "" if none does. Of equals it is the first.
func Nearest(word string, names []string, within int) string {
	best := ""
	for _, name := range names {
		d := Distance(strings.ToLower(word), strings.ToLower(name))
		if d < within || d == within && best == "" {
			best, within = name, d
		}
	}
	return best
}

// DidYouMean returns `; did you mean "X"?` for the name X that differs least from a
// word, and by no more than a third of its letters and one; "" if none does.
func DidYouMean(word string, names []string) string {
	best := Nearest(word, names, len(word)/3+1)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// Distance counts the letters by which two names differ (Levenshtein), for "did
// you mean".
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
