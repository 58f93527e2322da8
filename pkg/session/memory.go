package session

// memory is a map that forgets what came first once it is full. A key that was
// dropped keeps its place in the order, so that a burst of short sessions cannot
// push the memory beyond its bound. It owns its keys and values.
type memory[K comparable, V any] struct {
	places map[K]int32
	slots  []slot[K, V] // in the order of their coming, as a ring once there are most
	next   int          // the slot that is written next
	most   int
}

type slot[K comparable, V any] struct {
	key   K
	value V
	live  bool
}

func newMemory[K comparable, V any](most int) *memory[K, V] {
	return &memory[K, V]{places: make(map[K]int32), most: most}
}

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
	if len(m.slots) < m.most {
		m.slots = append(m.slots, slot[K, V]{})
	}
	s := &m.slots[m.next]
	if s.live {
		delete(m.places, s.key)
	}
	m.places[k] = int32(m.next)
	*s = slot[K, V]{key: k, live: true}
	m.next = (m.next + 1) % m.most
	return &s.value
}

func (m *memory[K, V]) drop(k K) {
	at, known := m.places[k]
	if !known {
		return
	}
	m.slots[at] = slot[K, V]{}
	delete(m.places, k)
}
