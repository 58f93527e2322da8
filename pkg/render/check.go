package render

import (
	"fmt"
	"io"
	"strings"

	"csmail/pkg/check"
)

// Check prints the results of csmail check: a line with their numbers, then one line for
// each. Notes and findings follow their result, each with its remedy.
func Check(w io.Writer, results []check.Result) error {
	var b strings.Builder
	counts := countLevels(results)
	fmt.Fprintf(&b, "%s: %d ok, %d warning, %d critical\n", plural(len(results), "check"), counts[check.OK], counts[check.Warning], counts[check.Critical])
	writeChecks(&b, results)
	_, err := io.WriteString(w, b.String())
	return err
}

// Nagios prints the results in the form of the Monitoring Plugins' guidelines: the first
// line holds the state and, after "|", performance data; the rest is long output.
func Nagios(w io.Writer, results []check.Result) error {
	var b strings.Builder
	counts := countLevels(results)
	worst := check.Worst(results)
	text := plural(len(results), "check")
	if worst > check.OK {
		text = strings.Join(problemsOf(results), "; ")
	}
	fmt.Fprintf(&b, "CSMAIL %s - %s | checks=%d warning=%d critical=%d\n",
		strings.ToUpper(worst.String()), nagiosText(text), len(results), counts[check.Warning], counts[check.Critical])
	var long strings.Builder
	writeChecks(&long, results)
	b.WriteString(strings.ReplaceAll(long.String(), "|", "/"))
	_, err := io.WriteString(w, b.String())
	return err
}

// problemsOf returns the worst finding of each result that is not OK, the critical ones
// first.
func problemsOf(results []check.Result) (texts []string) {
	for _, level := range []check.Level{check.Critical, check.Warning} {
		for _, r := range results {
			if r.Level == level {
				texts = append(texts, r.Name+": "+r.Text)
			}
		}
	}
	return texts
}

// inOneLine joins the lines of an error.
func inOneLine(text string) string {
	return Printable(strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
}

// nagiosText returns text in one line without "|", at which a monitor would cut it.
func nagiosText(text string) string {
	return strings.ReplaceAll(inOneLine(text), "|", "/")
}

// countLevels counts the results of each level.
func countLevels(results []check.Result) map[check.Level]int {
	counts := map[check.Level]int{}
	for _, r := range results {
		counts[r.Level]++
	}
	return counts
}

// writeChecks writes the results without the first line.
func writeChecks(b *strings.Builder, results []check.Result) {
	for _, r := range results {
		writeWrapped(b, fmt.Sprintf("%-8s  %-9s  ", r.Level, r.Name), r.Text)
		for _, f := range r.Findings {
			if f.Problem != r.Text {
				writeWrapped(b, "    "+f.Level.String()+": ", f.Problem)
			}
			if f.Mend != "" {
				fmt.Fprintf(b, "    mend: %s\n", Printable(f.Mend)) // in one line, to be copied
			}
		}
	}
}

// checkWidth is the width of wrapped texts.
const checkWidth = 80

// writeWrapped writes a text in lines of at most 80 columns, the second and later ones
// below the first word. A longer word has a line of its own.
func writeWrapped(b *strings.Builder, before, text string) {
	indent := strings.Repeat(" ", len(before))
	line := before
	for i, word := range strings.Fields(inOneLine(text)) {
		if i > 0 && len(line)+1+len(word) > checkWidth {
			b.WriteString(line + "\n")
			line = indent + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
