package daemon

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
)

// memoryShare of what a cgroup allows is left to the heap, in percent: stacks, the
// mapped state file and journalctl want some, too.
const memoryShare = 85

// leastHeap is what the heap may take before the collector works harder.
const leastHeap = 160 << 20

// memoryLimit keeps the garbage of a burst, and of the copies that a checkpoint makes,
// from taking much more than the engine's state: the collector begins to work harder
// when the heap is a quarter larger than what is in use. The limit that GOMEMLIMIT sets,
// or that the cgroup has, is never passed.
type memoryLimit struct {
	most, now int64 // bytes
}

func newMemoryLimit() *memoryLimit {
	most := debug.SetMemoryLimit(-1) // of GOMEMLIMIT, which the runtime has read
	if limit := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup"); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		most = min(most, limit/100*memoryShare)
	}
	m := &memoryLimit{most: most}
	m.adapt(0)
	return m
}

// tune adapts the limit to what the newest collection found in use.
func (m *memoryLimit) tune() {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if runtimemetrics.Read(sample); sample[0].Value.Kind() == runtimemetrics.KindUint64 {
		m.adapt(int64(sample[0].Value.Uint64()))
	}
}

func (m *memoryLimit) adapt(used int64) {
	limit := min(m.most, max(leastHeap, used+used/4))
	if change := limit - m.now; change > -m.now/8 && change < m.now/8 {
		return // each change stops the world for a moment
	}
	m.now = limit
	debug.SetMemoryLimit(limit)
}

// cgroupLimit returns the least memory.max from the process's cgroup up to the root, in
// bytes, 0 if there is none. (cgroup v2, Documentation/admin-guide/cgroup-v2.rst of
// Linux; of v1, memory.limit_in_bytes.)
func cgroupLimit(membership, root string) int64 {
	text, err := os.ReadFile(membership)
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		folder, file := filepath.Join(root, path), "memory.max"
		if controllers == "memory" {
			folder, file = filepath.Join(root, "memory", path), "memory.limit_in_bytes"
		} else if controllers != "" {
			continue
		}
		for strings.HasPrefix(folder, root) {
			least = min(least, limitIn(filepath.Join(folder, file)))
			folder = filepath.Dir(folder)
		}
	}
	if least >= noLimit {
		return 0
	}
	return least
}

// noLimit and more is what cgroup v1 says where there is none.
const noLimit = 1 << 60

// limitIn reads one limit: a number, or "max".
func limitIn(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}
