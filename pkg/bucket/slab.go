package bucket

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// slab hands out records by number. It grows by chunks, so that growing copies
// nothing, and holds no pointers if T holds none, so that the garbage collector
// passes it by. The number 0 stands for no record.
type slab[T any] struct {
	chunks []*[chunkSize]T
	free   []uint32
	used   uint32 // the highest number handed out
}

func (s *slab[T]) at(i uint32) *T { return &s.chunks[i>>chunkBits][i&(chunkSize-1)] }

// take returns the number of a zero record.
func (s *slab[T]) take() uint32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.grow()
	return s.used
}

// grow makes one more record.
func (s *slab[T]) grow() {
	s.used++
	if int(s.used>>chunkBits) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([chunkSize]T))
	}
}

// give takes a record back.
func (s *slab[T]) give(i uint32) {
	var zero T
	*s.at(i) = zero
	s.free = append(s.free, i)
}

// len is how many records are in use.
func (s *slab[T]) len() int { return int(s.used) - len(s.free) }
