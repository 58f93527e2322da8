package guard

import (
	"cmp"
	"net/netip"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// connected takes a connection. That a name was verified shows that our resolver
// works.
func (g *Guard) connected(r *event.Record, at uint32) {
	if g.matcher.has(r.Addr) {
		g.gateway.count(r.Addr)
		return
	}
	g.gateway.total++
	if r.ClientName == "" || r.ClientName == "unknown" {
		return
	}
	key := keyOf(r.Addr)
	g.site.Named(key, at)
	g.sight(ofResolver, at)
	if len(g.limits.providers) == 0 || !g.isProvider(r.ClientName) {
		return
	}
	s := g.source(key, at)
	s.provider = max(s.provider, at)
}

// isProvider compares suffixes at a dot, without case.
func (g *Guard) isProvider(name string) bool {
	for _, p := range g.limits.providers {
		rest := len(name) - len(p)
		if rest >= 0 && strings.EqualFold(name[rest:], p) && (rest == 0 || name[rest-1] == '.') {
			return true
		}
	}
	return false
}

// accepted takes a mail from somebody who did not log in.
func (g *Guard) accepted(key uint64, at uint32) {
	s := g.source(key, at)
	s.mailOn(at / day)
	g.site.MailTaken(key, at)
	g.good.count(s, at)
	g.hurry(key)
	g.sight(ofLists, at)
}

// withdraw takes mail back of which it turned out that none came. That it would
// have been taken still says that our lists and tables work.
func (g *Guard) withdraw(key uint64, messages int) {
	s, known := g.sources[key]
	if !known || !s.unmail(messages) {
		return
	}
	if s.goodDay == s.mailDay && s.login/day != s.goodDay {
		if s.goodDay == g.good.today {
			g.good.count0--
		}
		s.goodDay = 0
	}
}

func (g *Guard) loggedIn(e *event.Event, key uint64, at uint32) {
	s := g.source(key, at)
	s.know(g.key.Account(e.User), at)
	g.site.LoggedIn(e.Service, key, at)
	g.good.count(s, at)
	g.hurry(key)
}

// fault takes trouble of our own, and remembers of a client that met it when.
func (g *Guard) fault(e *event.Event, key uint64, at uint32) {
	if !g.site.Fault(e.Kind, e.Service, key, at) {
		return
	}
	if s, known := g.sources[key]; known || e.Kind == event.AuthFault {
		if !known {
			s = g.source(key, at)
		}
		s.faulted = max(s.faulted, at)
	}
}

func (g *Guard) offence(e *event.Event, key uint64, at uint32) {
	s := g.source(key, at)
	if at < s.amnesty {
		return
	}
	o := offence{
		at: at, kind: e.Kind, tag: uint8(health.AreaOf(e))<<4 | uint8(e.Service),
		n: uint16(min(max(e.Attempts, 1), 1<<16-1)),
	}
	switch o.area() {
	case loginArea:
		o.account = g.key.Account(e.User)
		if e.Kind == event.AuthFailed {
			g.site.LoginFails(e.Service, key, cmp.Or(o.account.Sum(), key), at, s.wasGood(o.account, at, g.limits.login))
		}
	case recipientArea:
		if s.mailedDays(at) >= g.limits.mailDays {
			g.site.RecipientMissed(key, at)
		}
	}
	s.add(o)
	g.hurry(key)
}

// wasGood tells whether an account got in from here until now: it did within
// span, and did not fail since.
func (s *source) wasGood(name event.AccountHash, at, span uint32) bool {
	last := s.loginOf(name)
	if !isWithin(last, at, span) {
		return false
	}
	for _, o := range s.offences {
		if o.kind == event.AuthFailed && o.at > last && (name.IsZero() || o.account.Is(name)) {
			return false
		}
	}
	return true
}

// sameLogin is how long after a failure another line may tell of it: Dovecot's
// penalty holds an answer back for up to 15 s, and the session must end.
const sameLogin = 30

// nameAccount gives the user of a folded line to the failure it belongs to.
func (g *Guard) nameAccount(e *event.Event, key uint64, at uint32) {
	s, known := g.sources[key]
	if !known || e.Kind != event.AuthFailed || e.User == "" {
		return
	}
	for i := len(s.offences) - 1; i >= 0; i-- {
		o := &s.offences[i]
		if !isWithin(o.at, at, sameLogin) {
			return
		}
		if o.kind == event.AuthFailed && o.account.IsZero() {
			o.account = g.key.Account(e.User)
			g.hurry(key)
			return
		}
	}
}

// gateway finds out whether one address of our own stands for most clients, as
// a container network's gateway does that hides them.
type gateway struct {
	addr  netip.Addr
	votes uint32 // majority vote (Boyer and Moore) among the addresses never banned
	n     uint32 // connections of addr since it is the candidate
	total uint32
}

func (w *gateway) count(addr netip.Addr) {
	if addr.IsLoopback() {
		return
	}
	w.total++
	switch {
	case w.votes == 0:
		w.addr, w.votes, w.n = addr, 1, 1
	case w.addr == addr:
		w.votes++
		w.n++
	default:
		w.votes--
	}
	if w.total >= 1<<30 {
		w.votes, w.n, w.total = w.votes/2, w.n/2, w.total/2
	}
}
