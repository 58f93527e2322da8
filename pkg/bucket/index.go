package bucket

import (
	"math/bits"

	"csmail/pkg/arena"
	"csmail/pkg/event"
)

// groups finds groups by their key.
type groups struct {
	arena.Slab[group]
	texts textStore
	index arena.Index // by the hash of the key
	seed  uint64      // prevents that a client chooses addresses that collide; results do not depend on it
}

func newGroups(key event.HashKey) *groups { return &groups{seed: key.Sum("groups") | 1} }

func (g *groups) hash(hi, lo uint64, n uint8) uint32 {
	// A secret in both factors: a client that made one of them 0 would be found in one
	// place with all its networks.
	a, b := bits.Mul64(hi^g.seed, lo^bits.RotateLeft64(g.seed*0x9e3779b97f4a7c15, 32))
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
	hash := g.hash(k.hi, k.lo, k.bits)
	n, at := g.index.First(hash)
	for n != 0 && g.At(n).key() != k {
		n, at = g.index.Next(hash, at)
	}
	return n
}

// findText returns the group of a text with the keyed hash h, or 0.
func (g *groups) findText(text []byte, h uint64) uint32 {
	hash := g.hash(h, 0, isText)
	n, at := g.index.First(hash)
	for n != 0 {
		if k := g.At(n).key(); k.bits == isText && k.hi == h && g.texts.matches(textRef(k.lo), text) {
			return n
		}
		n, at = g.index.Next(hash, at)
	}
	return 0
}

// findHash returns the group of the text with a keyed hash, or 0. Two texts with the same
// hash, which cannot be made without the key, count as one.
func (g *groups) findHash(h uint64) uint32 {
	hash := g.hash(h, 0, isText)
	n, at := g.index.First(hash)
	for n != 0 {
		if k := g.At(n).key(); k.bits == isText && k.hi == h {
			return n
		}
		n, at = g.index.Next(hash, at)
	}
	return 0
}

// add makes the group of a key that is not there yet.
func (g *groups) add(k groupKey) uint32 {
	i := g.Take()
	made := g.At(i)
	made.hi, made.lo, made.bits = k.hi, k.lo, k.bits
	g.enter(i)
	return i
}

func (g *groups) addText(text []byte, h uint64) uint32 {
	return g.add(groupKey{hi: h, lo: uint64(g.texts.put(text)), bits: isText})
}

// enter puts a group into the index.
func (g *groups) enter(i uint32) { g.index.Put(g.hashOf(g.At(i).key()), i) }

// remove removes a group. The caller frees its buckets.
func (g *groups) remove(i uint32) {
	k := g.At(i).key()
	g.index.Remove(g.hashOf(k), i)
	if k.bits == isText {
		g.texts.free(textRef(k.lo))
	}
	g.Give(i)
}

// mix spreads the bits of a number.
func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
