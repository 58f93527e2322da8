package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"csmail/pkg/config"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/host"
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
}

// check loads the configuration and the scenarios and gathers what is known
// about this host. Parts of mynetworks that cannot be read are told, since an
// address in them could be banned.
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
	j.facts, err = gatherFacts(ctx, j.config, std)
	return j, err
}

func gatherFacts(ctx context.Context, c config.Config, std Streams) (guard.Facts, error) {
	facts := guard.Facts{Allow: config.Prefixes(c.Guard.Allow), Relays: config.Prefixes(c.Guard.Relays)}
	var err error
	if facts.Own, err = host.Addresses(); err != nil {
		return facts, err
	}
	var skipped []string
	facts.MyNetworks, skipped, err = host.MyNetworks(ctx)
	if err != nil {
		fmt.Fprintf(std.Err, "csmail: warning: %v\n", err)
	}
	for _, word := range skipped {
		fmt.Fprintf(std.Err, "csmail: warning: mynetworks holds %q, which csmail does not look into; list its networks in guard.allow\n", word)
	}
	return facts, nil
}

// engine returns a new engine that judges by the set.
func (j judgement) engine(set *scenario.Set, counts func(*event.Event) bool) *engine.Engine {
	return engine.New(engine.Options{Scenarios: set, Guard: guard.New(j.facts, guardOptions(j.config)), Counts: counts})
}

func guardOptions(c config.Config) guard.Options {
	return guard.Options{ProviderNames: c.Guard.ProviderNames, BansPerHour: c.Guard.BansPerHour}
}
