package session

// memory is a map that forgets what came first once it is full. The place of a
// dropped key is the next to be taken, so short sessions stay within few cache
// lines. It owns its keys and values.
type memory[K comparable, V any] struct {
	places map[K]int32
	slots  []slot[K, V] // the first one stands for none
	oldest int32
	newest int32
	free   int32 // the first of a chain of free slots, by newer
	most   int
}

type slot[K comparable, V any] struct {
	key          K
	value        V
	older, newer int32 // in the order of their coming
}

func newMemory[K comparable, V any](most int) *memory[K, V] {
	return &memory[K, V]{places: make(map[K]int32), slots: make([]slot[K, V], 1), most: most}
}

func (m *memory[K, V]) len() int { return len(m.places) }

// get returns the value of k, which may be written to until the next put, or
// nil.
func (m *memory[K, V]) get(k K) *V {
	at, known := m.places[k]
	if !known {
		return nil
	}
	return &m.slots[at].value
}

// put begins a new value under k, as the latest of all, and returns it.
func (m *memory[K, V]) put(k K) *V {
	m.drop(k)
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
	s := &m.slots[at]
	s.key, s.older, s.newer = k, m.newest, 0
	if m.newest != 0 {
		m.slots[m.newest].newer = at
	} else {
		m.oldest = at
	}
	m.newest = at
	m.places[k] = at
	return &s.value
}

func (m *memory[K, V]) drop(k K) {
	if len(m.places) == 0 {
		return
	}
	at, known := m.places[k]
	if !known {
		return
	}
	delete(m.places, k)
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
	*s = slot[K, V]{newer: m.free}
	m.free = at
}

// each calls yield with every key and its value, the oldest first.
func (m *memory[K, V]) each(yield func(K, V)) {
	for at := m.oldest; at != 0; at = m.slots[at].newer {
		yield(m.slots[at].key, m.slots[at].value)
	}
}
