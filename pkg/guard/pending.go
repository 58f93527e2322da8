package guard

import "time"

// Ruling is the final verdict on a pending finding.
type Ruling struct {
	Finding Finding
	Verdict Verdict
	At      time.Time // when the wait ended, to the second
}

// wait keeps a finding and reports whether there is room for it. A finding of the same
// scenario about the same source replaces the older one.
func (g *Guard) wait(f Finding, v Verdict) bool {
	p := &pending{finding: f, key: keyOf(f.Addr), rule: v.Rule, reason: v.Reason}
	older, known := g.waiting.byID[p.id()]
	switch {
	case known:
		p.finding.First = earlier(f.First, older.finding.First)
		p = g.waiting.replace(older, p)
	case g.waiting.len() >= g.limits.pending:
		g.evicted.pending++
		return false
	default:
		g.waiting.add(p)
	}
	g.waiting.await(p, v.wait)
	return true
}

// earlier returns the earlier one of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Due returns the findings whose wait is over, in the order of their arrival: bans,
// alerts, and holds that are final. Call it as time passes without events; it is cheap if
// no wait is over. Each wait ends at its own time, whatever the time of the call, so a
// log with pauses of hours gives the same verdicts as one that was followed.
func (g *Guard) Due(now time.Time) []Ruling {
	until := max(g.now, stamp(now))
	if until < g.waiting.next() {
		g.now = until
		return nil
	}
	return g.advanceTo(until)
}

// DueBefore does the same for the next record of the log: it ends the waits that are over
// before the second of the record. A wait that ends in that second ends when the second
// is over, so that it does not depend on the order of the records in it.
func (g *Guard) DueBefore(next time.Time) []Ruling {
	at := max(g.now, stamp(next))
	if g.waiting.next() >= at {
		g.now = at
		return nil
	}
	rulings := g.advanceTo(at - 1)
	g.now = at
	return rulings
}

// Hurried returns the final verdicts on findings whose source did something just now.
// Call it after each Observe.
func (g *Guard) Hurried() []Ruling {
	if len(g.waiting.due) == 0 {
		return nil
	}
	return g.review(nil, 0)
}

// Settle returns a final verdict on every pending finding, as at the end of a log that is
// not followed. Waits for a password or a login are over. Findings without evidence about
// resolver or lists stay held. So do findings that wait until after the time asked,
// because the log does not show how they would end.
func (g *Guard) Settle(asked time.Time) []Ruling {
	now := g.now
	last := now + g.limits.typingTime + g.limits.firstContact + max(g.limits.resolverQuiet, g.limits.listQuiet) + 1
	rulings := g.advanceTo(max(now, min(last, stamp(asked))))
	g.now = now
	for _, p := range g.waiting.all() {
		v := g.decide(p.finding)
		v.Pending = false
		rulings = append(rulings, Ruling{p.finding, v, moment(now)})
	}
	g.waiting = newWaiting()
	return rulings
}

// advanceTo advances the time to until, from the end of one wait to that of the next.
func (g *Guard) advanceTo(until uint32) []Ruling {
	rulings := g.Hurried()
	for next := g.waiting.next(); next <= until; next = g.waiting.next() {
		g.now = max(g.now, next)
		rulings = g.review(rulings, g.now)
	}
	g.now = max(g.now, until)
	return rulings
}

// review decides the pending findings that are due by a time, and those whose source did
// something. Offences of their sources since the finding belong to it.
func (g *Guard) review(rulings []Ruling, until uint32) []Ruling {
	now := time.Unix(int64(g.now), 0)
	for _, p := range g.waiting.take(until) {
		f := p.finding
		if now.After(f.Last) {
			f.Last = now
		}
		v := g.decide(f)
		if v.Pending {
			v.wait.until = max(v.wait.until, g.now+1)
			p.rule, p.reason = v.Rule, v.Reason
			g.waiting.await(p, v.wait)
			continue
		}
		g.waiting.remove(p)
		rulings = append(rulings, Ruling{p.finding, v, now})
	}
	return rulings
}

// Pending returns the number of pending findings.
func (g *Guard) Pending() int { return g.waiting.len() }
