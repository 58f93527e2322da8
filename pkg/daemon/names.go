package daemon

import (
	"context"

	"csmail/pkg/detect"
	"csmail/pkg/dyndns"
)

// keptNames is the name in the state file of the addresses of guard.allow_names.
const keptNames = "allow-names"

// openNames brings back the addresses of guard.allow_names in the run before. Names of which
// nothing is known are looked up first, for some seconds at the most: the log that is
// read at the start must not ban them.
func (d *Daemon) openNames(ctx context.Context) {
	d.names = dyndns.New(dyndns.Options{
		Lookup: d.options.Lookup, Now: d.options.Now, Log: d.log,
		Keep: func(b []byte) error { return d.store.Keep(keptNames, b) },
	})
	d.names.Set(d.config.Guard.AllowNames)
	kept, err := d.store.Kept(keptNames)
	if err == nil {
		err = d.names.Restore(kept)
	}
	if err != nil {
		d.log.Warn("the addresses of guard.allow_names were not kept; they are looked up", "error", err)
	}
	if len(d.names.Unknown()) > 0 {
		d.names.Look(ctx)
	}
	d.useNames()
}

// useNames gives the guard and the doors the present addresses of the names.
func (d *Daemon) useNames() {
	d.facts.Named = detect.Named(d.names)
	d.cluster.setFacts(d)
	d.enforcer.reset(d.config, d.facts)
}

// namesChanged has the loop do so, which owns the guard.
func (d *Daemon) namesChanged(ctx context.Context) {
	select {
	case d.asks <- d.useNames:
	case <-ctx.Done():
	}
}
