package session

// memory is a map that forgets what came first once it is full. It keeps the
// keys that it is given: the caller clones their texts.
type memory[K comparable, V any] struct {
	values map[K]*V
	order  []K // as they came; may hold keys that are dropped
	most   int
}

func newMemory[K comparable, V any](most int) *memory[K, V] {
	return &memory[K, V]{values: make(map[K]*V), most: most}
}

func (m *memory[K, V]) get(k K) (*V, bool) {
	v, ok := m.values[k]
	return v, ok
}

// put remembers v under k; the memory owns it from then on.
func (m *memory[K, V]) put(k K, v *V) {
	for len(m.order) >= m.most {
		delete(m.values, m.order[0])
		m.order = m.order[1:]
	}
	m.order = append(m.order, k)
	m.values[k] = v
}

func (m *memory[K, V]) drop(k K) { delete(m.values, k) }
