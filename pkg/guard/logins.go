package guard

import (
	"cmp"
	"maps"
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// logins remember when each account logged in last, from whichever source. The problem:
// a source knows its own accounts, but to find out whether an account logs in anywhere
// would mean to look at all sources, and a botnet can have a verdict on each of its
// networks depend on that. So the accounts are a table of their own. Only a login adds to
// it; at the limit those that have not logged in for longest are dropped.
//
// A failed login may name an account without its domain. So a login counts for its full
// name and, under anyDomain, for its name in any domain.
type logins map[event.AccountHash]login

// login is the last login of an account, and who reported it.
type login struct {
	at uint32
	by witness
}

// anyDomain stands for the domain of a login, whichever it was.
const anyDomain = ^uint64(0)

// loginStep is how far the time of a login may lag behind.
const loginStep = hour

// noteAccount notes a login of an account. before is its login before this one from the
// same source, 0 if there is none.
func (k *knowledge) noteAccount(name event.AccountHash, r *event.Record, before, at uint32) {
	if name.IsZero() || before != 0 && before/loginStep >= at/loginStep {
		return
	}
	for _, name := range [...]event.AccountHash{name, {Name: name.Name, Domain: anyDomain}} {
		l, known := k.logins[name]
		if !known {
			k.makeRoomForLogins()
		}
		if k.limits.foreign {
			l.by = k.reported(l.by, !isWithin(l.at, at, k.limits.login), r)
		}
		l.at = max(l.at, at)
		k.setLogin(name, l)
	}
}

func (k *knowledge) setLogin(name event.AccountHash, l login) {
	if k.logins == nil {
		k.logins = logins{}
	}
	k.logins[name] = l
}

// makeRoomForLogins drops an eighth of the accounts at the limit, so that the cost is
// spread over those that are added until the next call.
func (k *knowledge) makeRoomForLogins() {
	if len(k.logins) < 2*k.limits.sources {
		return
	}
	names := k.logins.sorted()
	slices.SortStableFunc(names, func(a, b event.AccountHash) int { return cmp.Compare(k.logins[a].at, k.logins[b].at) })
	for _, name := range names[:max(1, len(names)/8)] {
		delete(k.logins, name)
	}
}

// sorted returns the names in an order that does not depend on the map.
func (l logins) sorted() []event.AccountHash {
	return slices.SortedFunc(maps.Keys(l), func(a, b event.AccountHash) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Domain, b.Domain))
	})
}

// logsIn reports whether an account logged in from any source within the time for which a
// login proves its source, as far as that weighs on a host.
func (k *knowledge) logsIn(name event.AccountHash, at uint32, on health.Host) bool {
	names := []event.AccountHash{name, {Name: name.Name}}
	if name.Domain == 0 {
		names[1].Domain = anyDomain
	}
	return slices.ContainsFunc(names, func(name event.AccountHash) bool {
		l := k.logins[name]
		return isWithin(l.at, at, k.limits.login) && k.weighs(l.by, on)
	})
}

// distrustLogins forgets the logins that an edge alone reported.
func (k *knowledge) distrustLogins(edge uint64) {
	for name, l := range k.logins {
		by, lost := k.without(l.by, edge)
		if lost && by.first == 0 {
			delete(k.logins, name)
			continue
		}
		k.logins[name] = login{l.at, by}
	}
}

// rewindLogins dates logins of later as of a time.
func (k *knowledge) rewindLogins(at uint32) {
	for name, l := range k.logins {
		k.logins[name] = login{min(l.at, at), l.by}
	}
}

// collectLogins fills the table from the accounts of the sources.
func (k *knowledge) collectLogins() {
	for s := range k.memory.all {
		for _, a := range k.memory.accountsIn(s.accounts) {
			for _, name := range [...]event.AccountHash{a.name, {Name: a.name.Name, Domain: anyDomain}} {
				if l := k.logins[name]; a.at > l.at || a.at == l.at && a.by.first < l.by.first {
					k.setLogin(name, login{a.at, a.by})
				}
			}
		}
	}
}

func (c *codec) logins(k *knowledge) {
	names := k.logins.sorted()
	list(c, &names, func(name *event.AccountHash) {
		l := k.logins[*name]
		c.accountHash(name)
		numbers(c, &l.at)
		c.witness(&l.by)
		if c.Reading {
			k.setLogin(*name, l)
		}
	})
}
