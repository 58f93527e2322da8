package scenario

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"csmail/pkg/event"
)

// mixedLog is a log of events as a mail host sees them: mostly failed logins and
// rejects, some successes, from many sources of which few come often.
func mixedLog(n, sources int) []event.Event {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []event.Kind{
		event.AuthFailed, event.AuthFailed, event.AuthFailed, event.AuthFailed, event.NoHostname, event.HostnameMismatch,
		event.RelayDenied, event.RecipientUnknown, event.LostConnection, event.LostConnection, event.Pregreet, event.NoAuth,
		event.LoginOK, event.AuthMailOK, event.Hangup, event.TLSError, event.DNSBLListed, event.HeloRejected,
	}
	users := []string{"bob@example.com", "info", "admin@example.org", "alice@example.com", "test"}
	list := make([]event.Event, n)
	for i := range list {
		k := kinds[r.IntN(len(kinds))]
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], 0x0a000000+uint32(float64(sources)*r.Float64()*r.Float64())*7)
		service := event.Postfix
		if k == event.NoAuth || k == event.LoginOK {
			service = event.Dovecot
		}
		list[i] = event.Event{
			Time: start.Add(time.Duration(i) * 5 * time.Millisecond), Service: service, Program: "postfix/smtpd", PID: i % 100, Kind: k,
			Addr: netip.AddrFrom4(raw), Host: "mx", ClientName: "unknown", Attempts: 1, Message: k.Example(),
		}
		if k == event.AuthFailed {
			list[i].User = users[r.IntN(len(users))]
		}
	}
	return list
}

// shipped are the scenarios of the default, and four as the hub writes them.
func shipped(tb testing.TB) *Set {
	tb.Helper()
	var balanced []string
	for _, name := range []string{
		"account-under-attack", "auth-bf", "auth-slow-bf", "auth-spray", "dead-account", "protocol-abuse", "range-bf",
		"rejected-client", "relay-probe", "spambot", "user-harvesting",
	} {
		balanced = append(balanced, "scenarios/csmail/"+name+".yaml")
	}
	set, err := Load(os.DirFS("../.."), append(balanced, "pkg/scenario/testdata/hub.yaml")...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// BenchmarkPour pours a mixed log into the shipped scenarios, with the evidence of
// what overflows, and without, as for a scan that tells nobody.
func BenchmarkPour(b *testing.B) {
	set := shipped(b)
	for _, sources := range []int{1000, 20_000, 200_000} {
		for name, texts := range map[string]int{"": 0, "/told=nobody": NoEvidence} {
			b.Run(fmt.Sprintf("sources=%d%s", sources, name), func(b *testing.B) { benchmarkPour(b, set, sources, texts) })
		}
	}
}

func benchmarkPour(b *testing.B, set *Set, sources, texts int) {
	log := mixedLog(1<<18, sources)
	e := New(set, Limits{Texts: texts})
	overflows, turn := 0, time.Duration(0)
	span := log[len(log)-1].Time.Sub(log[0].Time) + time.Second
	b.ReportAllocs()
	b.ResetTimer()
	used := processorTime(b)
	for i := range b.N {
		at := i & (len(log) - 1)
		if at == 0 && i > 0 {
			turn = span
		}
		log[at].Time = log[at].Time.Add(turn)
		overflows += len(e.Pour(&log[at]))
	}
	b.ReportMetric(float64(b.N)/(processorTime(b)-used).Seconds(), "events/cpu-s")
	b.ReportMetric(float64(overflows)/float64(b.N), "overflows/event")
}

// processorTime is what this process has used of all cores, so that a busy machine
// does not spoil the figure.
func processorTime(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

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
	const sources, limit = 100_000, 60 << 20
	e := load(t, eight())
	used := heap(func() {
		e = New(e.set, Limits{})
		pourSources(e, sources)
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
		b.Run(fmt.Sprintf("sources=%d", sources), func(b *testing.B) {
			e := load(b, eight())
			for b.Loop() {
				used := heap(func() {
					e = New(e.set, Limits{Sources: sources})
					pourSources(e, sources)
				})
				b.ReportMetric(float64(used)/(1<<20), "heap-MB")
			}
			debug.FreeOSMemory()
			b.ReportMetric(resident(b), "resident-MB")
			at := time.Now()
			snapshot := e.AppendSnapshot(nil)
			b.ReportMetric(float64(time.Since(at).Milliseconds()), "snapshot-ms")
			b.ReportMetric(float64(len(snapshot))/(1<<20), "snapshot-MB")
		})
	}
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

func pourSources(e *Engine, n int) {
	ev := failure("192.0.2.1", "bob", 0)
	for i := range n {
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], 0x0b000000+uint32(i))
		ev.Addr, ev.Time = netip.AddrFrom4(raw), start.Add(time.Duration(i)*time.Millisecond)
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
