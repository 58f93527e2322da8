package session

import (
	"hash/maphash"

	"csmail/pkg/arena"
)

// fifoMap is a map of bounded size. A log can hold any number of sessions whose end
// never comes, so a full fifoMap drops the entry that was put first to make room for
// the next. The slot of a dropped key is the next to be used, which keeps short
// sessions within few cache lines. It owns its keys and values.
type fifoMap[K comparable, V any] struct {
	index  arena.Index // by the hash of the key
	seed   maphash.Seed
	slots  []slot[K, V] // slots[0] is unused: place 0 means none
	oldest uint32
	newest uint32
	free   uint32 // the first of a chain of free slots, linked by newer
	most   int

	// What follows only saves time: most keys are asked for several times in a row.
	latest   K
	latestAt uint32 // the place of latest; 0: not known
}

type slot[K comparable, V any] struct {
	key          K
	hash         uint32
	older, newer uint32 // neighbours in the order of put
	value        V
}

func newFIFOMap[K comparable, V any](most int) *fifoMap[K, V] {
	return &fifoMap[K, V]{seed: maphash.MakeSeed(), slots: make([]slot[K, V], 1), most: most}
}

// len returns the number of entries.
func (m *fifoMap[K, V]) len() int { return m.index.Len() }

func (m *fifoMap[K, V]) hashOf(k K) uint32 { return uint32(maphash.Comparable(m.seed, k)) }

// placeOf returns the place of k, 0 if it has none.
func (m *fifoMap[K, V]) placeOf(k K) uint32 {
	if m.latestAt != 0 && m.latest == k {
		return m.latestAt
	}
	if m.index.Len() == 0 {
		return 0
	}
	hash := m.hashOf(k)
	for at, next := m.index.First(hash); at != 0; at, next = m.index.Next(hash, next) {
		if m.slots[at].key == k {
			m.latest, m.latestAt = k, at
			return at
		}
	}
	return 0
}

// get returns the value of k, or nil. The value may be written to until the next put.
func (m *fifoMap[K, V]) get(k K) *V {
	at := m.placeOf(k)
	if at == 0 {
		return nil
	}
	return &m.slots[at].value
}

// getOrPut returns the value of k, a new one if there is none.
func (m *fifoMap[K, V]) getOrPut(k K) *V {
	if v := m.get(k); v != nil {
		return v
	}
	return m.insert(k)
}

// first returns the entry that was put first; ok is false if the map is empty.
func (m *fifoMap[K, V]) first() (k K, v *V, ok bool) {
	if m.oldest == 0 {
		return k, nil, false
	}
	s := &m.slots[m.oldest]
	return s.key, &s.value, true
}

// put begins a new value under k as the newest entry, and returns it.
func (m *fifoMap[K, V]) put(k K) *V {
	at := m.placeOf(k)
	if at == 0 {
		return m.insert(k)
	}
	m.unlink(at)
	var zero V
	m.slots[at].value = zero
	m.link(at)
	return &m.slots[at].value
}

// insert is put for a key that is not in the map.
func (m *fifoMap[K, V]) insert(k K) *V {
	if m.len() >= m.most {
		m.remove(m.oldest)
	}
	at := m.free
	if at == 0 {
		at = uint32(len(m.slots))
		m.slots = append(m.slots, slot[K, V]{})
	} else {
		m.free = m.slots[at].newer
	}
	s := &m.slots[at]
	s.key, s.hash = k, m.hashOf(k)
	m.link(at)
	m.index.Put(s.hash, at)
	m.latest, m.latestAt = k, at
	return &s.value
}

// drop removes the entry of k, if there is one.
func (m *fifoMap[K, V]) drop(k K) {
	if at := m.placeOf(k); at != 0 {
		m.remove(at)
	}
}

// remove takes the entry in a place out.
func (m *fifoMap[K, V]) remove(at uint32) {
	m.index.Remove(m.slots[at].hash, at)
	m.latestAt = 0
	m.unlink(at)
	m.slots[at] = slot[K, V]{newer: m.free}
	m.free = at
}

// link makes a slot the newest.
func (m *fifoMap[K, V]) link(at uint32) {
	s := &m.slots[at]
	s.older, s.newer = m.newest, 0
	if m.newest != 0 {
		m.slots[m.newest].newer = at
	} else {
		m.oldest = at
	}
	m.newest = at
}

// unlink takes a slot out of the order of put.
func (m *fifoMap[K, V]) unlink(at uint32) {
	s := &m.slots[at]
	if s.older != 0 {
		m.slots[s.older].newer = s.newer
	} else {
		m.oldest = s.newer
	}
	if s.newer != 0 {
		m.slots[s.newer].older = s.older
	} else {
		m.newest = s.older
	}
}

// each calls yield with every key and its value, the oldest entry first.
func (m *fifoMap[K, V]) each(yield func(K, V)) {
	for at := m.oldest; at != 0; at = m.slots[at].newer {
		yield(m.slots[at].key, m.slots[at].value)
	}
}
