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
	if name.IsZero() || before != 0 && before/loginStep >= at/loginStep && k.weighsEverywhere(k.logins[name].by) {
		return
	}
	for _, name := range [...]event.AccountHash{name, {Name: name.Name, Domain: anyDomain}} {
		l, known := k.logins[name]
		if !known {
			k.logins.makeRoom(2 * k.limits.sources)
		}
		if k.limits.foreign {
			l.by = k.reported(l.by, !isWithin(l.at, at, k.limits.login), r)
		}
		l.at = max(l.at, at)
		k.logins[name] = l
	}
}

// makeRoom drops an eighth of the accounts if there are as many as there may be, so that
// the cost is spread over those that are added until the next call.
func (l logins) makeRoom(most int) {
	if len(l) < most {
		return
	}
	names := l.sorted()
	slices.SortStableFunc(names, func(a, b event.AccountHash) int { return cmp.Compare(l[a].at, l[b].at) })
	for _, name := range names[:max(1, len(names)/8)] {
		delete(l, name)
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

// distrust forgets the logins that an edge alone reported. without returns a witness
// without that edge, and whether the edge was part of it.
func (l logins) distrust(without func(witness) (left witness, lost bool)) {
	for name, one := range l {
		by, lost := without(one.by)
		if lost && by.first == 0 {
			delete(l, name)
			continue
		}
		l[name] = login{one.at, by}
	}
}

// rewind dates logins of later as of a time.
func (l logins) rewind(at uint32) {
	for name, one := range l {
		l[name] = login{min(one.at, at), one.by}
	}
}

// collect takes the logins from the accounts of the sources.
func (l logins) collect(m *memory) {
	for s := range m.all {
		for _, a := range m.accountsIn(s.accounts) {
			for _, name := range [...]event.AccountHash{a.name, {Name: a.name.Name, Domain: anyDomain}} {
				if known := l[name]; a.at > known.at || a.at == known.at && a.by.first < known.by.first {
					l[name] = login{a.at, a.by}
				}
			}
		}
	}
}

func (c *codec) logins(l logins) {
	names := l.sorted()
	list(c, &names, func(name *event.AccountHash) {
		one := l[*name]
		c.accountHash(name)
		numbers(c, &one.at)
		c.witness(&one.by)
		if c.Reading {
			l[*name] = one
		}
	})
}
