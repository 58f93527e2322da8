package replay

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A kernel with huge pages marks the memory that asks for them with "hg"; one without
// refuses, which is no harm.
func TestPrepareHeap(t *testing.T) {
	want := hugeHeap
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil {
		want = 0
	}
	ready := prepareHeap()
	defer ready()
	if n := advised(t); n < want {
		t.Errorf("%d bytes advised, want %d at the least", n, want)
	}
}

// advised counts the bytes of this process that asked for huge pages.
func advised(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	total, size := 0, 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case fields[0] == "Size:":
			fmt.Sscan(fields[1], &size)
			size <<= 10
		case fields[0] == "VmFlags:" && strings.Contains(line, " hg "):
			total += size
		}
	}
	return total
}
