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

// memoryShare is the part of a cgroup's limit that the heap may use, in percent. The rest
// is for stacks, the mapped state file and journalctl.
const memoryShare = 85

const (
	// leastHeap is the size in bytes up to which the heap grows without limit.
	leastHeap = 160 << 20
	// leastSlack is how many bytes more than the part in use the heap may always take.
	leastSlack = 20 << 20
	// leastChange of the limit, in bytes, is worth the moment that it takes. It is a part of
	// the slack: a limit that lags behind what is in use has the collector run all the time.
	leastChange = leastSlack / 5
)

const (
	// hostPart is the part of the memory in use that the heap of a mail host may take more,
	// and hostPercent after which growth garbage is collected: memory is scarce there.
	hostPart, hostPercent = 8, 50
	// On a judge of many hosts processor time is: with the above it spends a third of it on
	// collecting what the facts of a second leave behind.
	onJudgePart, judgePercent = 1, 100
)

// memoryLimit keeps the garbage of a burst, and the copies of a checkpoint, from needing
// much more memory than the engine's state: the collector works harder once the heap is a
// part larger than what is in use, an eighth on a mail host. The limit of GOMEMLIMIT, or
// of the cgroup, is never exceeded.
type memoryLimit struct {
	most, now int64 // bytes
	part      int64
}

// newMemoryLimit sets the limit of a mail host, or of a judge on a host of its own.
func newMemoryLimit(isJudge bool) *memoryLimit {
	part, percent := int64(hostPart), hostPercent
	if isJudge {
		part, percent = onJudgePart, judgePercent
	}
	debug.SetGCPercent(percent)
	most := debug.SetMemoryLimit(-1) // the runtime has read GOMEMLIMIT
	if limit := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup"); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		most = min(most, limit/100*memoryShare)
	}
	m := &memoryLimit{most: most, part: part}
	m.adapt(0)
	return m
}

// tune adapts the limit to the memory that was in use at the newest collection.
func (m *memoryLimit) tune() {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if runtimemetrics.Read(sample); sample[0].Value.Kind() == runtimemetrics.KindUint64 {
		m.adapt(int64(sample[0].Value.Uint64()))
	}
}

// adapt sets the limit for a heap of which so many bytes are in use.
func (m *memoryLimit) adapt(used int64) {
	limit := min(m.most, max(leastHeap, used+max(leastSlack, used/m.part)))
	if change := limit - m.now; change > -leastChange && change < leastChange {
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

// noLimit is the least value by which cgroup v1 says that there is no limit.
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
