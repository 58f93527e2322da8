package bucket

import "math/bits"

const (
	blockChunkBits = 12
	blockChunkSize = 1 << blockChunkBits
	blockSizes     = 40
)

// blocks hands out runs of records that lie side by side, by the number of their
// first one. It grows by chunks, so that growing copies nothing, and what is given
// back is handed out again for a run of the same size: it takes no more than each
// size needed at its peak. T holds no pointers, so that the garbage collector
// passes it by. The number 0 stands for no run.
type blocks[T any] struct {
	chunks [][]T
	open   uint32 // the first record that was never handed out
	end    uint32 // of the chunk that it lies in
	free   [blockSizes][]uint32
	taken  int // records that are handed out
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

// at returns a run of n records.
func (b *blocks[T]) at(i uint32, n int) []T {
	from := i & (blockChunkSize - 1)
	return b.chunks[i>>blockChunkBits][from : int(from)+n : int(from)+n]
}

// take returns the number of a run of n records, which hold anything.
func (b *blocks[T]) take(n int) uint32 {
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
func (b *blocks[T]) grow() {
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

// give takes a run of n records back.
func (b *blocks[T]) give(i uint32, n int) {
	if n == 0 {
		return
	}
	number, size := sizeOf(n)
	b.taken -= size
	b.free[number] = append(b.free[number], i)
}

// resize makes a run of n records one of m: it stays, or moves with what it holds.
// Further records hold anything. A run of none has the number 0.
func (b *blocks[T]) resize(i uint32, n, m int) uint32 {
	if m == 0 {
		b.give(i, n)
		return 0
	}
	if n > 0 {
		old, _ := sizeOf(n)
		if now, _ := sizeOf(m); now == old {
			return i
		}
	}
	moved := b.take(m)
	if n > 0 {
		copy(b.at(moved, m), b.at(i, n))
		b.give(i, n)
	}
	return moved
}
