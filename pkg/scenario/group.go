package scenario

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"net/netip"
)

// groupKey says for whom a bucket counts: a network (an address is one of full
// length), or a text. All buckets of the same key hang on one group.
type groupKey struct {
	hi, lo uint64
	bits   uint8 // of the network in its IPv6 form, 1-128; isText for a text
}

// isText marks the key of a text: lo is the number of the text, hi its hash.
const isText = 255

func networkKey(prefix netip.Prefix) groupKey {
	raw := prefix.Addr().As16()
	n := prefix.Bits()
	if prefix.Addr().Is4() {
		n += 96
	}
	return groupKey{hi: binary.BigEndian.Uint64(raw[:8]), lo: binary.BigEndian.Uint64(raw[8:]), bits: uint8(n)}
}

func addrKey(addr netip.Addr) groupKey {
	raw := addr.As16()
	return groupKey{hi: binary.BigEndian.Uint64(raw[:8]), lo: binary.BigEndian.Uint64(raw[8:]), bits: 128}
}

// addr returns the address of a key, the first one of a network.
func (k groupKey) addr() netip.Addr { return addrFrom(k.hi, k.lo) }

func addrFrom(hi, lo uint64) netip.Addr {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], hi)
	binary.BigEndian.PutUint64(raw[8:], lo)
	return netip.AddrFrom16(raw).Unmap()
}

func (k groupKey) prefix() netip.Prefix {
	addr := k.addr()
	n := int(k.bits)
	if addr.Is4() {
		n -= 96
	}
	return netip.PrefixFrom(addr, n)
}

// group is one key with its buckets and a sample of what happened to them.
type group struct {
	hi, lo   uint64 // of the key
	bits     uint8  // of the key
	seen     uint8  // references in evidence
	newest   uint8  // index of the newest one
	head     uint32
	older    uint32 // in the order of the last use
	newer    uint32
	evidence [evidencePerGroup]reference
}

func (g *group) key() groupKey { return groupKey{g.hi, g.lo, g.bits} }

// groups finds groups by their key and keeps them in the order of their use.
type groups struct {
	slab[group]
	texts   slab[string]
	index   []uint32 // open addressing, linear probing; a power of two
	entered int      // in the index
	seed    uint64
	oldest  uint32
	newest  uint32
}

func newGroups() *groups {
	g := &groups{index: make([]uint32, 1024)}
	// The seed keeps a client from choosing addresses that collide. Nothing
	// depends on the order in the index.
	g.seed = maphash.String(maphash.MakeSeed(), "csmail") | 1
	return g
}

func (g *groups) hash(hi, lo uint64, n uint8) uint64 {
	a, b := bits.Mul64(hi^g.seed, lo^0x9e3779b97f4a7c15)
	c, d := bits.Mul64(a^b^uint64(n), g.seed^0xbf58476d1ce4e5b9)
	return c ^ d
}

// findNetwork returns the group of a network, or 0.
func (g *groups) findNetwork(k groupKey) uint32 {
	mask := uint64(len(g.index) - 1)
	for at := g.hash(k.hi, k.lo, k.bits) & mask; ; at = (at + 1) & mask {
		i := g.index[at]
		if i == 0 || g.at(i).key() == k {
			return i
		}
	}
}

// findText returns the group of a text, or 0.
func (g *groups) findText(text string, h uint64) uint32 {
	mask := uint64(len(g.index) - 1)
	for at := g.hash(h, 0, isText) & mask; ; at = (at + 1) & mask {
		i := g.index[at]
		if i == 0 {
			return 0
		}
		if k := g.at(i); k.bits == isText && k.hi == h && *g.texts.at(uint32(k.lo)) == text {
			return i
		}
	}
}

// add makes the group of a key that is not there yet.
func (g *groups) add(k groupKey) uint32 {
	i := g.take()
	e := g.at(i)
	e.hi, e.lo, e.bits = k.hi, k.lo, k.bits
	g.reindex(i)
	g.link(i)
	return i
}

// reindex enters a group into the index, which has room for a third more.
func (g *groups) reindex(i uint32) {
	g.entered++
	if g.entered*4 > len(g.index)*3 {
		g.growIndex()
	}
	g.enter(i)
}

func (g *groups) addText(text string, h uint64) uint32 {
	n := g.texts.take()
	*g.texts.at(n) = string([]byte(text)) // the event's text is lent
	return g.add(groupKey{hi: h, lo: uint64(n), bits: isText})
}

func (g *groups) home(i uint32) uint64 {
	k := g.at(i)
	if k.bits == isText {
		return g.hash(k.hi, 0, isText)
	}
	return g.hash(k.hi, k.lo, k.bits)
}

func (g *groups) enter(i uint32) {
	mask := uint64(len(g.index) - 1)
	at := g.home(i) & mask
	for g.index[at] != 0 {
		at = (at + 1) & mask
	}
	g.index[at] = i
}

func (g *groups) growIndex() {
	old := g.index
	g.index = make([]uint32, 2*len(old))
	for _, i := range old {
		if i != 0 {
			g.enter(i)
		}
	}
}

// remove takes a group out; its buckets are the caller's.
func (g *groups) remove(i uint32) {
	mask := uint64(len(g.index) - 1)
	at := g.home(i) & mask
	for g.index[at] != i {
		at = (at + 1) & mask
	}
	for gap, next := at, (at+1)&mask; ; next = (next + 1) & mask {
		j := g.index[next]
		if j == 0 {
			g.index[gap] = 0
			break
		}
		// j may move into the gap unless its home lies behind it.
		if (next-g.home(j))&mask >= (next-gap)&mask {
			g.index[gap], gap = j, next
		}
	}
	g.entered--
	g.unlink(i)
	if k := g.at(i); k.bits == isText {
		g.texts.give(uint32(k.lo))
	}
	g.give(i)
}

func (g *groups) link(i uint32) {
	e := g.at(i)
	e.older, e.newer = g.newest, 0
	if g.newest != 0 {
		g.at(g.newest).newer = i
	} else {
		g.oldest = i
	}
	g.newest = i
}

func (g *groups) unlink(i uint32) {
	e := g.at(i)
	if e.older != 0 {
		g.at(e.older).newer = e.newer
	} else {
		g.oldest = e.newer
	}
	if e.newer != 0 {
		g.at(e.newer).older = e.older
	} else {
		g.newest = e.older
	}
}

// use makes a group the newest.
func (g *groups) use(i uint32) {
	if g.newest == i {
		return
	}
	g.unlink(i)
	g.link(i)
}

// textHash is FNV-1a with a finisher; it is part of what a snapshot holds.
func textHash(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
