package guard

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// snapshotVersion changes with every change of the content. Up to version 4
// names of accounts were hashed without a secret, so nothing of those is read: the
// shell reads its logs back. Version 6 knew our own services of all hosts together,
// version 7 took a mail of one day for a proof, version 8 knew no marks of passwords,
// version 9 no break-ins, version 10 not since when many users share an address,
// version 11 not who reported a proof. Version 12 did not know by which edge, and is read:
// its proofs weigh everywhere until they lapse. Version 13 knew no addresses of servers by
// their logs, version 15 not the logins of each account, version 16 not when the log of each
// host began, version 17 not that findings may count addresses, and they are read.
const snapshotVersion = 18

// readableVersion is the oldest version that is read.
const readableVersion = 12

// AppendSnapshot appends all observations to b. Equal states give equal bytes. Facts and
// Options are not part of it.
func (g *Guard) AppendSnapshot(b []byte) []byte {
	c := codec{wire.Codec{B: append(b, snapshotVersion)}, snapshotVersion}
	c.B = append(c.B, g.key[:]...)
	c.forgiven(g)
	c.guard(g)
	return c.B
}

// Restore replaces the observations by those of a snapshot. After an error the guard is
// unchanged.
func (g *Guard) Restore(b []byte) error {
	if len(b) == 0 || b[0] < readableVersion || b[0] > snapshotVersion {
		return fmt.Errorf("the guard's snapshot is not of version %d", snapshotVersion)
	}
	var key event.HashKey
	version, b := b[0], b[1:]
	if n := copy(key[:], b); n < len(key) {
		return fmt.Errorf("reading the guard's snapshot: %w", errDamaged)
	}
	fresh := New(Facts{}, Options{HashKey: key})
	c := codec{wire.Codec{B: b[len(key):], Reading: true}, version}
	c.forgiven(fresh)
	c.guard(fresh)
	if c.Err == nil && len(c.B) > 0 {
		c.Err = errDamaged
	}
	if c.Err != nil {
		return fmt.Errorf("reading the guard's snapshot: %w", c.Err)
	}
	g.TakeOver(fresh)
	return nil
}

// TakeOver makes g go on with what another guard has observed, by its own facts and
// options. The other one must not be used any more.
func (g *Guard) TakeOver(old *Guard) {
	old.never, old.matcher, old.limits, old.mute = g.never, g.matcher, g.limits, g.mute
	old.sites.Configure(g.limits.health())
	*g = *old
}

func (c *codec) guard(g *Guard) {
	numbers(c, &g.now, &g.banned)
	if c.version >= 15 {
		var all uint32 // when the log of all hosts began, in versions 15 and 16
		numbers(c, &all)
	}
	for i := range g.bans {
		numbers(c, &g.bans[i])
	}
	g.sites.Encode(&c.Codec)
	numbers(c, &g.good.today)
	c.ints(&g.good.count0, &g.good.count1, &g.good.banned)
	c.addr(&g.gateway.addr)
	numbers(c, &g.gateway.votes, &g.gateway.n, &g.gateway.total)
	c.reporters(&g.reporters)
	c.evictions(&g.evicted)
	c.waiting(&g.waiting)
	c.brokenInto(&g.broken)
	c.sources(g)
	if c.version >= 16 {
		c.logins(g.logins)
	} else {
		g.logins.collect(&g.memory)
	}
	if c.version >= 17 {
		c.began(&g.began)
	} else {
		g.began.note(anyHost, longAgo)
	}
}

func (c *codec) forgiven(g *Guard) {
	list(c, &g.forgiven, func(f *forgiven) {
		c.prefix(&f.network)
		numbers(c, &f.until)
		if c.Reading && c.Err == nil && !f.network.IsValid() {
			c.Err = errDamaged
		}
	})
}

func (c *codec) evictions(e *evictions) {
	c.ints(&e.sources, &e.proofs, &e.pending)
	keys := slices.Sorted(maps.Keys(e.proven))
	list(c, &keys, func(key *uint64) {
		p := e.proven[*key]
		numbers(c, key)
		numbers(c, &p.until)
		numbers(c, &p.strength)
		if c.version >= 13 {
			c.witness(&p.by)
		}
		if c.Reading {
			if e.proven == nil {
				e.proven = make(map[uint64]proof)
			}
			e.proven[*key] = p
		}
	})
}

func (c *codec) waiting(w *waiting) {
	numbers(c, &w.sighted)
	numbers(c, &w.sightDue)
	all := w.all()
	list(c, &all, func(p **pending) {
		if c.Reading {
			*p = &pending{}
		}
		c.pending(*p)
		if c.Reading {
			w.restore(*p)
		}
	})
}

func (c *codec) pending(p *pending) {
	f := &p.finding
	c.text(&f.Scenario)
	c.text((*string)(&f.Scope))
	c.addr(&f.Addr)
	c.prefix(&f.Network)
	c.text(&f.Account)
	list(c, &f.Sources, func(addr *netip.Addr) { c.addr(addr) })
	numbers(c, &f.Kinds)
	c.ints(&f.Needed)
	f.Leak = time.Duration(c.number(uint64(f.Leak)))
	c.bools(&f.Distinct, &f.Informational, &p.isDue)
	if c.version >= 18 {
		c.bools(&f.Addresses)
	}
	c.time(&f.First)
	c.time(&f.Last)
	numbers(c, &p.key)
	numbers(c, &p.until)
	numbers(c, &p.wants)
}

func (c *codec) sources(g *Guard) {
	keys := make([]uint64, 0, g.memory.len())
	for s := range g.memory.all {
		keys = append(keys, s.key)
	}
	slices.Sort(keys)
	list(c, &keys, func(key *uint64) {
		numbers(c, key)
		s := g.memory.find(*key)
		if s == nil {
			s = g.memory.add(*key)
		}
		c.source(&g.memory, s)
	})
}

func (c *codec) source(m *memory, s *source) {
	numbers(c, &s.first, &s.contact, &s.seen, &s.login, &s.shared, &s.provider, &s.faulted, &s.amnesty, &s.banned, &s.mailDay, &s.mailDays, &s.mails, &s.mailsBefore, &s.goodDay, &s.lostAt, &s.lost)
	numbers(c, &s.faultedOn)
	c.witness(&s.loginBy)
	if c.version < 13 {
		numbers(c, &s.mailBy.first)
		s.mailBy = witness{}
	} else {
		c.witness(&s.mailBy)
		c.witness(&s.providerBy)
	}
	if c.version >= 14 {
		numbers(c, &s.own)
	}
	c.bools(&s.crowded)
	c.accounts(m, &s.accounts)
	c.accounts(m, &s.assumed)
	c.offences(m, s)
}

func (c *codec) offences(m *memory, s *source) {
	offences := m.offencesOf(s)
	list(c, &offences, func(o *offence) {
		c.accountHash(&o.account)
		numbers(c, &o.at)
		numbers(c, &o.n)
		numbers(c, &o.kind)
		numbers(c, &o.tag)
		numbers(c, &o.host)
		numbers(c, &o.password)
		if int(o.kind) > len(event.Kinds()) {
			o.kind, c.Err = event.NoKind, errDamaged
		}
	})
	if c.Reading && c.Err == nil {
		m.replaceOffences(s, offences)
	}
}

func (c *codec) accounts(m *memory, r *run) {
	accounts := m.accountsIn(*r)
	list(c, &accounts, c.account)
	if c.Reading && c.Err == nil {
		m.replaceAccounts(r, accounts)
	}
}

func (c *codec) account(a *account) {
	c.accountHash(&a.name)
	numbers(c, &a.at)
	c.witness(&a.by)
}

func (c *codec) witness(w *witness) {
	if numbers(c, &w.first, &w.then); c.version < 13 {
		*w = witness{}
	}
}

func (c *codec) reporters(r *reporters) {
	if c.version < 13 {
		return
	}
	list(c, &r.all, func(one *reporter) { numbers(c, &one.edge); numbers(c, &one.host) })
	if c.Reading {
		r.index()
	}
}
