package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"csmail/pkg/bucket"
	"csmail/pkg/config"
	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/replay"
	"csmail/pkg/scenario"
)

// judgeOptions are the flags that choose the scenarios.
type judgeOptions struct{ scenarios []string }

func (o *judgeOptions) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.scenarios, "scenarios", nil, "judge by these: balanced, strict, a file or a folder (default what the configuration says)")
}

// judgement is the result of these flags and the configuration.
type judgement struct {
	config config.Config
	names  []string // of the sets, files and folders from which set was loaded
	set    *scenario.Set
	facts  guard.Facts

	tells bool // findings are shown with their evidence
}

// scenarioFilter holds the names of the selected scenarios; empty for
// all.
type scenarioFilter []string

func (o *scenarioFilter) addFlags(f *pflag.FlagSet) {
	f.StringSliceVarP((*[]string)(o), "scenario", "s", nil, "only what this scenario found; may be repeated")
}

// check returns an error for a name that is in none of the sets. A name may be given
// without its author.
func (o scenarioFilter) check(sets ...*scenario.Set) (scenarioFilter, error) {
	if len(o) == 0 {
		return nil, nil
	}
	var all []*scenario.Scenario
	for _, set := range sets {
		all = append(all, set.Scenarios()...)
	}
	return wantedScenarios(append(all, &scenario.Scenario{Name: engine.BreakIn}), o)
}

// keep returns the selected findings.
func (o scenarioFilter) keep(findings []engine.Finding) []engine.Finding {
	if len(o) == 0 || len(findings) == 0 {
		return findings
	}
	var kept []engine.Finding
	for _, f := range findings {
		if slices.Contains(o, f.Alert.Scenario) {
			kept = append(kept, f)
		}
	}
	return kept
}

// check loads the configuration and the scenarios and gathers the facts about this host.
func (o judgeOptions) check(ctx context.Context, configPath string, std Streams) (judgement, error) {
	defer replay.PrepareHeap()()
	var j judgement
	var err error
	if j.config, err = config.Load(configPath); err != nil {
		return j, configError{err}
	}
	names := j.config.Scenarios
	if len(o.scenarios) > 0 {
		names = o.scenarios
	}
	j.names = names
	if j.set, err = detect.Load(names); err != nil {
		if len(o.scenarios) > 0 {
			return j, usageError{err}
		}
		return j, configError{err}
	}
	if len(o.scenarios) > 0 {
		warnOfScenarios(j.set, std)
	}
	var warnings []string
	j.facts, warnings, err = detect.Facts(ctx, j.config)
	named, unknown := detect.LookUpNames(ctx, j.config)
	j.facts.Named = named
	for _, w := range append(warnings, unknown...) {
		fmt.Fprintf(std.Err, "csmail: warning: %s\n", w)
	}
	return j, err
}

// warnOfScenarios warns of parts of scenario files that have no effect.
func warnOfScenarios(set *scenario.Set, std Streams) {
	for _, s := range set.Scenarios() {
		for _, note := range s.Notes {
			fmt.Fprintf(std.Err, "csmail: warning: %s: %s\n", s.Name, note)
		}
		if s.Kinds == 0 {
			fmt.Fprintf(std.Err, "csmail: warning: %s: no kind of event passes the filter; docs/events.md lists the kinds\n", s.Name)
		}
	}
}

// engine returns a new engine that judges by the set.
func (j judgement) engine(set *scenario.Set, counts func(*event.Event) bool) *engine.Engine {
	var limits bucket.Limits
	if !j.tells {
		limits.Texts = bucket.NoEvidence
	}
	hosts := 0
	if j.config.Cluster.IsJudge() { // as a judge of this configuration does
		hosts = len(j.config.Cluster.Edges)
	}
	return detect.Criteria{Guard: j.config.Guard, Set: set, Facts: j.facts, Limits: limits, Counts: counts, Hosts: hosts}.Engine()
}
