package guard

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// connected takes a connection. A client with a verified name proves that the resolver
// works.
func (g *Guard) connected(r *event.Record, at uint32) {
	switch own := g.matcher.has(r.Addr); {
	case own:
		g.gateway.count(r.Addr)
		return
	case r.Addr.IsPrivate():
		g.gateway.count(r.Addr)
	default:
		g.gateway.total++
	}
	if r.ClientName == "" || r.ClientName == "unknown" {
		return
	}
	key := keyOf(r.Addr)
	g.site(r, at).Named(key, at)
	g.waiting.noteSighting(ofResolver, at)
	if len(g.limits.providers) == 0 || !g.isProvider(r.ClientName) {
		return
	}
	s := g.source(key, at)
	s.providerBy = g.reported(s.providerBy, !isWithin(s.provider, at, 30*day), r)
	s.provider = max(s.provider, at)
}

// isProvider reports whether a name is below a provider's. It compares suffixes at a dot,
// without case.
func (k *knowledge) isProvider(name string) bool {
	for _, p := range k.limits.providers {
		rest := len(name) - len(p)
		if rest >= 0 && strings.EqualFold(name[rest:], p) && (rest == 0 || name[rest-1] == '.') {
			return true
		}
	}
	return false
}

// accepted takes a mail of a client that did not log in.
func (g *Guard) accepted(r *event.Record, key uint64, at uint32) {
	s := g.source(key, at)
	g.noteMail(s, r)
	s.mailOn(at / day)
	passLast(g.memory.offencesOf(s), health.HostOf(r), at)
	g.site(r, at).MailTaken(key, at)
	g.good.count(s, at)
	g.waiting.nudge(key)
	g.waiting.noteSighting(ofLists|ofTables, at)
}

// oneVisit is the time in seconds from postscreen's line about a client to the first mail of
// the session that follows.
const oneVisit = 300

// passLast marks the last hits in block lists that postscreen reported: the client was let
// in, so postscreen only watches (postscreen_dnsbl_action = ignore, the default).
func passLast(offences []offence, on health.Host, at uint32) {
	for i := len(offences) - 1; i >= 0 && isWithin(offences[i].at, at, oneVisit); i-- {
		if o := &offences[i]; o.host == on && o.area() == listArea && o.service() == event.Postscreen && o.at <= at {
			o.tag |= metFault
		}
	}
}

// withdraw subtracts messages that were accepted and never came. That they were accepted
// still proves that lists and tables work.
func (g *Guard) withdraw(key uint64, messages int) {
	s := g.memory.find(key)
	if s == nil || !s.unmail(messages) {
		return
	}
	if s.goodDay == s.mailDay && s.login/day != s.goodDay {
		if s.goodDay == g.good.today {
			g.good.count0--
		}
		s.goodDay = 0
	}
}

// loggedIn takes a login. Findings that wait for evidence of a working login service are
// decided again.
func (g *Guard) loggedIn(r *event.Record, key uint64, at uint32) {
	s := g.source(key, at)
	name := r.AccountUnder(&g.key)
	g.began.note(health.HostOf(r), at)
	if g.guessed = g.breakIn(s, name, at); !g.isGuessed(g.guessed, key, name, at) {
		g.noteLogin(s, name, r, at)
		g.noteShared(s, at)
		g.good.count(s, at)
	}
	g.site(r, at).LoggedIn(r.Service, key, at)
	g.waiting.nudge(key)
	g.waiting.noteSighting(ofLogins, at)
}

// fault takes a fault of this host, and remembers when the client met it.
func (g *Guard) fault(r *event.Record, key uint64, at uint32) {
	s := g.memory.find(key)
	c := health.Client{Key: key}
	if s != nil {
		c.Account = g.metAs(r, s, at)
	}
	if !g.site(r, at).Fault(r.Kind, r.Service, c, at) {
		return
	}
	if s == nil && r.Kind == event.AuthFault {
		s = g.source(key, at)
	}
	if s != nil && at >= s.faulted {
		s.faulted, s.faultedOn = at, health.HostOf(r)
		excuseLast(g.memory.offencesOf(s), s.faultedOn, r.Kind, at)
	}
}

// cause returns a hash of the words of a fault before the first number, quotation or name
// in brackets. For example, it is that of "Error: mysql" for "Error: mysql(db1): Connect
// failed". It does not depend on the key, so that findings do not either.
func cause(r *event.Record) uint64 {
	const most = 32 // bytes
	words := r.Reason[:min(len(r.Reason), most)]
	end := strings.IndexFunc(words, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == ' ' || c == ':')
	})
	if end >= 0 {
		words = words[:end]
	}
	return event.OriginOf("", words).Program
}

// excuseLast marks the last offences, since a fault that the client met may be their
// reason. For example, a login that a database could not check fails first, and the
// database reports its time-out later.
func excuseLast(offences []offence, on health.Host, k event.Kind, at uint32) {
	area := loginArea
	if k == event.LookupFault {
		area = recipientArea
	}
	for i := len(offences) - 1; i >= 0 && isWithin(offences[i].at, at, health.FaultBefore); i-- {
		if o := &offences[i]; o.host == on && o.area() == area && o.at <= at {
			o.tag |= metFault
		}
	}
}

// metAs returns the identity of a source as a regular client that met a fault: the
// account that it logged in with, or, for a fault about mail, the source itself if its
// mail is usually taken. It is 0 for a stranger.
func (k *knowledge) metAs(r *event.Record, s *source, at uint32) uint64 {
	if r.Kind != event.AuthFault {
		if s.mailedDays(at) >= k.limits.mailDays {
			return s.key
		}
		return 0
	}
	return k.memory.regular(s, r.AccountUnder(&k.key), at, k.limits.login)
}

// regular returns the hash of the account that logged in from this source within a time,
// 0 if there is none. Without a name it is the account that logged in last, or the source
// itself if no account is known.
func (m *memory) regular(s *source, name event.AccountHash, at, span uint32) uint64 {
	if !isWithin(m.loginOf(s, name), at, span) {
		return 0
	}
	if !name.IsZero() {
		return name.Name
	}
	var last account
	for _, a := range m.accountsIn(s.accounts) {
		if a.at >= last.at {
			last = a
		}
	}
	return cmp.Or(last.name.Name, s.key)
}

// offence adds an offence to its source, and reports it to the health of the host if it
// may be a sign of an outage.
func (g *Guard) offence(r *event.Record, key uint64, at uint32) {
	s := g.source(key, at)
	site := g.site(r, at)
	if at < s.amnesty {
		return
	}
	o := offence{
		at: at, kind: r.Kind, tag: uint8(health.AreaOf(&r.Event))<<4 | uint8(r.Service), host: health.HostOf(r),
		n: uint16(min(max(r.Attempts, 1), 1<<16-1)),
	}
	if s.faultedOn == o.host && site.MayExcuse(o.area(), r.Service, key, s.faulted, at) {
		o.tag |= metFault
	}
	switch o.area() {
	case loginArea:
		o.account, o.password = r.AccountUnder(&g.key), r.Password
		if r.Kind == event.AuthFailed {
			account := cmp.Or(g.memory.regular(s, o.account, at, g.limits.login), o.account.Name, key)
			site.LoginFails(r.Service, key, account, at, g.memory.wasGood(s, o.account, at, g.limits.login))
		}
	case recipientArea:
		if s.mailedDays(at) >= g.limits.mailDays {
			site.RecipientMissed(key, at)
		}
	}
	g.memory.addOffence(s, o)
	g.waiting.nudge(key)
}

// TakeBack subtracts an event that no longer counts, because a graver one of the same
// connection does.
func (g *Guard) TakeBack(r *event.Record) {
	s := g.memory.find(keyOf(r.Addr))
	if s == nil {
		return
	}
	at, offences := stamp(r.Time), g.memory.offencesOf(s)
	for i := len(offences) - 1; i >= 0; i-- {
		o := &offences[i]
		if o.kind != r.Kind || o.at != at || o.service() != r.Service {
			continue
		}
		if o.n -= min(o.n, uint16(min(max(r.Attempts, 1), 1<<16-1))); o.n == 0 {
			g.memory.setOffences(s, slices.Delete(offences, i, i+1))
		}
		return
	}
}

// wasGood reports whether an account logged in from this source within span and has not
// failed since.
func (m *memory) wasGood(s *source, name event.AccountHash, at, span uint32) bool {
	last := m.loginOf(s, name)
	if !isWithin(last, at, span) {
		return false
	}
	for _, o := range m.offencesOf(s) {
		if o.kind == event.AuthFailed && o.at > last && (name.IsZero() || o.account.Is(name)) {
			return false
		}
	}
	return true
}

// sameLogin is the time in seconds within which another line may report a failure again:
// Dovecot's penalty delays an answer for up to 15 s, and the session must end.
const sameLogin = 30

// nameAccount adds the user name of a folded line, and the mark of the password, to the
// failure that it is about.
func (g *Guard) nameAccount(r *event.Record, key uint64, at uint32) {
	s := g.memory.find(key)
	if s == nil || r.Kind != event.AuthFailed || r.User == "" {
		return
	}
	account := r.AccountUnder(&g.key)
	offences := g.memory.offencesOf(s)
	for i := len(offences) - 1; i >= 0; i-- {
		o := &offences[i]
		if !isWithin(o.at, at, sameLogin) {
			return
		}
		if o.kind == event.AuthFailed && o.account.IsZero() {
			o.account, o.password = account, r.Password
			g.waiting.nudge(key)
			return
		}
		if o.kind == event.AuthFailed && o.n == 1 && o.account == account && r.Password != 0 {
			if o.password == 0 {
				o.password = r.Password
			}
			return
		}
	}
}

// gateway finds an address of this host or a private one from which most connections come,
// for example that of a container network's gateway or of a proxy.
type gateway struct {
	addr  netip.Addr
	votes uint32 // votes of the candidate, by the majority vote of Boyer and Moore
	n     uint32 // connections of the candidate since it is one
	total uint32
}

// count adds a connection from one of the host's own addresses or a private one.
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
