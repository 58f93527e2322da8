package report

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"csmail/pkg/arena"
	"csmail/pkg/engine"
	"csmail/pkg/event"
)

// Counter counts the attempts of each source, as a Collector does, and keeps nothing
// else. It is for a caller that prints only addresses. A flood may come from a million
// sources: a row of a Collector takes half a kilobyte, one of a Counter 24 bytes, and 8 in its index. Use it
// from one goroutine at a time.
type Counter struct {
	scope  Scope
	rows   arena.Slab[counted]
	index  arena.Index // by the hash of the address
	seeds  seeds
	events int
}

// counted is a row. Its address is in IPv6 form; a row with a count of 0 is free.
type counted struct {
	hi, lo uint64
	count  int
}

// NewCounter returns an empty Counter.
func NewCounter(scope Scope) *Counter {
	return &Counter{scope: scope, seeds: newSeeds()}
}

// Events returns the number of events in the scope, without folded ones.
func (c *Counter) Events() int { return c.events }

// Len returns the number of sources with a hostile or suspect event.
func (c *Counter) Len() int { return c.rows.Len() }

// All yields the sources with their attempts, in no particular order.
func (c *Counter) All(yield func(addr netip.Addr, count int) bool) {
	for n := range c.rows.Used() {
		if row := c.rows.At(n + 1); row.count > 0 && !yield(row.addr(), row.count) {
			return
		}
	}
}

// Add takes the next result.
func (c *Counter) Add(r *engine.Result) {
	c.takeBack(r.Excused())
	c.takeBack(r.Superseded())
	if !r.Counts() || !c.scope.Holds(&r.Event) {
		return
	}
	c.events++
	if r.IsOffence() {
		c.row(r.Addr).count += r.Attempts
	}
}

// takeBack subtracts events that no longer count. A source without other events is
// dropped.
func (c *Counter) takeBack(records []event.Record) {
	for i := range records {
		e := &records[i].Event
		key := countedOf(e.Addr)
		hash := c.hashOf(&key)
		n := c.find(&key, hash)
		if n == 0 || !c.scope.Holds(e) {
			continue
		}
		c.events--
		row := c.rows.At(n)
		if row.count -= e.Attempts; row.count <= 0 {
			c.index.Remove(hash, n)
			c.rows.Give(n)
		}
	}
}

// row returns the row of an address, a new one if there is none.
func (c *Counter) row(addr netip.Addr) *counted {
	key := countedOf(addr)
	hash := c.hashOf(&key)
	n := c.find(&key, hash)
	if n == 0 {
		n = c.rows.Take()
		*c.rows.At(n) = key
		c.index.Put(hash, n)
	}
	return c.rows.At(n)
}

func (c *Counter) find(key *counted, hash uint32) uint32 {
	n, at := c.index.First(hash)
	for n != 0 {
		if row := c.rows.At(n); row.hi == key.hi && row.lo == key.lo {
			break
		}
		n, at = c.index.Next(hash, at)
	}
	return n
}

func (c *Counter) hashOf(key *counted) uint32 { return c.seeds.hash(key.hi, key.lo) }

// countedOf returns the row of an address without attempts. Events have unmapped
// addresses, so that an IPv4 address cannot be taken for a mapped one.
func countedOf(addr netip.Addr) counted {
	hi, lo := halves(addr)
	return counted{hi: hi, lo: lo}
}

func (r *counted) addr() netip.Addr {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], r.hi)
	binary.BigEndian.PutUint64(raw[8:], r.lo)
	return netip.AddrFrom16(raw).Unmap()
}

// Tries yields what a Counter yields, of rows.
func Tries(sources []*Source) iter.Seq2[netip.Addr, int] {
	return func(yield func(netip.Addr, int) bool) {
		for _, s := range sources {
			if !yield(s.Addr, s.Count) {
				return
			}
		}
	}
}
