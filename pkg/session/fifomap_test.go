package session

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFIFOMapModel compares a map with a plain list of its keys, the oldest first.
func TestFIFOMapModel(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	m, values := newFIFOMap[int, int](6), map[int]int{}
	var keys []int
	remove := func(k int) {
		delete(values, k)
		keys = slices.DeleteFunc(keys, func(known int) bool { return known == k })
	}
	enter := func(k, v int) {
		if len(keys) == 6 {
			remove(keys[0])
		}
		keys, values[k] = append(keys, k), v
	}
	for step := range 20000 {
		k := draw.IntN(10)
		switch draw.IntN(4) {
		case 0:
			remove(k)
			enter(k, step)
			*m.put(k) = step
		case 1:
			if _, known := values[k]; !known {
				enter(k, 0)
			}
			values[k]++
			*m.getOrPut(k)++
		case 2:
			remove(k)
			m.drop(k)
		}
		got, known := m.get(k), slices.Contains(keys, k)
		if (got != nil) != known || known && *got != values[k] {
			t.Fatalf("step %d, key %d: got %v, want %d (known: %v)", step, k, got, values[k], known)
		}
		var order []int
		m.each(func(k, v int) { order = append(order, k) })
		if !slices.Equal(order, keys) || m.len() != len(keys) {
			t.Fatalf("step %d: got the keys %v, want %v", step, order, keys)
		}
	}
}
