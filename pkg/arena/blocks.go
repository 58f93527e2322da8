package arena

import "math/bits"

const (
	blockChunkBits = 12
	blockChunkSize = 1 << blockChunkBits
	blockSizes     = 40
)

// Blocks allocates runs of adjacent records, named by the number of their first record.
// It grows by chunks, so that growing copies nothing. Runs have few sizes (1, 2, 3, 4, 6,
// 8, 12, 16, 24 and so on), and a run that is freed is used again for the same size. So
// Blocks needs no more memory than each size at its peak. If T holds no pointers, the
// garbage collector does not scan it. The number 0 stands for no run. The zero value is
// ready.
type Blocks[T any] struct {
	chunks [][]T
	open   uint32               // the first record that was never handed out
	end    uint32               // of the chunk that open lies in
	free   [blockSizes][]uint32 // runs that were given back, by size
	taken  int                  // records that are handed out, with those that round a run up
}

// sizeOf returns the number of the smallest size that n records fit in, and that
// size: 1, 2, 3, 4, 6, 8, 12, 16, 24 and so on.
func sizeOf(n int) (number, size int) {
	if n <= 4 {
		return n - 1, n
	}
	k := bits.Len(uint(n - 1))
	if half := 3 << (k - 2); n <= half {
		return 2*k - 2, half
	}
	return 2*k - 1, 1 << k
}

// At returns a run of n records. It is valid until the run is resized or given back.
func (b *Blocks[T]) At(i uint32, n int) []T {
	from := i & (blockChunkSize - 1)
	return b.chunks[i>>blockChunkBits][from : int(from)+n : int(from)+n]
}

// Take returns the number of a run of n records, which hold anything.
func (b *Blocks[T]) Take(n int) uint32 {
	number, size := sizeOf(n)
	b.taken += size
	if free := b.free[number]; len(free) > 0 {
		b.free[number] = free[:len(free)-1]
		return free[len(free)-1]
	}
	if len(b.chunks) == 0 {
		b.grow()
	}
	if size >= blockChunkSize {
		b.chunks = append(b.chunks, make([]T, size))
		return uint32(len(b.chunks)-1) << blockChunkBits
	}
	if b.end-b.open < uint32(size) {
		b.grow()
	}
	i := b.open
	b.open += uint32(size)
	return i
}

// grow opens a new chunk; what is left of the old one is free.
func (b *Blocks[T]) grow() {
	for number := 3; b.open < b.end; {
		if n := int(b.end - b.open); n < 4 {
			number = n - 1
		}
		b.free[number] = append(b.free[number], b.open)
		b.open += uint32(number + 1)
	}
	b.open = uint32(len(b.chunks)) << blockChunkBits
	b.end = b.open + blockChunkSize
	b.chunks = append(b.chunks, make([]T, blockChunkSize))
	if b.open == 0 {
		b.open = 1 // 0 stands for no run
	}
}

// Give frees a run of n records.
func (b *Blocks[T]) Give(i uint32, n int) {
	if n == 0 {
		return
	}
	number, size := sizeOf(n)
	b.taken -= size
	b.free[number] = append(b.free[number], i)
}

// Resize turns a run of n records into one of m and returns its number. The run stays or
// moves with its content. Further records hold anything. A run of no records has the
// number 0.
func (b *Blocks[T]) Resize(i uint32, n, m int) uint32 {
	if m == 0 {
		b.Give(i, n)
		return 0
	}
	if n > 0 {
		old, _ := sizeOf(n)
		if now, _ := sizeOf(m); now == old {
			return i
		}
	}
	moved := b.Take(m)
	if n > 0 {
		copy(b.At(moved, m), b.At(i, n))
		b.Give(i, n)
	}
	return moved
}

// Taken returns how many records are handed out, with those that round a run up to its
// size.
func (b *Blocks[T]) Taken() int { return b.taken }
