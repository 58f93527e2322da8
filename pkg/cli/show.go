package cli

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"csmail/pkg/hint"
	"csmail/scenarios"
)

const scenariosShowHelp = `Print the files of scenarios that csmail brings along, as YAML, to begin with when
you write your own:

  csmail scenarios show auth-bf
  csmail scenarios show balanced > mine.yaml     all of a set, to change some
  csmail scan --scenarios mine.yaml FILE         judges by them`

// newScenariosShow returns csmail scenarios show.
func newScenariosShow(std Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|SET...",
		Short: "Print the files of scenarios",
		Long:  scenariosShowHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{hint.Wrap(errors.New("no scenario is named"), "csmail scenarios show auth-bf; the sets are %s", strings.Join(scenarios.Sets(), " and "))}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return showScenarios(std, args) },
	}
}

// showScenarios prints the files of built-in scenarios, to be copied and changed.
func showScenarios(std Streams, names []string) error {
	var files []string
	for _, name := range names {
		found, err := scenarioFiles(name)
		if err != nil {
			return err
		}
		for _, file := range found {
			if !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	for i, file := range files {
		text, err := scenarios.Files.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading a scenario of ours: %w", err)
		}
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if _, err := std.Out.Write(text); err != nil {
			return fmt.Errorf("writing the scenarios: %w", err)
		}
	}
	return nil
}

// scenarioFiles returns the files of a set, or that of a scenario, which may be named
// without its author.
func scenarioFiles(name string) ([]string, error) {
	if files, ok := scenarios.Paths(name); ok {
		return files, nil
	}
	var known []string
	for _, set := range scenarios.Sets() {
		files, _ := scenarios.Paths(set)
		for _, file := range files {
			full := strings.TrimSuffix(file, ".yaml")
			if name == full || name == path.Base(full) {
				return []string{file}, nil
			}
			known = append(known, path.Base(full))
		}
	}
	advice := "csmail scenarios list --scenarios strict names all that csmail brings along"
	if meant := nearest(name, append(known, scenarios.Sets()...)); meant != "" {
		advice = fmt.Sprintf("did you mean %s?", meant)
	}
	return nil, usageError{hint.Wrap(fmt.Errorf("csmail brings no scenario %q along", name), "%s", advice)}
}
