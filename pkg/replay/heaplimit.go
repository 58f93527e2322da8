package replay

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// leastLimit is how much memory a replay may take before garbage is collected more often:
// the heap of a busy day is a quarter of it.
const leastLimit = 384 << 20 // bytes

// limitHeap sets a soft limit for the memory, unless the user has (GOMEMLIMIT). The
// problem: a flood of 50,000 sources fills the heap with what is kept of them, and by
// default garbage may take as much again. The mechanism: near the limit the runtime
// collects more often, for a few percent of the processor time. If nearly all that is
// there is in use, that would cost half of the time, so the limit moves up.
func limitHeap() {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	debug.SetMemoryLimit(leastLimit)
	afterCollection(func() { debug.SetMemoryLimit(limitOf(inUse())) })
}

// limitOf returns the limit for a heap of which so many bytes are in use.
func limitOf(live uint64) int64 {
	return int64(max(leastLimit, live+live/2))
}

// afterCollection runs a function after each garbage collection.
func afterCollection(run func()) {
	object := new([16]byte) // gone with the next collection
	runtime.AddCleanup(object, func(run func()) {
		run()
		afterCollection(run)
	}, run)
}

const (
	// largeHeap is more than a busy day fills.
	largeHeap = 128 << 20 // bytes
	// earlyPercent is how much garbage a large heap may hold then, of the bytes in use.
	earlyPercent = 25
	usualPercent = 100 // of package runtime
)

// CollectEarly makes the runtime collect garbage at a quarter of the bytes in use once a
// flood has filled the heap, unless the user has set that (GOGC). It takes a fifth less
// memory for a tenth more processor time of a flood, and is for a caller that keeps much
// until the end. A process needs it once.
func CollectEarly() {
	afterCollection(func() {
		if inUse() <= largeHeap {
			return
		}
		if before := debug.SetGCPercent(earlyPercent); before != usualPercent {
			debug.SetGCPercent(before)
		}
	})
}

// Shrink collects garbage if the heap is so large that a flood has filled it. It is for a
// caller that has dropped a large part of it, for example an engine, and goes on to use
// more memory.
func Shrink() {
	if inUse() > largeHeap {
		runtime.GC()
	}
}

// inUse returns how many bytes of the heap were in use after the last collection.
func inUse() uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(live); live[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return live[0].Value.Uint64()
}
