package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"csmail/pkg/hint"
)

// nearest returns the name that was probably meant, "" if none is similar.
func nearest(word string, names []string) string {
	return hint.Nearest(word, names, min(2, len(word)-1))
}

// noCommand returns an error for words after a command that takes none.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !c.HasSubCommands() {
		return usageError{hint.Wrap(fmt.Errorf("%s takes no argument, and %q is one", c.CommandPath(), args[0]), "%s --help", c.CommandPath())}
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	advice := fmt.Sprintf("%s --help lists the commands", c.CommandPath())
	if name := nearest(args[0], names); name != "" {
		advice = fmt.Sprintf("did you mean %s %s?", c.CommandPath(), name)
	} else if !c.HasParent() {
		advice += "; to read a log: csmail scan " + args[0]
	}
	return usageError{hint.Wrap(fmt.Errorf("unknown command %q", args[0]), "%s", advice)}
}

// topic returns an error for help on an unknown command.
func topic(c *cobra.Command, args []string) error {
	found, rest, err := c.Root().Find(args)
	if len(args) == 0 || err == nil && (len(rest) == 0 || !found.HasSubCommands()) {
		return nil
	}
	if err != nil {
		found, rest = c.Root(), args
	}
	return noCommand(found, rest)
}

// strictly makes cobra's own commands reject words like csmail's.
func strictly(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = topic
		case "completion":
			c.Args, c.RunE = noCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}

// badFlag names the flag that was probably meant.
func badFlag(c *cobra.Command, err error) error {
	advice := fmt.Sprintf("%s --help lists the flags", c.CommandPath())
	if word, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		name := nearest(word, names)
		if i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, word) }); i >= 0 {
			name = names[i]
		}
		if name != "" {
			advice = fmt.Sprintf("did you mean --%s? %s", name, advice)
		}
	}
	return usageError{hint.Wrap(err, "%s", advice)}
}
