package session

// memory is a map that forgets what came first once it is full. It keeps the
// keys that it is given: the caller clones their texts.
type memory[K comparable, V any] struct {
	values map[K]entry[V]
	order  []arrival[K] // may hold arrivals of keys that are dropped
	most   int
	last   uint64 // number of the newest arrival
}

type entry[V any] struct {
	value  *V
	number uint64
}

// arrival is a key and the number under which it came: a key that was dropped
// and came again must not go with its first arrival.
type arrival[K comparable] struct {
	key    K
	number uint64
}

func newMemory[K comparable, V any](most int) *memory[K, V] {
	return &memory[K, V]{values: make(map[K]entry[V]), most: most}
}

func (m *memory[K, V]) get(k K) (*V, bool) {
	e, ok := m.values[k]
	return e.value, ok
}

// put remembers v under k; the memory owns it from then on.
func (m *memory[K, V]) put(k K, v *V) {
	for len(m.order) >= m.most {
		oldest := m.order[0]
		m.order = m.order[1:]
		if m.values[oldest.key].number == oldest.number {
			delete(m.values, oldest.key)
		}
	}
	m.last++
	m.order = append(m.order, arrival[K]{k, m.last})
	m.values[k] = entry[V]{v, m.last}
}

func (m *memory[K, V]) drop(k K) { delete(m.values, k) }
