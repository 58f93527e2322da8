package session

// fifoMap is a map of bounded size. A log can hold any number of sessions whose end
// never comes, so a full fifoMap drops the entry that was put first to make room for
// the next. The slot of a dropped key is the next to be used, which keeps short
// sessions within few cache lines. It owns its keys and values.
type fifoMap[K comparable, V any] struct {
	places map[K]int32
	slots  []slot[K, V] // slots[0] is unused: place 0 means none
	oldest int32
	newest int32
	free   int32 // the first of a chain of free slots, linked by newer
	most   int

	// What follows only saves time: most keys are asked for several times in a row.
	latest   K
	latestAt int32 // the place of latest; 0: not known
}

type slot[K comparable, V any] struct {
	key          K
	value        V
	older, newer int32 // neighbours in the order of put
}

func newFIFOMap[K comparable, V any](most int) *fifoMap[K, V] {
	return &fifoMap[K, V]{places: make(map[K]int32), slots: make([]slot[K, V], 1), most: most}
}

// len returns the number of entries.
func (m *fifoMap[K, V]) len() int { return len(m.places) }

// placeOf returns the place of k, 0 if it has none.
func (m *fifoMap[K, V]) placeOf(k K) int32 {
	if m.latestAt != 0 && m.latest == k {
		return m.latestAt
	}
	if len(m.places) == 0 {
		return 0
	}
	at := m.places[k]
	if at != 0 {
		m.latest, m.latestAt = k, at
	}
	return at
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
	m.slots[at] = slot[K, V]{key: k}
	m.link(at)
	return &m.slots[at].value
}

// insert is put for a key that is not in the map.
func (m *fifoMap[K, V]) insert(k K) *V {
	if len(m.places) >= m.most {
		m.drop(m.slots[m.oldest].key)
	}
	at := m.free
	if at == 0 {
		at = int32(len(m.slots))
		m.slots = append(m.slots, slot[K, V]{})
	} else {
		m.free = m.slots[at].newer
	}
	m.slots[at].key = k
	m.link(at)
	m.places[k] = at
	m.latest, m.latestAt = k, at
	return &m.slots[at].value
}

// drop removes the entry of k, if there is one.
func (m *fifoMap[K, V]) drop(k K) {
	at := m.placeOf(k)
	if at == 0 {
		return
	}
	delete(m.places, k)
	m.latestAt = 0
	m.unlink(at)
	m.slots[at] = slot[K, V]{newer: m.free}
	m.free = at
}

// link makes a slot the newest.
func (m *fifoMap[K, V]) link(at int32) {
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
func (m *fifoMap[K, V]) unlink(at int32) {
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
