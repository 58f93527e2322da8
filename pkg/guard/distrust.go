package guard

import (
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// Distrust forgets the proofs that an edge of a cluster reported, since it may have made
// them up: its key was stolen. What it said of the services of hosts, its own or those of
// its site, counts as unknown. A proof that another edge reported too weighs as if that one
// alone had. Offences stay: forgetting them would help the client. edge is as in
// [event.Origin], and lines are the origins that its lines can have.
func (g *Guard) Distrust(edge uint64, lines []event.Origin) {
	var hosts []health.Host
	for _, o := range lines {
		hosts = append(hosts, health.HostOf(&event.Record{Origin: o}))
	}
	for s := range g.memory.all {
		g.distrust(s, edge)
		g.forgetFaults(s, hosts)
		g.waiting.nudge(s.key)
	}
	g.logins.distrust(func(w witness) (witness, bool) { return g.without(w, edge) })
	for key, p := range g.evicted.proven {
		if _, lost := g.without(p.by, edge); lost {
			delete(g.evicted.proven, key)
		}
	}
	for _, h := range hosts {
		g.sites.Forget(h)
	}
}

// without returns a witness without an edge. lost is set if the edge was part of it; if
// nobody is left, the witness is zero.
func (k *knowledge) without(w witness, edge uint64) (left witness, lost bool) {
	isOf := func(number uint16) bool { return number != 0 && k.reporters.of(number).edge == edge }
	switch {
	case isOf(w.first):
		if n := w.second(); n != 0 {
			return onDay(n, k.now), true
		}
		return witness{}, true
	case isOf(w.second()):
		return onDay(w.first, k.now), true
	}
	return w, false
}

// distrust forgets the proofs of a source that an edge reported.
func (k *knowledge) distrust(s *source, edge uint64) {
	gone := k.withoutAccounts(&s.accounts, edge)
	k.withoutAccounts(&s.assumed, edge)
	if left, lost := k.without(s.loginBy, edge); lost {
		if s.loginBy = left; left.first == 0 {
			s.login, s.loginBy = k.lastLogin(s)
		}
		gone = true
	}
	if gone {
		s.crowded = false // with accounts that may never have logged in
	}
	if left, lost := k.without(s.mailBy, edge); lost {
		k.forgetMail(s, left)
	}
	if left, lost := k.without(s.providerBy, edge); lost {
		if s.providerBy = left; left.first == 0 {
			s.provider = 0
		}
	}
}

// withoutAccounts drops the accounts whose logins an edge alone reported. It reports
// whether there were any.
func (k *knowledge) withoutAccounts(r *run, edge uint64) (gone bool) {
	known := k.memory.accountsIn(*r)
	left := make([]account, 0, len(known))
	for i := range known {
		by, lost := k.without(known[i].by, edge)
		if known[i].by = by; !lost || by.first != 0 {
			left = append(left, known[i])
		}
	}
	if len(left) == len(known) {
		return false
	}
	k.memory.replaceAccounts(r, left)
	return true
}

// lastLogin returns the last login of the accounts that are known, 0 if there is none.
func (k *knowledge) lastLogin(s *source) (at uint32, by witness) {
	for _, a := range k.memory.accountsIn(s.accounts) {
		if a.at > at {
			at, by = a.at, a.by
		}
	}
	return at, by
}

// forgetMail drops the days with mail that an edge may have made up. Of a source whose mail
// another edge took too, one day is left.
func (k *knowledge) forgetMail(s *source, left witness) {
	s.mails, s.mailsBefore, s.mailDays, s.mailBy = 0, 0, 0, left
	if left.first == 0 {
		s.mailDay = 0
		return
	}
	s.mails, s.mailDays = 1, 1
}

// forgetFaults drops the faults of hosts that a source met.
func (k *knowledge) forgetFaults(s *source, hosts []health.Host) {
	if slices.Contains(hosts, s.faultedOn) {
		s.faulted, s.faultedOn = 0, 0
	}
	offences := k.memory.offencesOf(s)
	for i := range offences {
		if o := &offences[i]; o.area() != listArea && slices.Contains(hosts, o.host) {
			o.tag &^= metFault
		}
	}
}
