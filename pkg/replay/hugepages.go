package replay

import (
	"runtime"
	"runtime/debug"
)

const (
	hugeHeap = 32 << 20 // bytes: what a replay of a busy day keeps, and some

	// heapPiece is small, because one that was used before is cleared as it is taken,
	// in small pages.
	heapPiece = 512 << 10 // bytes
)

// PrepareHeap is for the start of a command that replays, before it loads what it judges by:
// it asks the kernel for huge pages under the heap, and stops the garbage collector
// until ready is called. The state of a replay is spread over tens of megabytes and met
// at random, so small pages cost a fault each and a miss in the address translation at
// most lookups; and what is loaded at the start is kept. Where the kernel gives huge
// pages to everybody, or to nobody, they change nothing. Go has no call for it: pieces of
// heap are taken, advised and given back, for the allocator to use them next. They take
// memory only where they are written to.
func PrepareHeap() (ready func()) {
	percent := debug.SetGCPercent(-1) // or the pieces would start a collection, and outlive it
	advise(hugeHeap)
	runtime.GC()
	return func() { debug.SetGCPercent(percent) }
}

// advise is a function of its own so that nothing holds the pieces when it returns.
//
//go:noinline
func advise(size int) {
	var pieces [][]byte
	for range size / heapPiece {
		piece := make([]byte, heapPiece)
		wishHugePages(piece)
		pieces = append(pieces, piece)
	}
	runtime.KeepAlive(pieces)
}
