// Package arena keeps many small records by number instead of by pointer. Go's garbage
// collector scans every pointer, so a map of a hundred thousand pointers costs more than
// the records behind them; a table of numbers costs nothing. A [Slab] holds records of
// one size, [Blocks] runs of records, and an [Index] finds a number by the hash of a key.
// The package does not interpret the records, and does no I/O.
package arena

const (
	slabChunkBits = 10
	slabChunkSize = 1 << slabChunkBits
)

// Slab hands out records by number. It grows by chunks, so that growing copies nothing
// and a record stays where it is. If T holds no pointers, the garbage collector passes
// all of it by. The number 0 stands for no record. The zero value is ready.
type Slab[T any] struct {
	chunks []*[slabChunkSize]T
	free   []uint32
	used   uint32
}

// At returns the record with a number that was handed out. It stays there until it is
// given back.
func (s *Slab[T]) At(i uint32) *T { return &s.chunks[i>>slabChunkBits][i&(slabChunkSize-1)] }

// Take returns the number of a zero record.
func (s *Slab[T]) Take() uint32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.Grow()
	return s.used
}

// Grow makes one more record, with the number that Used returns after it.
func (s *Slab[T]) Grow() {
	s.used++
	if int(s.used>>slabChunkBits) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([slabChunkSize]T))
	}
}

// Give frees a record.
func (s *Slab[T]) Give(i uint32) {
	var zero T
	*s.At(i) = zero
	s.free = append(s.free, i)
}

// Len returns how many records are in use.
func (s *Slab[T]) Len() int { return int(s.used) - len(s.free) }

// Used returns the highest number that was ever handed out. Numbers up to it may be
// free.
func (s *Slab[T]) Used() uint32 { return s.used }

// Free returns the numbers that were given back; the last one is handed out next. The
// slice belongs to the Slab.
func (s *Slab[T]) Free() []uint32 { return s.free }

// AddFree appends to the list of Free. It is for a Slab that is restored, with records
// made by Grow.
func (s *Slab[T]) AddFree(i uint32) { s.free = append(s.free, i) }
