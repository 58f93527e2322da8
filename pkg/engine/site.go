package engine

import (
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/session"
	"csmail/pkg/wire"
)

// SiteJoin joins the lines of one login over the edges of a site, before a Judge takes their
// facts. An Edge has joined its own lines. [session.Relays] does the work.
type SiteJoin struct{ relays *session.Relays }

// NewSiteJoin returns a SiteJoin that knows nothing yet.
func NewSiteJoin() SiteJoin { return SiteJoin{session.NewRelays()} }

// Join takes the facts of the edges of sites, in the order of judging, with their
// origins. Attempts that another edge has reported do not count again.
// The key must always be the same.
func (j SiteJoin) Join(f *wire.Fact, key *event.HashKey) {
	f.Released = slices.DeleteFunc(f.Released, func(r wire.Release) bool { return j.relays.Join(&r.Record, key) })
	if !f.Folded && j.relays.Join(&f.Record, key) {
		f.Folded = true
	}
}

// Encode writes or reads the state. A SiteJoin that is read must be new.
func (j SiteJoin) Encode(c *wire.Codec) { j.relays.Encode(c) }
