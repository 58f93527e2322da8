package guard

import (
	"fmt"
	"slices"

	"csmail/pkg/event"
)

// goodClients counts who got in on a day, and who of them was banned.
type goodClients struct {
	today          uint32 // days since 1970
	count0, count1 int    // today and yesterday
	banned         int    // today
}

func (c *goodClients) roll(today uint32) {
	if today <= c.today {
		return
	}
	c.count1 = c.count0
	if today > c.today+1 {
		c.count1 = 0
	}
	c.today, c.count0, c.banned = today, 0, 0
}

func (c *goodClients) count(s *source, at uint32) {
	today := at / day
	c.roll(today)
	if s.goodDay < today && today == c.today {
		s.goodDay = today
		c.count0++
	}
}

// isGood tells whether a source got in today or yesterday.
func (c *goodClients) isGood(s *source) bool { return s.goodDay != 0 && s.goodDay+1 >= c.today }

// capped holds a ban that goes beyond the caps, and counts one that does not. What
// several scenarios say of one source within the hour is one ban.
func (g *Guard) capped(f Finding, v Verdict) Verdict {
	g.rollBans()
	s := g.banOf(f)
	if s != nil && isWithin(s.banned, g.now, hour) {
		return v
	}
	if g.bansWithinHour() >= g.limits.bans {
		v.Action, v.Rule = Hold, TooManyBans
		v.Reason = fmt.Sprintf("%d bans within the hour are the cap", g.limits.bans)
		return v
	}
	g.good.roll(g.now / day)
	hit := g.goodHit(f, v.basis)
	clients := max(g.good.count0, g.good.count1)
	allowed := max(1, clients*g.limits.share/100)
	if hit > 0 && g.good.banned+hit > allowed {
		v.Action, v.Rule = Hold, TooManyGood
		v.Reason = fmt.Sprintf("%d of %d clients that got in today would be banned, %d are the cap", g.good.banned+hit, clients, allowed)
		return v
	}
	g.good.banned += hit
	g.bans[g.banned%60]++
	if s != nil {
		s.banned = g.now
	}
	return v
}

// banOf returns the source that a finding would ban, nil if it is a network.
func (g *Guard) banOf(f Finding) *source {
	if f.Scope == event.ScopeRange {
		return nil
	}
	return g.memory.find(keyOf(f.Addr))
}

func (g *Guard) bansWithinHour() int {
	total := 0
	for _, n := range g.bans {
		total += int(n)
	}
	return total
}

// basis is what a finding counts: what it would ban for.
type basis struct {
	guesses  int // failed logins and what follows from them
	others   int // anything else
	accounts int // that were guessed at, up to manyAccounts
}

// manyAccounts is from how many strange accounts on a client guesses at other
// people's passwords. Users of one client that fail at once because of a mistake of
// ours fail on no more accounts than they have.
const manyAccounts = 3

// isGuessing reports whether all that counts is guesses at other people's accounts.
// The cap holds what looks like a mistake of ours, and this does not.
func (b basis) isGuessing() bool { return b.others == 0 && b.accounts >= manyAccounts }

// goodHit counts the day's successful clients that a ban would hit, and that none
// has hit yet on that day. Of guesses at passwords it is those that logged in: mail
// that was taken from a client says nothing about its logins.
func (g *Guard) goodHit(f Finding, b basis) int {
	isGood := g.good.isGood
	if b.guesses > 0 && b.others == 0 {
		isGood = func(s *source) bool { return g.good.isGood(s) && s.login != 0 && s.login/day+1 >= g.good.today }
	}
	if f.Scope != event.ScopeRange {
		s := g.banOf(f)
		if s != nil && isGood(s) && !b.isGuessing() && (s.banned == 0 || s.banned/day != g.now/day) {
			return 1
		}
		return 0
	}
	hit := 0
	for s := range g.memory.within(f.Network) {
		if isGood(s) || g.good.isGood(s) && !hasGuessed(g.memory.offencesOf(s)) {
			hit++
		}
	}
	return hit
}

// hasGuessed reports whether a failed login is among the offences of a source.
func hasGuessed(offences []offence) bool {
	return slices.ContainsFunc(offences, func(o offence) bool { return o.kind == event.AuthFailed })
}

func (g *Guard) rollBans() {
	current := g.now / minute
	if current <= g.banned {
		return
	}
	for m := g.banned + 1; m <= current && m <= g.banned+60; m++ {
		g.bans[m%60] = 0
	}
	g.banned = current
}
