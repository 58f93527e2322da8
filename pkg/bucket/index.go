package bucket

import (
	"math/bits"

	"csmail/pkg/event"
)

// groups finds groups by their key.
type groups struct {
	slab[group]
	texts textStore

	// index is a hash table with open addressing and linear probing, a power of
	// two. An entry is the hash of a group's key and the number of the group, so
	// that a look at a group is wanted only where it is the right one.
	index   []entry
	entered int
	seed    uint64 // keeps a client from choosing addresses that collide; results do not depend on it
}

type entry struct{ hash, group uint32 }

func newGroups(key event.HashKey) *groups {
	return &groups{index: make([]entry, 1024), seed: key.Sum("groups") | 1}
}

func (g *groups) hash(hi, lo uint64, n uint8) uint32 {
	a, b := bits.Mul64(hi^g.seed, lo^0x9e3779b97f4a7c15)
	c, d := bits.Mul64(a^b^uint64(n), g.seed^0xbf58476d1ce4e5b9)
	return uint32(c ^ d)
}

// hashOf returns the hash of the key of a group.
func (g *groups) hashOf(k groupKey) uint32 {
	if k.bits == isText {
		k.lo = 0 // where the text is kept
	}
	return g.hash(k.hi, k.lo, k.bits)
}

// findNetwork returns the group of a network, or 0.
func (g *groups) findNetwork(k groupKey) uint32 {
	hash, mask := g.hash(k.hi, k.lo, k.bits), uint32(len(g.index)-1)
	for at := hash; ; at++ {
		e := g.index[at&mask]
		if e.group == 0 || e.hash == hash && g.at(e.group).key() == k {
			return e.group
		}
	}
}

// findText returns the group of a text, or 0.
func (g *groups) findText(text []byte, h uint64) uint32 {
	hash, mask := g.hash(h, 0, isText), uint32(len(g.index)-1)
	for at := hash; ; at++ {
		e := g.index[at&mask]
		if e.group == 0 {
			return 0
		}
		if e.hash != hash {
			continue
		}
		if k := g.at(e.group).key(); k.bits == isText && k.hi == h && g.texts.matches(textRef(k.lo), text) {
			return e.group
		}
	}
}

// findHash returns the group of the text with a hash, or 0. Of two texts with one hash,
// which nobody can make without the key, it is either.
func (g *groups) findHash(h uint64) uint32 {
	hash, mask := g.hash(h, 0, isText), uint32(len(g.index)-1)
	for at := hash; ; at++ {
		e := g.index[at&mask]
		if e.group == 0 {
			return 0
		}
		if k := g.at(e.group).key(); e.hash == hash && k.bits == isText && k.hi == h {
			return e.group
		}
	}
}

// add makes the group of a key that is not there yet.
func (g *groups) add(k groupKey) uint32 {
	i := g.take()
	made := g.at(i)
	made.hi, made.lo, made.bits = k.hi, k.lo, k.bits
	g.enter(i)
	return i
}

func (g *groups) addText(text []byte, h uint64) uint32 {
	return g.add(groupKey{hi: h, lo: uint64(g.texts.put(text)), bits: isText})
}

// enter puts a group into the index, an eighth of which stays empty.
func (g *groups) enter(i uint32) {
	g.entered++
	if g.entered*8 > len(g.index)*7 {
		old := g.index
		g.index = make([]entry, 2*len(old))
		for _, e := range old {
			if e.group != 0 {
				g.put(e)
			}
		}
	}
	g.put(entry{g.hashOf(g.at(i).key()), i})
}

func (g *groups) put(e entry) {
	mask := uint32(len(g.index) - 1)
	at := e.hash & mask
	for g.index[at].group != 0 {
		at = (at + 1) & mask
	}
	g.index[at] = e
}

// remove takes a group out; its buckets are the caller's.
func (g *groups) remove(i uint32) {
	k, mask := g.at(i).key(), uint32(len(g.index)-1)
	at := g.hashOf(k) & mask
	for g.index[at].group != i {
		at = (at + 1) & mask
	}
	for gap, next := at, (at+1)&mask; ; next = (next + 1) & mask {
		e := g.index[next]
		if e.group == 0 {
			g.index[gap] = entry{}
			break
		}
		// e may move into the gap unless its home lies behind it.
		if (next-e.hash)&mask >= (next-gap)&mask {
			g.index[gap], gap = e, next
		}
	}
	g.entered--
	if k.bits == isText {
		g.texts.free(textRef(k.lo))
	}
	g.give(i)
}

// mix spreads the bits of a number.
func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
