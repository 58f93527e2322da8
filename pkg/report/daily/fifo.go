package daily

import "slices"

// fifo is a queue that frees its memory as it is emptied.
type fifo[T any] struct {
	items []T
	first int
}

func (q *fifo[T]) push(item T) { q.items = append(q.items, item) }
func (q *fifo[T]) len() int    { return len(q.items) - q.first }

// all returns the items, the oldest first, in the queue's own memory.
func (q *fifo[T]) all() []T { return q.items[q.first:] }

// drop removes the unwanted items.
func (q *fifo[T]) drop(unwanted func(T) bool) {
	q.items, q.first = slices.DeleteFunc(q.items[q.first:], unwanted), 0
}

func (q *fifo[T]) peek() (item T, ok bool) {
	if q.len() == 0 {
		return item, false
	}
	return q.items[q.first], true
}

func (q *fifo[T]) pop() (item T, ok bool) {
	if q.len() == 0 {
		return item, false
	}
	var none T
	item, q.items[q.first] = q.items[q.first], none
	q.first++
	if q.first > 1024 && q.first > len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	return item, true
}
