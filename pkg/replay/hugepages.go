package replay

import (
	"runtime"
	"runtime/debug"
)

const (
	hugeHeap = 32 << 20 // bytes: somewhat more than a replay of a busy day keeps

	// heapPiece is small, because one that was used before is cleared as it is taken,
	// in small pages.
	heapPiece = 512 << 10 // bytes
)

// PrepareHeap is for the start of a command that replays, before it loads the scenarios.
// It asks the kernel for huge pages under the heap, and stops the garbage collector
// until ready is called. The problem: the state of a replay is spread over tens of
// megabytes and accessed at random, so small pages cost a fault each, and a miss in the
// address translation at most lookups. The garbage collector would find nothing to free,
// because all that is loaded at the start is kept. Go has no call for huge pages, so
// pieces of heap are allocated, advised and released, for the allocator to use them
// next. They take memory only where they are written to. On a kernel with transparent
// huge pages set to always or never this changes nothing.
//
// A process that has collected garbage before, as a test of many commands has, is not
// prepared again: it would cost more than most commands.
func PrepareHeap() (ready func()) {
	var heap runtime.MemStats
	if runtime.ReadMemStats(&heap); heap.NumGC > 0 {
		return func() {}
	}
	return prepareHeap()
}

func prepareHeap() (ready func()) {
	percent := debug.SetGCPercent(-1) // or the pieces would start a collection, and outlive it
	advise(hugeHeap)
	runtime.GC()
	return func() {
		beginCollecting(percent)
		limitHeap()
	}
}

// leastHeap is the size that the runtime lets a heap have before it collects at all, at
// a percent of 100 (GOGC in package runtime).
const leastHeap = 4 << 20 // bytes

// beginCollecting starts the garbage collector, at first when the heap is as large as
// hugeHeap: a replay of a busy day ends before that, and had to be collected five times
// before, for a twentieth of its processor time.
func beginCollecting(percent int) {
	if percent <= 0 {
		return
	}
	debug.SetGCPercent(percent * hugeHeap / leastHeap)
	first := new([16]byte) // gone with the first collection
	runtime.AddCleanup(first, func(percent int) { debug.SetGCPercent(percent) }, percent)
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
