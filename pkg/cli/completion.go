package cli

import (
	"context"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"csmail/pkg/cluster/plan"
	"csmail/pkg/config"
	"csmail/pkg/control"
	"csmail/pkg/detect"
	"csmail/pkg/render"
	"csmail/pkg/report/document"
	"csmail/scenarios"
)

// completionTimeout bounds the wait of a person who presses Tab for the daemon.
const completionTimeout = time.Second

// valuesOf holds the completions of flag values, by the name of the flag. Any other flag
// takes a file name, or any text.
var valuesOf = map[string]func(*cobra.Command) []string{
	"by":        func(*cobra.Command) []string { return groupings },
	"sort":      func(*cobra.Command) []string { return render.Orders() },
	"color":     func(*cobra.Command) []string { return colorModes },
	"since":     func(*cobra.Command) []string { return []string{"today", "yesterday", "1h", "24h", "7d"} },
	"until":     func(*cobra.Command) []string { return []string{"today", "yesterday", "1h"} },
	"day":       func(*cobra.Command) []string { return []string{"today", "yesterday"} },
	"envelope":  func(*cobra.Command) []string { return []string{"docker"} },
	"timezone":  func(*cobra.Command) []string { return zoneNames(os.DirFS(zoneinfo)) },
	"scenarios": func(*cobra.Command) []string { return scenarios.Sets() },
	"against":   func(*cobra.Command) []string { return scenarios.Sets() },
	"fail-on": func(*cobra.Command) []string {
		return append([]string{"urgent", "warn", "note"}, document.FindingIDs...)
	},
	"scenario": loadedScenarios,
	"output":   outputFormats,
	"ip":       latestAddresses,
}

// outputFormats reads the formats from the help: "human, json or raw".
func outputFormats(c *cobra.Command) []string {
	f := c.Flag("output")
	if f == nil {
		return nil
	}
	return strings.Split(strings.ReplaceAll(f.Usage, " or ", ", "), ", ")
}

// loadedScenarios are the names of the scenarios that --scenarios, or else the
// configuration, name; those that csmail brings along if they cannot be loaded.
func loadedScenarios(c *cobra.Command) []string {
	from, _ := c.Flags().GetStringSlice("scenarios")
	if len(from) == 0 {
		from = configOf(c).Scenarios
	}
	set, err := detect.Load(unique(from)) // cobra parses the flags twice
	if err != nil {
		return nil
	}
	names, _ := wantedScenarios(set.Scenarios(), nil)
	return names
}

// configOf returns the configuration that the command line names, or the defaults.
func configOf(c *cobra.Command) config.Config {
	name, _ := c.Flags().GetString("config")
	loaded, err := config.Load(name)
	if err != nil {
		return config.Default()
	}
	return loaded
}

// argumentsOf holds the completions of arguments, by the path of the command.
var argumentsOf = map[string]func(*cobra.Command) []string{
	"csmail why":            latestAddresses,
	"csmail unban":          latestAddresses,
	"csmail held release":   func(c *cobra.Command) []string { return handles(c, control.Held) },
	"csmail held drop":      func(c *cobra.Command) []string { return handles(c, control.Held) },
	"csmail outbox retry":   func(c *cobra.Command) []string { return handles(c, control.Parked) },
	"csmail outbox drop":    func(c *cobra.Command) []string { return handles(c, control.Outbox, control.Parked) },
	"csmail scenarios show": func(*cobra.Command) []string { return shownScenarios() },

	"csmail cluster edge remove":   func(c *cobra.Command) []string { return plannedNames(c, plan.Edge) },
	"csmail cluster edge distrust": func(c *cobra.Command) []string { return plannedNames(c, plan.Edge) },
	"csmail cluster judge remove":  func(c *cobra.Command) []string { return plannedNames(c, plan.Judge) },
}

// complete has the shells complete the values of flags and the arguments of a command and
// of those below it.
func complete(c *cobra.Command) {
	if values, known := argumentsOf[c.CommandPath()]; known {
		c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if c.Name() == "why" && len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault // the logs
			}
			return values(c), cobra.ShellCompDirectiveNoFileComp
		}
	}
	completeFlag := func(f *pflag.Flag) {
		if values, known := valuesOf[f.Name]; known {
			// The only error is that of a flag that is registered twice.
			_ = c.RegisterFlagCompletionFunc(f.Name, func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
				return values(c), directiveOf(f.Name)
			})
		}
	}
	c.NonInheritedFlags().VisitAll(completeFlag)
	for _, sub := range c.Commands() {
		complete(sub)
	}
}

// directiveOf lets files follow where a file is as good as a name.
func directiveOf(flag string) cobra.ShellCompDirective {
	if flag == "scenarios" || flag == "against" {
		return cobra.ShellCompDirectiveDefault
	}
	return cobra.ShellCompDirectiveNoFileComp
}

// plannedNames returns the names of a role in the plan of a cluster.
func plannedNames(c *cobra.Command, role plan.Role) []string {
	folder, err := c.Flags().GetString("folder")
	if err != nil {
		return nil
	}
	p, err := plan.Folder{Path: folder}.Load()
	if err != nil {
		return nil
	}
	return p.Names(role)
}

// latestAddresses returns the addresses and networks of the daemon's latest findings and
// of the alerts that it holds. Without a daemon there are none.
func latestAddresses(c *cobra.Command) []string {
	ctx, cancel := context.WithTimeout(contextOf(c), completionTimeout)
	defer cancel()
	client := control.NewClient(configOf(c).Socket)
	status, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	held, _ := client.List(ctx, control.Held)
	return unique(addressesOf(append(status.Alerts, held...)))
}

// handles returns the arguments of release, retry and drop: addresses, IDs, all.
func handles(c *cobra.Command, lists ...control.List) []string {
	ctx, cancel := context.WithTimeout(contextOf(c), completionTimeout)
	defer cancel()
	client := control.NewClient(configOf(c).Socket)
	var found []string
	for _, list := range lists {
		alerts, _ := client.List(ctx, list)
		found = append(found, addressesOf(alerts)...)
		for _, a := range alerts {
			found = append(found, a.ID[:min(8, len(a.ID))]+"\t"+render.Printable(a.Value))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return append(unique(found), "all")
}

// shownScenarios are the sets and the scenarios that csmail brings along.
func shownScenarios() []string {
	all := scenarios.Sets()
	for _, set := range scenarios.Sets() {
		files, _ := scenarios.Paths(set)
		for _, file := range files {
			all = append(all, strings.TrimSuffix(path.Base(file), ".yaml"))
		}
	}
	return unique(all)
}

func contextOf(c *cobra.Command) context.Context {
	if ctx := c.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

func addressesOf(alerts []control.Alert) (values []string) {
	for _, a := range alerts {
		if _, err := control.ParseNetwork(a.Value); err == nil { // a name is a client's text
			values = append(values, a.Value)
		}
	}
	return values
}

func unique(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
