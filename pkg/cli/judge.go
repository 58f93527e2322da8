package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/ruleset"
	"csmail/pkg/scenario"
)

// judgeOptions are the flags that say by what a log is judged.
type judgeOptions struct{ scenarios []string }

func (o *judgeOptions) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.scenarios, "scenarios", nil, "judge by these: balanced, strict, a file or a folder (default what the configuration says)")
}

// judgement is what the flags and the configuration come to.
type judgement struct {
	config config.Config
	set    *scenario.Set
	facts  guard.Facts

	tells bool // somebody is told of the findings, with their evidence
}

// check loads the configuration and the scenarios and gathers what is known
// about this host.
func (o judgeOptions) check(ctx context.Context, configPath string, std Streams) (judgement, error) {
	var j judgement
	var err error
	if j.config, err = config.Load(configPath); err != nil {
		return j, configError{err}
	}
	names := j.config.Scenarios
	if len(o.scenarios) > 0 {
		names = o.scenarios
	}
	if j.set, err = ruleset.Load(names); err != nil {
		if len(o.scenarios) > 0 {
			return j, usageError{err}
		}
		return j, configError{err}
	}
	var warnings []string
	j.facts, warnings, err = ruleset.Facts(ctx, j.config)
	for _, w := range warnings {
		fmt.Fprintf(std.Err, "csmail: warning: %s\n", w)
	}
	return j, err
}

// engine returns a new engine that judges by the set.
func (j judgement) engine(set *scenario.Set, counts func(*event.Event) bool) *engine.Engine {
	var limits scenario.Limits
	if !j.tells {
		limits.Texts = scenario.NoEvidence
	}
	return engine.New(engine.Options{Scenarios: set, Limits: limits, Guard: guard.New(j.facts, ruleset.GuardOptions(j.config.Guard)), Counts: counts})
}
