package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"csmail/pkg/config"
	"csmail/pkg/detect"
	"csmail/pkg/hint"
	"csmail/pkg/render"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/check"
	"csmail/scenarios"
)

// newScenarios returns csmail scenarios.
func newScenarios(std Streams, configPath *string) *cobra.Command {
	c := &cobra.Command{
		Use:     "scenarios",
		Aliases: []string{"scenario"},
		Short:   "List, show, check and test scenarios",
		Args:    noCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newScenariosList(std, configPath), newScenariosShow(std), newScenariosLint(std), newScenariosTest(std, configPath))
	return c
}

const scenariosListHelp = `List the scenarios by which csmail judges: what each counts, for whom, how many
are needed, and whether it bans or only tells. "6 within 25m (one leaks each 5m)"
is a leaky bucket: the sixth attempt is one too many, and every five minutes one of
those before it is forgiven. docs/scenarios.md explains the files; -o raw prints CSV.`

// newScenariosList returns csmail scenarios list.
func newScenariosList(std Streams, configPath *string) *cobra.Command {
	var output string
	var names []string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the scenarios that are in force",
		Long:  scenariosListHelp,
		Args:  noCommand,
		RunE: func(*cobra.Command, []string) error {
			if output != "human" && output != "json" && output != "raw" {
				return usageError{fmt.Errorf("output format %q not supported: must be one of human, json, raw", output)}
			}
			set, err := scenarioSet(*configPath, names)
			if err != nil {
				return err
			}
			return listScenarios(std, set, output)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&output, "output", "o", "human", "human, json or raw")
	f.StringSliceVar(&names, "scenarios", nil, "list these: balanced, strict, a file or a folder (default what the configuration says)")
	return c
}

// scenarioSet loads the named scenarios, or those of the configuration.
func scenarioSet(configPath string, names []string) (*scenario.Set, error) {
	if len(names) > 0 {
		set, err := detect.Load(names)
		if err != nil {
			return nil, usageError{err}
		}
		return set, nil
	}
	c, err := config.Load(configPath)
	if err != nil {
		return nil, configError{err}
	}
	set, err := detect.Load(c.Scenarios)
	if err != nil {
		return nil, configError{err}
	}
	return set, nil
}

// listScenarios prints the scenarios in the form of -o.
func listScenarios(std Streams, set *scenario.Set, output string) error {
	var err error
	switch output {
	case "json":
		err = render.ScenariosJSON(std.Out, set.Scenarios())
	case "raw":
		err = render.ScenariosRaw(std.Out, set.Scenarios())
	default:
		err = render.Scenarios(std.Out, set.Scenarios(), std.screen())
	}
	if err != nil {
		return fmt.Errorf("writing the list: %w", err)
	}
	return nil
}

const scenariosLintHelp = `Check scenario files, or all below a folder, as the linter of CrowdSec's hub does:
each document has a name that goes with its file (AUTHOR/FILE.yaml), a description,
and labels of the hub's taxonomy. What csmail cannot load, and what it loads but
ignores, is reported as well. Each finding is a line FILE:LINE: TEXT; with a finding
the status is 1.`

// newScenariosLint returns csmail scenarios lint, which checks files as CrowdSec's hub
// does. For example:
//
//	csmail scenarios lint my/scenarios
func newScenariosLint(std Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE|DIR...",
		Short: "Check scenario files as CrowdSec's hub does",
		Long:  scenariosLintHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{hint.Wrap(errors.New("no file is named"), "csmail scenarios lint scenarios/csmail")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return runLint(std, args) },
	}
}

// runLint checks all names and returns an error if there is a finding.
func runLint(std Streams, names []string) error {
	files, faults := 0, 0
	for _, name := range names {
		checked, findings, err := lintName(name)
		if err != nil {
			return err
		}
		files += checked
		faults += len(findings)
		for _, f := range findings {
			if _, err := fmt.Fprintln(std.Out, render.Printable(f.String())); err != nil {
				return fmt.Errorf("writing the findings: %w", err)
			}
		}
	}
	if files == 0 {
		return hint.Wrap(errors.New("no scenario file stands there"), "files end in .yaml or .yml")
	}
	if faults > 0 {
		return hint.Wrap(fmt.Errorf("%s in %s", counted(faults, "finding"), counted(files, "file")),
			"docs/scenarios.md lists the keys; labels and folders are rules of CrowdSec's hub, csmail scans and runs without")
	}
	return nil
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// lintName checks a file, or the files below a folder.
func lintName(name string) (files int, findings []check.Finding, err error) {
	root, inside, err := openName(name)
	if err != nil {
		return 0, nil, err
	}
	defer root.Close()
	found, err := check.Files(root.FS(), inside)
	if err != nil {
		return 0, nil, fmt.Errorf("reading %q: %w", name, pathCause(err))
	}
	for _, file := range found {
		full := name
		if inside != file {
			full = path.Join(filepath.ToSlash(name), file)
		}
		more, err := check.File(root.FS(), file, full)
		if err != nil {
			return files, nil, err
		}
		findings = append(findings, more...)
	}
	return len(found), findings, nil
}

// openName opens the folder with that name, or the folder of a file with that name, and
// returns the path inside.
func openName(name string) (*os.Root, string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", usageError{hint.Wrap(fmt.Errorf("opening %q: %w", name, pathCause(err)), "name a file, or a folder of files")}
	}
	dir, inside := name, "."
	if !info.IsDir() {
		dir, inside = filepath.Split(name)
	}
	root, err := os.OpenRoot(filepath.Clean(dir)) // Clean: "" is here
	if err != nil {
		return nil, "", fmt.Errorf("opening %q: %w", dir, pathCause(err))
	}
	return root, inside, nil
}

// pathCause returns the system's error without the path, which the message has already.
func pathCause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

const scenariosTestHelp = `Run the test logs of scenarios: in each over*.log the scenario must overflow, in
each under*.log it must not. Those that csmail brings along have their logs in the
binary; for scenarios of yours, --logs DIR holds a folder for each, DIR/NAME/over.log
and so on, NAME being the part behind the slash of its name.

  csmail scenarios test
  csmail scenarios test auth-bf spambot
  csmail scenarios test ./mine                    the same as
  csmail scenarios test --scenarios ./mine --logs ./mine/tests

A log that does not do what its name says, or a scenario without both kinds of log,
makes the status 1.`

// trialOptions are the flags of csmail scenarios test.
type trialOptions struct {
	output, logs string
	scenarios    []string
}

// newScenariosTest returns csmail scenarios test, which runs scenarios over their test
// logs. For example:
//
//	csmail scenarios test csmail/auth-bf --logs my/tests
func newScenariosTest(std Streams, configPath *string) *cobra.Command {
	var o trialOptions
	c := &cobra.Command{
		Use:   "test [NAME...|DIR]",
		Short: "Run the test logs of scenarios",
		Long:  scenariosTestHelp,
		RunE:  func(_ *cobra.Command, args []string) error { return runTrial(std, o, *configPath, args) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "human", "human or json")
	f.StringSliceVar(&o.scenarios, "scenarios", nil, "test these: balanced, strict, a file or a folder (default what the configuration says)")
	f.StringVar(&o.logs, "logs", "", "the folder of the test logs (default those that csmail brings along)")
	return c
}

// runTrial runs the tests and prints a row for each log.
func runTrial(std Streams, o trialOptions, configPath string, names []string) error {
	if o.output != "human" && o.output != "json" {
		return usageError{fmt.Errorf("output format %q not supported: must be one of human, json", o.output)}
	}
	if len(names) == 1 && len(o.scenarios) == 0 && isFolder(names[0]) {
		o.scenarios = names
		if tests := filepath.Join(names[0], "tests"); o.logs == "" && isFolder(tests) {
			o.logs = tests
		}
		names = nil
	}
	set, err := scenarioSet(configPath, o.scenarios)
	if err != nil {
		return err
	}
	wanted, err := wantedScenarios(set.Scenarios(), names)
	if err != nil {
		return err
	}
	logs, done, err := testLogs(o.logs)
	if err != nil {
		return err
	}
	defer done()
	runs, faults, err := runTrials(set, wanted, logs)
	if err != nil {
		return err
	}
	if o.output == "json" {
		err = render.TrialsJSON(std.Out, runs)
	} else {
		err = render.Trials(std.Out, runs, std.screen())
	}
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	if len(faults) > 0 {
		return hint.Wrap(errors.New(strings.Join(faults, "; ")), "%s", faultHint(runs))
	}
	return nil
}

// faultHint returns a hint for failed test runs.
func faultHint(runs []check.Run) string {
	if slices.ContainsFunc(runs, func(r check.Run) bool { return !r.Passed() }) {
		return "csmail explain FILE shows how far each line filled the bucket"
	}
	return "each scenario has a folder of logs, below DIR/tests or --logs DIR: NAME/over.log, in which it overflows, and NAME/under.log, in which it does not"
}

// isFolder reports whether a folder has that name.
func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// wantedScenarios returns the full names of the given ones, or all names if none is
// given. A name may be given without its author.
func wantedScenarios(from []*scenario.Scenario, names []string) ([]string, error) {
	var all, wanted []string
	for _, s := range from {
		if !slices.Contains(all, s.Name) { // some files of the hub hold a name twice
			all = append(all, s.Name)
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(full string) bool { return full == name || check.Folder(full) == name })
		if i < 0 {
			return nil, usageError{hint.Wrap(fmt.Errorf("no scenario %q", name), "%s", scenarioHint(name, all))}
		}
		wanted = append(wanted, all[i])
	}
	return wanted, nil
}

// scenarioHint lists similar names for an unknown one.
func scenarioHint(name string, all []string) string {
	names := slices.Clone(all)
	for _, full := range all {
		names = append(names, check.Folder(full))
	}
	if meant := nearest(name, names); meant != "" {
		return fmt.Sprintf("did you mean %s?", meant)
	}
	return "csmail scenarios list names them; those of strict come with --scenarios strict, your own with --scenarios FILE"
}

// testLogs opens a folder of test logs, or the built-in ones.
func testLogs(dir string) (fs.FS, func(), error) {
	if dir == "" {
		logs, err := fs.Sub(scenarios.Logs, "tests")
		return logs, func() {}, err
	}
	root, inside, err := openName(dir)
	if err != nil {
		return nil, nil, err
	}
	if inside != "." {
		root.Close()
		return nil, nil, usageError{hint.Wrap(fmt.Errorf("--logs %q is no folder", dir), "it holds a folder for each scenario: DIR/NAME/over.log")}
	}
	return root.FS(), func() { root.Close() }, nil
}

func runTrials(set *scenario.Set, names []string, logs fs.FS) (all []check.Run, faults []string, err error) {
	for _, name := range names {
		runs, err := check.Logs(set, name, logs)
		if err != nil {
			return nil, nil, err
		}
		if lack := check.Missing(runs); lack != "" {
			faults = append(faults, fmt.Sprintf("%s has %s", name, lack))
		}
		for _, r := range runs {
			if !r.Passed() {
				faults = append(faults, fmt.Sprintf("%s: %d overflows in %s", r.Scenario, r.Overflows, r.Log))
			}
		}
		all = append(all, runs...)
	}
	return all, faults, nil
}
