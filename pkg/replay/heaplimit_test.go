package replay

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestLimitMovesUpWithWhatIsInUse(t *testing.T) {
	for live, want := range map[uint64]int64{0: 384 << 20, 100 << 20: 384 << 20, 256 << 20: 384 << 20, 300 << 20: 450 << 20, 2 << 30: 3 << 30} {
		if got := limitOf(live); got != want {
			t.Errorf("with %d MB in use the limit is %d MB, want %d", live>>20, got>>20, want>>20)
		}
	}
}

func TestCollectEarly(t *testing.T) {
	// A cleanup runs some time after the collection, on a slow machine seconds later.
	percentAfter := func(before, inUse, want int) int {
		debug.SetGCPercent(before)
		used := make([]byte, inUse)
		defer runtime.KeepAlive(used)
		now := before
		for end, tries := time.Now().Add(30*time.Second), 0; now == before && (tries < 20 || want != before && time.Now().Before(end)); tries++ {
			runtime.GC()
			time.Sleep(time.Millisecond)
			now = debug.SetGCPercent(before)
		}
		return now
	}
	defer debug.SetGCPercent(debug.SetGCPercent(usualPercent))
	CollectEarly()
	for name, tt := range map[string]struct{ before, inUse, want int }{
		"a busy day": {usualPercent, 1 << 20, usualPercent}, "a flood": {usualPercent, largeHeap + 1<<20, earlyPercent}, "a flood, and GOGC is set": {50, largeHeap + 1<<20, 50},
	} {
		if got := percentAfter(tt.before, tt.inUse, tt.want); got != tt.want {
			t.Errorf("%s: got %d percent, want %d", name, got, tt.want)
		}
	}
}

func TestShrinkFreesWhatWasDropped(t *testing.T) {
	dropped := make([]byte, 256<<20)
	runtime.GC()
	before := inUse()
	runtime.KeepAlive(dropped)
	if Shrink(); before < 256<<20 || inUse() > before-200<<20 {
		t.Errorf("%d MB are in use, and %d before", inUse()>>20, before>>20)
	}
}
