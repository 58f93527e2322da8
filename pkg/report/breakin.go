package report

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
)

// BreakIn is a login of a source that guessed passwords before.
type BreakIn struct {
	Addr    netip.Addr
	User    string // in lower case; "" if the log does not name it
	Guesses int    // wrong passwords before it
	At      time.Time
}

// maxBreakIns is the number of break-ins that are kept.
const maxBreakIns = 1000

// BreakIns returns the first login of each source on each account, in the order of the log.
func (c *Collector) BreakIns() []BreakIn { return c.breakIns }

// addBreakIn adds the first login of a source on an account. A login of which the log
// names no account is likely the end of a session that it named before.
func addBreakIn(all []BreakIn, r *engine.Result) []BreakIn {
	user := strings.ToLower(r.User)
	known := slices.ContainsFunc(all, func(b BreakIn) bool { return b.Addr == r.Addr && (b.User == user || user == "") })
	if known || len(all) >= maxBreakIns {
		return all
	}
	return append(all, BreakIn{Addr: r.Addr, User: strings.Clone(user), Guesses: r.Guessed, At: r.Time})
}
