package replay

import (
	"runtime"
	"testing"
)

func TestLimitMovesUpWithWhatIsInUse(t *testing.T) {
	for live, want := range map[uint64]int64{0: 384 << 20, 100 << 20: 384 << 20, 256 << 20: 384 << 20, 300 << 20: 450 << 20, 2 << 30: 3 << 30} {
		if got := limitOf(live); got != want {
			t.Errorf("with %d MB in use the limit is %d MB, want %d", live>>20, got>>20, want>>20)
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
