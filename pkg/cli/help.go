package cli

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

// helpColumns is how wide help is, on any screen.
const helpColumns = 80

// fitHelp has the help of all commands fit a screen.
func fitHelp(root *cobra.Command) {
	template := strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpColumns))
	root.SetUsageTemplate(strings.ReplaceAll(template, "for more information about a command", "for more about a command"))
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		long := c.Long
		if long == "" {
			long = c.Short
		}
		// An error means that the reader is gone.
		_, _ = fmt.Fprintf(c.OutOrStdout(), "%s\n\n%s", reflow(long), c.UsageString())
	})
}

// reflow fills the lines of each paragraph anew. Lists and examples, which are indented,
// stay as they are.
func reflow(help string) string {
	paragraphs := strings.Split(strings.TrimSpace(help), "\n\n")
	for i, p := range paragraphs {
		if strings.HasPrefix(p, " ") || strings.Contains(p, "\n ") {
			continue
		}
		lines := strings.Split(text.WrapSoft(strings.Join(strings.Fields(p), " "), helpColumns-1), "\n")
		for k := range lines {
			lines[k] = strings.TrimRight(lines[k], " ")
		}
		paragraphs[i] = strings.Join(lines, "\n")
	}
	return strings.Join(paragraphs, "\n\n")
}
