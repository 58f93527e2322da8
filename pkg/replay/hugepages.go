package replay

import (
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

const (
	hugeHeap = 32 << 20 // bytes: what a replay of a busy day keeps, and some
	longLog  = 16 << 20 // bytes of the logs from which on it is worth the while
)

// useHugePages asks the kernel for huge pages under the heap that a long replay will
// use: its state is spread over tens of megabytes and met at random, so small pages
// cost a fault each and a miss in the address translation at most lookups. Where the
// kernel gives huge pages to everybody, or to nobody, nothing changes. Go has no call
// for it: the piece of heap is taken, advised and given back, for the allocator to use
// it next. It takes memory only where it is written to.
func useHugePages(total int64) {
	if total >= 0 && total < longLog {
		return
	}
	percent := debug.SetGCPercent(-1) // or the piece would start a collection, and outlive it
	advise(hugeHeap)
	runtime.GC()
	debug.SetGCPercent(percent)
}

// advise is a function of its own so that nothing holds the piece when it returns.
//
//go:noinline
func advise(size int) {
	_ = unix.Madvise(make([]byte, size), unix.MADV_HUGEPAGE) // a wish: not every kernel knows it
}
