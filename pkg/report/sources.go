package report

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"csmail/pkg/arena"
)

// sourceTable finds the sources by their addresses. A flood may come from half a million
// addresses, so the rows lie in chunks, and an index without pointers finds them.
type sourceTable struct {
	list    []*Source // in the order that they came; nil: it was dropped
	index   arena.Index
	seeds   seeds
	chunk   []Source // room for the next ones
	dropped int
}

// sourceChunk is how many sources are allocated at a time.
const sourceChunk = 64

func newSourceTable() sourceTable { return sourceTable{seeds: newSeeds()} }

func (t *sourceTable) len() int { return len(t.list) - t.dropped }

func (t *sourceTable) hashOf(addr netip.Addr) uint32 { return t.seeds.hash(halves(addr)) }

// find returns the source of an address, nil if there is none.
func (t *sourceTable) find(addr netip.Addr) *Source {
	if n := t.place(addr); n != 0 {
		return t.list[n-1]
	}
	return nil
}

// place returns one more than the place of an address in the list, 0 if it has none.
func (t *sourceTable) place(addr netip.Addr) uint32 {
	hash := t.hashOf(addr)
	n, at := t.index.First(hash)
	for n != 0 && t.list[n-1].Addr != addr {
		n, at = t.index.Next(hash, at)
	}
	return n
}

// add makes the source of an address that has none.
func (t *sourceTable) add(addr netip.Addr) *Source {
	if len(t.chunk) == 0 {
		t.chunk = make([]Source, sourceChunk)
	}
	s := &t.chunk[0]
	t.chunk = t.chunk[1:]
	s.Addr = addr
	t.list = append(t.list, s)
	t.index.Put(t.hashOf(addr), uint32(len(t.list)))
	return s
}

// drop takes out the source of an address.
func (t *sourceTable) drop(addr netip.Addr) {
	if n := t.place(addr); n != 0 {
		t.index.Remove(t.hashOf(addr), n)
		t.list[n-1] = nil
		t.dropped++
	}
}

// all yields the sources in the order that they came.
func (t *sourceTable) all(yield func(*Source) bool) {
	for _, s := range t.list {
		if s != nil && !yield(s) {
			return
		}
	}
}

// rank is a source with what it is sorted by, so that sorting need not look at the
// sources, which are spread over the memory.
type rank struct {
	first  int // before the address
	bits   int
	hi, lo uint64
	source *Source
}

// byAddress returns the sources in the order of first, and of their addresses where that
// is the same.
func (t *sourceTable) byAddress(first func(*Source) int) []*Source {
	ranks := make([]rank, 0, t.len())
	for s := range t.all {
		raw := s.Addr.As16()
		ranks = append(ranks, rank{first(s), s.Addr.BitLen(), binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:]), s})
	}
	slices.SortFunc(ranks, func(a, b rank) int {
		switch {
		case a.first != b.first:
			return cmp.Compare(a.first, b.first)
		case a.bits != b.bits:
			return a.bits - b.bits
		case a.hi != b.hi:
			return cmp.Compare(a.hi, b.hi)
		case a.lo != b.lo:
			return cmp.Compare(a.lo, b.lo)
		}
		return a.source.Addr.Compare(b.source.Addr)
	})
	sorted := make([]*Source, len(ranks))
	for i := range ranks {
		sorted[i] = ranks[i].source
	}
	return sorted
}
