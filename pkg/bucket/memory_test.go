package bucket

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
)

// eight are scenarios that all open a bucket for a failed login.
func eight() string {
	var text strings.Builder
	for i, more := range []string{
		"", "", "", "", "", "", "distinct: evt.Meta.account\n", "overflow_filter: \"count(queue.Queue, {.Meta.kind == 'auth-failed'}) > 3\"\n",
	} {
		fmt.Fprintf(&text, "---\ntype: leaky\nname: test/%d\ndescription: test\nfilter: evt.Meta.kind == 'auth-failed'\n"+
			"groupby: evt.Meta.source_block\ncapacity: %d\nleakspeed: 24h\nblackhole: 1h\n%s", i, 5+i, more)
	}
	return text.String()
}

// TestMemory holds sources with eight buckets each and measures the heap.
func TestMemory(t *testing.T) {
	const sources, limit = 100_000, 48 << 20
	e := load(t, eight())
	used := heap(func() {
		e = New(e.set, Limits{}, event.HashKey{})
		pourSources(e, sources, 1)
	})
	if s := e.Stats(); s.Sources != sources || s.Buckets != 8*sources {
		t.Fatalf("%+v", s)
	}
	t.Logf("%.1f MB, %d bytes a source", float64(used)/(1<<20), used/sources)
	if used > limit {
		t.Errorf("%d sources with eight buckets take %d bytes, more than %d", sources, used, limit)
	}
	runtime.KeepAlive(e)
}

// BenchmarkMemory is TestMemory for up to a million sources, with what the system
// counts as resident of the whole process besides.
func BenchmarkMemory(b *testing.B) {
	for _, sources := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("sources=%d", sources), func(b *testing.B) { benchmarkMemory(b, sources, 1) })
		b.Run(fmt.Sprintf("sources=%d/each=4", sources), func(b *testing.B) { benchmarkMemory(b, sources, 4) })
	}
}

func benchmarkMemory(b *testing.B, sources, each int) {
	e := load(b, eight())
	for b.Loop() {
		used := heap(func() {
			e = New(e.set, Limits{Sources: sources}, event.HashKey{})
			pourSources(e, sources, each)
		})
		b.ReportMetric(float64(used)/(1<<20), "heap-MB")
	}
	debug.FreeOSMemory()
	b.ReportMetric(resident(b), "resident-MB")
	at := time.Now()
	snapshot := e.AppendSnapshot(nil)
	b.ReportMetric(float64(time.Since(at).Milliseconds()), "snapshot-ms")
	b.ReportMetric(float64(len(snapshot))/(1<<20), "snapshot-MB")
}

// resident is the memory of this process that is in RAM, in MB.
func resident(tb testing.TB) float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip(err) // not on Linux
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		tb.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// pourSources pours that many guesses from each of n sources, at as many accounts.
func pourSources(e *Engine, n, each int) {
	ev := failure("192.0.2.1", "bob", 0)
	for i := range n * each {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], 0x0b000000+uint32(i%n))
		ev.Addr, ev.Time = netip.AddrFrom4(raw), start.Add(time.Duration(i)*time.Millisecond)
		ev.User = [...]string{"bob", "eve", "info", "alice"}[i/n%4]
		e.Pour(ev)
	}
}

// heap returns by how much the live heap grows while f runs.
func heap(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return after.HeapAlloc - before.HeapAlloc
}
