// Package detect builds the engine that judges a log, out of a configuration: the scenarios
// that it or a flag names (csmail's built-in sets, files, and folders), the facts about
// this host, and the limits of the guard's rules. All commands and the daemon build it
// here, so that they judge alike. The package reads files and asks programs of the host,
// and makes no decision about a source.
package detect

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/config"
	"csmail/pkg/dyndns"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/host"
	"csmail/pkg/scenario"
)

// Facts gathers the guard's facts about this host. The warnings name settings that could
// not be read in full: an address in them could be banned.
func Facts(ctx context.Context, c config.Config) (f guard.Facts, warnings []string, err error) {
	f = SharedFacts(c)
	if f.Own, err = host.Addresses(); err != nil {
		return f, nil, err
	}
	networks, skipped, err := host.MyNetworks(ctx)
	if err != nil {
		warnings = append(warnings, err.Error())
	}
	f.MyNetworks = networks
	warnings = append(warnings, spared("mynetworks", networks)...)
	warnings = append(warnings, spared("guard.allow", f.Allow)...)
	for _, word := range skipped {
		warnings = append(warnings, fmt.Sprintf("mynetworks holds %q, which csmail does not look into; list its networks in guard.allow", word))
	}
	trust, err := host.Trusted(ctx)
	if err != nil {
		warnings = append(warnings, err.Error())
	}
	f.Own = append(f.Own, trust.Own...)
	f.Trusted = trust.Proxies
	for _, word := range trust.Skipped {
		warnings = append(warnings, fmt.Sprintf("%q is no network that csmail could spare; list the hosts in guard.allow", word))
	}
	return f, warnings, nil
}

// LookUpNames looks up guard.allow_names once, for a command that judges a log. It takes
// some seconds at the most. The warnings name those without an address: they protect
// nobody.
func LookUpNames(ctx context.Context, c config.Config) (named []guard.Named, warnings []string) {
	names := dyndns.New(dyndns.Options{})
	names.Set(c.Guard.AllowNames)
	names.Look(ctx)
	for _, name := range names.Unknown() {
		warnings = append(warnings, fmt.Sprintf("guard.allow_names: %q has no address now, so nobody is spared for it", name))
	}
	return Named(names), warnings
}

// Named returns what is known of the names as facts.
func Named(names *dyndns.Names) (named []guard.Named) {
	for _, a := range names.Addresses() {
		named = append(named, guard.Named{Name: a.Name, Network: a.Network})
	}
	return named
}

// SharedFacts are the guard's facts that the configuration says, so that they are the same
// on every host that has it.
func SharedFacts(c config.Config) guard.Facts {
	return guard.Facts{Allow: config.Prefixes(c.Guard.Allow), Relays: config.Prefixes(c.Guard.Relays)}
}

// spared warns of networks that hold every address.
func spared(name string, networks []netip.Prefix) (warnings []string) {
	for _, n := range networks {
		if n.Bits() == 0 {
			warnings = append(warnings, fmt.Sprintf("%s holds %s, so no address of it can be banned; name the networks that are yours", name, n))
		}
	}
	return warnings
}

// Criteria are all that the verdicts on a log depend on besides its lines.
type Criteria struct {
	Guard config.Guard
	Set   *scenario.Set
	Facts guard.Facts

	// Hosts is the number of hosts of a cluster that are counted as one; 0: this is no
	// cluster. The limits of memory and the bans an hour grow with it, and what one of the
	// hosts tells in favour of a client weighs less on the others.
	Hosts int

	// HashKey is the secret for the hashes of names that clients send; zero: one of its
	// own. The judges of a cluster share one.
	HashKey event.HashKey

	// Limits bound the memory of the scenarios. With bucket.NoEvidence findings carry
	// neither messages nor checks.
	Limits bucket.Limits

	// Counts reports whether an event may count against its source; nil: each may. For
	// example, a first start counts no offences older than a day.
	Counts func(*event.Event) bool
}

// Engine returns a new engine that judges by the criteria. The snapshot of an engine carries
// its HashKey along.
func (c Criteria) Engine() *engine.Engine {
	options := guardOptions(c.Guard)
	options.HashKey = c.HashKey
	if options.HashKey == (event.HashKey{}) {
		options.HashKey = NewHashKey()
	}
	if c.Hosts > 0 {
		options, c.Limits = grown(options, c.Limits, c.Hosts)
	}
	return engine.New(engine.Options{
		Scenarios: c.Set, Limits: c.Limits, Guard: guard.New(c.Facts, options), HashKey: options.HashKey, Counts: c.Counts,
	})
}

// grown returns the limits for a number of hosts. The memory of a judge is bounded by some
// 2 million sources. Hosts of a cluster are visited by the same attackers for a good part,
// so the bans an hour grow to those of ten hosts.
func grown(g guard.Options, b bucket.Limits, hosts int) (guard.Options, bucket.Limits) {
	g.Foreign = true
	g.MaxSources = 100_000 * min(hosts, 20)
	g.MaxPending = 4096 * min(hosts, 20)
	g.MaxSites = 512 + 2*hosts
	g.BansPerHour *= min(hosts, 10)
	b.Sources = 500_000 * min(hosts, 8)
	return g, b
}

// NewHashKey draws a secret at random.
func NewHashKey() (key event.HashKey) {
	_, _ = rand.Read(key[:]) // never fails (crypto/rand, Go 1.24)
	return key
}

// guardOptions returns the limits of the guard's rules.
func guardOptions(c config.Guard) guard.Options {
	return guard.Options{
		ProviderNames: c.ProviderNames,
		LoginProves:   time.Duration(c.LoginProves), MailDays: c.MailDays,
		StalePerHour: c.StalePerHour, UnnamedPerHour: c.UnnamedPerHour, SprayedAccounts: c.SprayedAccounts,
		SharedAccounts: c.SharedAccounts,
		Typing:         c.Typing, TypingTime: time.Duration(c.TypingTime), FirstContact: time.Duration(c.FirstContact),
		ResolverQuiet: time.Duration(c.ResolverQuiet), ListQuiet: time.Duration(c.ListQuiet),
		FaultLasts: time.Duration(c.FaultLasts), FaultSilence: time.Duration(c.FaultSilence),
		VisitsPerHour: c.VisitsPerHour, BansPerHour: c.BansPerHour, GoodShare: c.GoodShare,
	}
}
