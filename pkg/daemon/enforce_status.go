package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/enforce"
)

// status returns the state of enforcement; nil if nothing is enforced.
func (e *enforcer) status(dry bool) *control.Enforcement {
	if e == nil {
		return nil
	}
	f, s := e.gate.Figures(), e.bouncer.Stats()
	all := &control.Enforcement{
		DryRun: dry, Decisions: s.Decisions, LastPull: s.LastPull, Error: s.LastError, Hint: s.Hint,
		Repaired: s.RepairedMissing + s.RepairedLeft, Ignored: s.Ignored, LeftOut: s.Refused, Spared: f.Spared, Refused: []control.Refused{},
	}
	for _, d := range f.Doors {
		door := control.Door{Name: d.Door, Places: []string{}, Errors: d.Errors, Connections: d.Connections, LastAsked: d.Last}
		for _, place := range e.places {
			if name, where, _ := strings.Cut(place, " "); name == d.Door {
				door.Places = append(door.Places, where)
			}
		}
		for _, n := range d.Asked {
			door.Asked += n
		}
		for k, n := range f.Drops {
			if k.Door == d.Door {
				door.Refused += n
			}
		}
		all.Doors = append(all.Doors, door)
	}
	all.Countries = e.abroad.status()
	for _, r := range slices.Backward(f.Recent) {
		all.Refused = append(all.Refused, shownRefusal(r))
	}
	return all
}

// shownRefusal returns a refusal as csmail status shows it.
func shownRefusal(r enforce.Refused) control.Refused {
	return control.Refused{
		At: r.At, Door: r.Door.String(), Service: r.Service, Addr: r.Addr.String(), ID: r.ID, Origin: r.Origin, Type: r.Type, Account: r.Account, DryRun: r.DryRun,
	}
}

// why describes the decisions on an address, whether it is never refused, and its latest
// refusals.
func (e *enforcer) why(addr netip.Addr) (lines []string) {
	if e == nil {
		return nil
	}
	now := time.Now()
	for _, d := range e.bouncer.Table().On(addr, now) {
		lines = append(lines, fmt.Sprintf("decision %d, %s on %s by %s, until %s", d.ID, d.Type, d.Value(), d.Origin, d.Until.UTC().Format(time.RFC3339)))
	}
	if reason, never := e.gate.Never(addr); never {
		lines = append(lines, "never refused: "+reason)
	}
	if c := e.abroad.status(); c != nil {
		for _, a := range c.Abroad {
			if a.Addr == addr.String() {
				lines = append(lines, fmt.Sprintf("logged in at %s from %s, a country that the account never came from", a.At.UTC().Format(time.RFC3339), a.Country))
			}
		}
	}
	if last, count := e.gate.Refusals().Last(addr); count > 0 {
		lines = append(lines, fmt.Sprintf("refused %d times lately, the last time at %s (%s, %s, decision %d)", count, last.At.UTC().Format(time.RFC3339), last.Door, last.Service, last.ID))
	}
	return lines
}
