package guard

import (
	"slices"
	"time"
)

// pending is a finding that waits for evidence.
type pending struct {
	finding  Finding
	key      uint64
	until    uint32 // patience ends
	evidence bool   // waits for our resolver or lists to be seen to work
}

// Ruling is the final word about a finding that was pending.
type Ruling struct {
	Finding Finding
	Verdict Verdict
	At      time.Time // when the wait ended, to the second
}

// wait keeps a finding and reports whether there is room for it. A newer one of the
// same scenario about the same source takes the place of the older.
func (g *Guard) wait(f Finding, v Verdict) bool {
	p := pending{f, keyOf(f.Addr), v.wait, v.Rule == Resolver || v.Rule == BlockList}
	i := slices.IndexFunc(g.pending, func(o pending) bool {
		return o.finding.Scenario == f.Scenario && o.finding.Scope == f.Scope && o.finding.Network == f.Network &&
			o.finding.Account == f.Account && (o.key == p.key || f.Account != "" || f.Network.IsValid())
	})
	switch {
	case i >= 0:
		p.finding.First = earlier(f.First, g.pending[i].finding.First)
		g.pending[i] = p
	case len(g.pending) >= g.limits.pending:
		g.evicted.pending++
		return false
	default:
		g.pending = append(g.pending, p)
	}
	g.await(p)
	return true
}

// await has a pending finding looked at in time.
func (g *Guard) await(p pending) {
	if s, known := g.sources[p.key]; known {
		s.waits = true
	}
	g.nextDue = min(g.nextDue, p.until)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// hurry has a source's pending findings looked at again, since something
// happened.
func (g *Guard) hurry(s *source) {
	if s.waits {
		s.nudged, g.nextDue = true, 0
	}
}

// sight has those looked at that wait for our resolver or lists, once a second
// at the most.
func (g *Guard) sight(at uint32) {
	if len(g.pending) > 0 {
		g.sighted, g.nextDue = true, min(g.nextDue, at+1)
	}
}

// Due returns the findings whose wait is over, in the order in which they came:
// bans and alerts, and holds that are final. It is cheap when none is: call it
// after each Observe, and when time passes without events. Each wait ends at its
// own time, however long nobody asked: a log of which the next line comes hours
// later is judged as one that was watched.
func (g *Guard) Due(now time.Time) []Ruling {
	until := max(g.now, stamp(now))
	if until < g.nextDue {
		g.now = until
		return nil
	}
	return g.pass(until)
}

// Settle returns a last word on every pending finding: nothing more will come,
// as at the end of a log that is not followed. Who waits for a password or a
// login has had his time; what our resolver or lists have not confirmed stays
// held. So does what waits until after the time of asking: a log of just now does not
// tell how it goes on.
func (g *Guard) Settle(asked time.Time) []Ruling {
	now := g.now
	last := now + g.limits.typingTime + g.limits.firstContact + max(g.limits.resolverQuiet, g.limits.listQuiet) + 1
	rulings := g.pass(max(now, min(last, stamp(asked))))
	g.now = now
	for _, p := range g.pending {
		v := g.decide(p.finding)
		v.Pending = false
		rulings = append(rulings, Ruling{p.finding, v, moment(now)})
	}
	g.pending, g.nextDue = nil, never
	return rulings
}

// pass lets the time pass until then, from the end of one wait to that of the next.
func (g *Guard) pass(until uint32) []Ruling {
	g.now = min(max(g.now, g.nextDue), until)
	rulings := g.review()
	for g.now < g.nextDue && g.nextDue <= until {
		g.now = g.nextDue
		rulings = append(rulings, g.review()...)
	}
	g.now = until
	return rulings
}

// review looks at the pending findings whose time has come. What its source did
// since a finding was made belongs to it.
func (g *Guard) review() []Ruling {
	var rulings []Ruling
	waiting, sighted := g.pending, g.sighted
	g.pending, g.nextDue, g.sighted = nil, never, false
	for _, p := range waiting {
		if g.now < p.until && !g.isNudged(p.key) && !(sighted && p.evidence) {
			g.pending = append(g.pending, p)
			continue
		}
		f := p.finding
		now := time.Unix(int64(g.now), 0)
		if now.After(f.Last) {
			f.Last = now
		}
		v := g.decide(f)
		if v.Pending {
			g.pending = append(g.pending, pending{p.finding, p.key, v.wait, v.Rule == Resolver || v.Rule == BlockList})
			continue
		}
		rulings = append(rulings, Ruling{p.finding, v, now})
	}
	for _, p := range waiting {
		if s, known := g.sources[p.key]; known {
			s.waits, s.nudged = false, false
		}
	}
	for _, p := range g.pending {
		g.await(p)
	}
	return rulings
}

func (g *Guard) isNudged(key uint64) bool {
	s, known := g.sources[key]
	return known && s.nudged
}

// Pending returns how many findings wait.
func (g *Guard) Pending() int { return len(g.pending) }
