package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/enforce"
	"csmail/pkg/hint"
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
	switch last, count := e.gate.Refusals().Last(addr); {
	case count > 0:
		lines = append(lines, fmt.Sprintf("refused %s lately, the last time at %s (%s, %s, %s)", times(count), last.At.UTC().Format(time.RFC3339), last.Door, last.Service, reasonOf(last.ID)))
	case !last.At.IsZero():
		lines = append(lines, fmt.Sprintf("refused before csmail was started, the last time at %s", last.At.UTC().Format(time.RFC3339)))
	}
	return append(lines, e.wouldHave(addr)...)
}

// wouldHave returns the clients that a dry run would have refused lately.
func (e *enforcer) wouldHave(addr netip.Addr) []string {
	var last enforce.Refused
	count := 0
	for _, r := range e.gate.Figures().Recent {
		if r.DryRun && r.Addr == addr {
			last = r
			count++
		}
	}
	if count == 0 {
		return nil
	}
	return []string{fmt.Sprintf("let in by the dry run, would have been refused %s lately, the last time at %s (%s, %s, %s)",
		times(count), last.At.UTC().Format(time.RFC3339), last.Door, last.Service, reasonOf(last.ID))}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func reasonOf(decision int64) string {
	if decision == 0 {
		return "a country that is new to the account"
	}
	return fmt.Sprintf("decision %d", decision)
}

// probeLasts is how long a test client is refused: Postfix may greet after six seconds
// (postscreen_greet_wait), and Dovecot answer after its penalty.
const probeLasts = 30 * time.Second

// Probe implements [control.Daemon].
func (d *Daemon) Probe(_ context.Context, client netip.AddrPort) error {
	if d.enforcer == nil {
		return hint.Wrap(errors.New("nothing is enforced"), "bouncer.api_key is what sudo cscli bouncers add csmail prints")
	}
	return d.enforcer.gate.Probe(client, probeLasts)
}
