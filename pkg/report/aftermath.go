package report

import (
	"net/netip"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

// Aftermath follows the banned sources: the attempts during their bans, and those of them
// that turned out to be honest. It keeps one small entry a banned value. Use it from one
// goroutine at a time.
type Aftermath struct {
	duration time.Duration
	bans     bans
	broken   map[netip.Addr]bool // sources that broke in: their later logins are no proof
}

// NewAftermath returns an Aftermath of bans that last for the duration.
func NewAftermath(duration time.Duration) *Aftermath {
	return &Aftermath{duration: duration, bans: newBans(), broken: make(map[netip.Addr]bool)}
}

// Ban takes the ban of a value from a time on, and reports whether it is a new one. A
// ban of a value that is banned makes its ban longer.
func (a *Aftermath) Ban(f *engine.Finding) (isNew bool) {
	value := engine.Network(f.Alert)
	until := f.At.Add(a.duration)
	if known := a.bans.at(value); known != nil && f.At.Before(known.until) {
		if until.After(known.until) { // a late line comes after a later one
			known.until = until
		}
		return false
	}
	a.bans.add(&ban{value: value, since: f.At, until: until, scenario: f.Alert.Scenario})
	return true
}

// Len returns the number of banned values that are followed.
func (a *Aftermath) Len() int { return a.bans.len() }

// Prevented reports whether the event came while its source was banned.
func (a *Aftermath) Prevented(e *event.Event) bool {
	found := a.bans.of(e.Addr, e.Time)
	return found != nil && found.lasts(e.Time)
}

// Good takes a login or an accepted mail, and returns the ban that it shows to be wrong,
// at the first time; else ok is false. After a break-in nothing proves a source.
func (a *Aftermath) Good(r *engine.Result) (c Collateral, ok bool) {
	proof := ""
	switch {
	case r.Guessed > 0:
		if len(a.broken) < maxSources {
			a.broken[r.Addr] = true
		}
		return c, false
	case a.broken[r.Addr]:
		return c, false
	case r.Kind.Class() == event.Success:
		proof = "a login"
	case r.Testimony == event.MailAccepted:
		proof = "mail accepted"
	default:
		return c, false
	}
	found := a.bans.of(r.Addr, r.Time)
	if found == nil || found.good || r.Time.Before(found.since) {
		return c, false
	}
	found.good = true
	return Collateral{
		Value: r.Addr.String(), Scenario: found.scenario, Banned: found.since, Good: r.Time, Proof: proof, InBan: r.Time.Before(found.until),
	}, true
}

// Forget drops the bans that began before a time.
func (a *Aftermath) Forget(before time.Time) {
	a.bans.drop(before)
	if a.bans.len() == 0 {
		clear(a.broken)
	}
}

// AftermathState is the content of an Aftermath, for encoding/gob.
type AftermathState struct {
	Bans   []BanState
	Broken []netip.Addr
}

// BanState is one banned value.
type BanState struct {
	Value        netip.Prefix
	Since, Until time.Time
	Scenario     string
	Good         bool
}

// State returns a copy of the content.
func (a *Aftermath) State() AftermathState {
	var state AftermathState
	for one := range a.bans.all {
		state.Bans = append(state.Bans, BanState{one.value, one.since, one.until, one.scenario, one.good})
	}
	for addr := range a.broken {
		state.Broken = append(state.Broken, addr)
	}
	return state
}

func (a *Aftermath) add(one *BanState) {
	a.bans.add(&ban{value: one.Value, since: one.Since, until: one.Until, scenario: one.Scenario, good: one.Good})
}

// RestoreAftermath returns an Aftermath that goes on where another left off.
func RestoreAftermath(duration time.Duration, state AftermathState) *Aftermath {
	a := NewAftermath(duration)
	for _, one := range state.Bans {
		a.add(&one)
	}
	for _, addr := range state.Broken {
		a.broken[addr] = true
	}
	return a
}
