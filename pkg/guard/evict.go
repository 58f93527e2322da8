package guard

import (
	"cmp"
	"slices"
)

// evictions count what had no more room. A source whose proof had to go is still
// known to have had one: a proof that is forgotten must not make a ban.
type evictions struct {
	sources, proofs, pending int
	proven                   map[uint64]uint32 // until when each forgotten proof held
	everybody                uint32            // until then everybody counts as proven, for lack of room even here
}

// wasProven tells whether the guard had to forget a proof that held at a time.
func (e *evictions) wasProven(key uint64, at uint32) bool {
	return at < e.everybody || at < e.proven[key]
}

// evict makes room: an eighth of the sources goes, those without a proof first,
// among them those that were silent longest.
func (g *Guard) evict() {
	type candidate struct {
		key   uint64
		until uint32 // when its proof ends
		seen  uint32
	}
	all := make([]candidate, 0, len(g.sources))
	for key, s := range g.sources {
		all = append(all, candidate{key, g.provenUntil(s), s.seen})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		if proven := (a.until > g.now); proven != (b.until > g.now) {
			if proven {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.seen, b.seen), cmp.Compare(a.key, b.key))
	})
	for _, c := range all[:max(1, len(all)/8)] {
		g.evicted.sources++
		if c.until > g.now {
			g.evicted.remember(c.key, c.until, g.now, 2*g.limits.sources)
		}
		delete(g.sources, c.key)
	}
}

// provenUntil is when the last proof or amnesty of a source ends.
func (g *Guard) provenUntil(s *source) uint32 {
	until := s.amnesty
	if s.login != 0 {
		until = max(until, s.login+g.limits.login)
	}
	if s.provider != 0 {
		until = max(until, s.provider+30*day)
	}
	if s.mailedDays(g.now) > 0 {
		until = max(until, (s.mailDay+30)*day)
	}
	return until
}

func (e *evictions) remember(key uint64, until, now uint32, room int) {
	e.proofs++
	if e.proven == nil {
		e.proven = make(map[uint64]uint32)
	}
	if len(e.proven) >= room {
		for k, end := range e.proven {
			if end <= now {
				delete(e.proven, k)
			}
		}
	}
	if len(e.proven) >= room {
		e.everybody = max(e.everybody, until)
		return
	}
	e.proven[key] = max(until, e.proven[key])
}
