package guard

import (
	"maps"
	"slices"
	"time"

	"csmail/pkg/health"
)

// Rewind drops state dated after now, once a clock that was ahead is corrected. Proofs
// dated later count as of now, later offences are dropped, and all evidence about
// services is lost, as at the start. The next [Guard.Due] decides the pending findings.
func (g *Guard) Rewind(now time.Time) {
	at := stamp(now)
	if g.now <= at {
		return
	}
	g.now = at
	for s := range g.memory.all {
		g.memory.rewind(s, at)
	}
	g.logins.rewind(at)
	maps.DeleteFunc(g.began, func(_ health.Host, first uint32) bool { return first > at })
	g.sites = health.NewSites(g.limits.health())
	if g.good.today > at/day {
		g.good = goodClients{today: at / day}
	}
	if g.banned > at/minute { // the bans of the last hour count from now on
		var sum uint16
		for _, n := range g.bans {
			sum += n
		}
		g.bans, g.banned = [60]uint16{}, at/minute
		g.bans[g.banned%60] = sum
	}
	for i := range g.forgiven {
		g.forgiven[i].until = min(g.forgiven[i].until, at+day)
	}
	g.waiting.rewind(at)
}

// rewind applies Rewind to one source.
func (m *memory) rewind(s *source, at uint32) {
	for _, t := range []*uint32{&s.first, &s.contact, &s.seen, &s.login, &s.provider, &s.faulted, &s.banned, &s.lostAt} {
		*t = min(*t, at)
	}
	s.amnesty = min(s.amnesty, at+day)
	s.mailDay, s.goodDay = min(s.mailDay, at/day), min(s.goodDay, at/day)
	for _, accounts := range [...][]account{m.accountsIn(s.accounts), m.accountsIn(s.assumed)} {
		for i := range accounts {
			accounts[i].at = min(accounts[i].at, at)
		}
	}
	m.setOffences(s, slices.DeleteFunc(m.offencesOf(s), func(o offence) bool { return o.at > at }))
}

// Now returns the time of the latest event or call.
func (g *Guard) Now() time.Time { return moment(g.now) }
