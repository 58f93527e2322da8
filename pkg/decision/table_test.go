package decision

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)

func ban(id int64, value string, left time.Duration) Decision {
	return decide(id, "Ip", value, "ban", left)
}

func decide(id int64, scope, value, kind string, left time.Duration) Decision {
	d, err := Parse(Raw{ID: id, Scope: scope, Value: value, Type: kind, Origin: "crowdsec", Scenario: "csmail/auth-bf", Duration: left.String()}, start)
	if err != nil {
		panic(err)
	}
	return d
}

func TestParse(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"Ip", "192.0.2.1"}:               "192.0.2.1",
		{"ip", "2001:DB8::5"}:             "2001:db8::5",
		{"Ip", "::ffff:192.0.2.93"}:       "192.0.2.93",
		{"Ip", "192.0.2.1/32"}:            "192.0.2.1",
		{"Range", "198.51.101.7/24"}:      "198.51.101.0/24",
		{"Range", "::ffff:192.0.2.0/120"}: "192.0.2.0/24",
		{"range", "2001:db8:1::/48"}:      "2001:db8:1::/48",
		{"Username", "Bob@Example.org"}:   "bob@example.org",
		{"username", " bob "}:             "bob",
	} {
		d, err := Parse(Raw{ID: 1, Scope: in[0], Value: in[1], Type: "ban", Duration: "4h"}, start)
		if err != nil || d.Value() != want || !d.Until.Equal(start.Add(4*time.Hour)) {
			t.Errorf("%v: got %s until %s, %v; want %s", in, d.Value(), d.Until, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[Raw]error{
		{Scope: "Country", Value: "XX", Duration: "1h"}:                          ErrScope,
		{Scope: "", Value: "192.0.2.1", Duration: "1h"}:                          ErrScope,
		{Scope: "Ip", Value: "192.0.2.300", Duration: "1h"}:                      ErrValue,
		{Scope: "Ip", Value: "fe80::1%eth0", Duration: "1h"}:                     ErrValue,
		{Scope: "Ip", Value: "0.0.0.0", Duration: "1h"}:                          ErrValue,
		{Scope: "Ip", Value: "", Duration: "1h"}:                                 ErrValue,
		{Scope: "Range", Value: "0.0.0.0/0", Duration: "1h"}:                     ErrTooWide,
		{Scope: "Range", Value: "::/0", Duration: "1h"}:                          ErrTooWide,
		{Scope: "Range", Value: "::ffff:0.0.0.0/90", Duration: "1h"}:             ErrTooWide,
		{Scope: "Range", Value: "192.0.2.0/33", Duration: "1h"}:                  ErrValue,
		{Scope: "Username", Value: "  ", Duration: "1h"}:                         ErrValue,
		{Scope: "Username", Value: strings.Repeat("x", 1<<20), Duration: "1h"}:   ErrValue,
		{Scope: "Ip", Value: "192.0.2.1", Duration: "4 hours"}:                   ErrDuration,
		{Scope: "Ip", Value: "192.0.2.1", Duration: "99999999999999999999h0m0s"}: ErrDuration,
	} {
		if _, err := Parse(in, start); !errors.Is(err, want) || len(err.Error()) > 200 {
			t.Errorf("%.80v: got %v, want %v", in, err, want)
		}
	}
}

func TestStrictestThenLongestCounts(t *testing.T) {
	table := New(0)
	table.Apply([]Decision{
		decide(1, "Ip", "192.0.2.1", "captcha", 9*time.Hour),
		decide(2, "Ip", "192.0.2.1", "ban", time.Hour),
		decide(3, "Range", "192.0.2.0/24", "ban", 2*time.Hour),
		decide(4, "Range", "192.0.0.0/16", "throttle", 99*time.Hour),
		decide(5, "Username", "bob", "ban", time.Hour),
		decide(6, "Ip", "2001:db8::1", "ban", time.Hour),
	}, nil, start)
	for _, c := range []struct {
		addr string
		at   time.Duration
		want int64 // 0: none
	}{
		{"192.0.2.1", 0, 3},
		{"::ffff:192.0.2.1", 0, 3},
		{"192.0.2.1", 90 * time.Minute, 3},
		{"192.0.2.1", 3 * time.Hour, 1}, // the bans are over, the captcha runs
		{"192.0.2.1", 10 * time.Hour, 0},
		{"192.0.2.9", 0, 3},
		{"192.0.3.9", 0, 0}, // a type that csmail does not know does nothing
		{"2001:db8::1", 0, 6},
		{"2001:db8::2", 0, 0},
	} {
		d, found := table.Lookup(netip.MustParseAddr(c.addr), start.Add(c.at))
		if d.ID != c.want || found != (c.want != 0) {
			t.Errorf("%s after %s: got %d, want %d", c.addr, c.at, d.ID, c.want)
		}
	}
	if _, found := table.Lookup(netip.Addr{}, start); found {
		t.Error("a decision on no address")
	}
	for name, want := range map[string]int64{"bob": 5, "BOB": 5, "bob@example.org": 0, "": 0, strings.Repeat("b", 1000): 0} {
		if d, _ := table.LookupAccount(name, start); d.ID != want {
			t.Errorf("account %.20q: got %d, want %d", name, d.ID, want)
		}
	}
}

func TestRemovingOneLeavesTheOthers(t *testing.T) {
	table, addr := New(0), netip.MustParseAddr("192.0.2.1")
	table.Apply([]Decision{ban(1, "192.0.2.1", time.Hour), ban(2, "192.0.2.1", 2*time.Hour), ban(3, "192.0.2.0/24", time.Minute)}, nil, start)
	for _, step := range []struct{ remove, want int64 }{{2, 1}, {2, 1}, {1, 3}, {77, 3}, {3, 0}} {
		table.Apply(nil, []int64{step.remove}, start)
		if d, _ := table.Lookup(addr, start); d.ID != step.want {
			t.Errorf("without %d: got %d, want %d", step.remove, d.ID, step.want)
		}
	}
	if table.Len() != 0 || table.local != 0 {
		t.Errorf("%d decisions are left, %d counted", table.Len(), table.local)
	}
}

func TestLimitLeavesRoomForOurOwn(t *testing.T) {
	table := New(10)
	var many []Decision
	for i := range int64(500_000) / 100 {
		d := ban(i+1, fmt.Sprintf("192.0.%d.%d", i/256, i%256), time.Hour)
		d.Origin = "CAPI"
		many = append(many, d)
	}
	if a := table.Apply(many, nil, start); a.Added != 10 || a.Refused != len(many)-10 || table.Refused() != uint64(a.Refused) {
		t.Errorf("got %+v", a)
	}
	if a := table.Apply([]Decision{ban(999_999, "198.51.100.1", time.Hour)}, nil, start); a.Added != 1 {
		t.Errorf("our own: %+v", a)
	}
}

func TestCompare(t *testing.T) {
	table := New(0)
	theirs := ban(9, "203.0.113.9", time.Hour)
	theirs.Origin = "CAPI"
	table.Apply([]Decision{ban(1, "192.0.2.1", time.Hour), ban(2, "192.0.2.2", time.Hour), ban(3, "192.0.2.3", 5*time.Second), theirs}, nil, start)
	diff := table.Compare([]Decision{ban(1, "192.0.2.1", time.Hour), ban(4, "192.0.2.4", time.Hour)}, (*Decision).IsLocal, start, 10*time.Second)
	if len(diff.Missing) != 1 || diff.Missing[0].ID != 4 || !slices.Equal(diff.Left, []int64{2}) {
		t.Errorf("got %+v", diff)
	}
	if diff = table.Compare(nil, nil, start, 0); len(diff.Left) != 4 {
		t.Errorf("all: %+v", diff)
	}
}

func TestExpireGivesMemoryBack(t *testing.T) {
	table := New(0)
	table.Apply([]Decision{ban(1, "192.0.2.1", time.Hour), ban(2, "192.0.2.2", 3*time.Hour), decide(3, "Username", "bob", "ban", time.Hour)}, nil, start)
	if n := table.Expire(start.Add(2 * time.Hour)); n != 2 || table.Len() != 1 || len(table.view.Load().accounts) != 0 {
		t.Errorf("%d removed, %d left", n, table.Len())
	}
}

func TestSnapshot(t *testing.T) {
	table := New(0)
	table.Apply([]Decision{
		ban(1, "192.0.2.1", time.Hour), ban(2, "192.0.2.2", 3*time.Hour), decide(3, "Username", "bob", "captcha", 9*time.Hour),
		decide(4, "Range", "2001:db8::/32", "ban", 9*time.Hour), ban(5, "192.0.2.5", 999999*time.Hour),
	}, nil, start)
	b := table.AppendSnapshot(nil)
	restored := New(0)
	if err := restored.Restore(b, start.Add(2*time.Hour), 365*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for d := range restored.All() {
		ids = append(ids, d.ID)
		if !same(table.byID[d.ID], &d) || d.Origin != "crowdsec" || d.Scenario != "csmail/auth-bf" {
			t.Errorf("got %+v", d)
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, []int64{2, 3, 4}) {
		t.Errorf("got %v: 1 has ended and 5 ends in a hundred years", ids)
	}
	for _, bad := range [][]byte{nil, {}, {9}, b[:len(b)-1], append(slices.Clone(b), 0)} {
		if err := restored.Restore(bad, start, time.Hour); err == nil || restored.Len() != 3 {
			t.Errorf("%.20v: %v, %d decisions", bad, err, restored.Len())
		}
	}
}

// A snapshot that an older csmail of the same version wrote is read.
func TestSnapshotOfAnOlderRelease(t *testing.T) {
	b, err := os.ReadFile("testdata/snapshot-1")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_780_000_000, 0)
	table := New(0)
	if err := table.Restore(b, now, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	var got []string
	for d := range table.All() {
		got = append(got, fmt.Sprintf("%d %s %s %s %s", d.ID, d.Value(), d.Until.Sub(now), d.Origin, d.Scenario))
	}
	slices.Sort(got)
	want := []string{"-5 192.0.2.1 1h0m0s csmail a/b", "300 bob@example.org 3h0m0s cscli manual", "7 2001:db8::/64 2h0m0s csmail a/b"}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzRestore(f *testing.F) {
	table := New(0)
	table.Apply([]Decision{ban(1, "192.0.2.1", time.Hour), decide(3, "Username", "bob", "captcha", time.Hour)}, nil, start)
	f.Add(table.AppendSnapshot(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		table := New(100)
		if table.Restore(b, start, time.Hour) != nil && table.Len() > 0 {
			t.Error("half a snapshot was taken")
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("Ip", "192.0.2.1", "ban", "4h")
	f.Add("Range", "::ffff:192.0.2.0/120", "captcha", "-1h")
	f.Add("Username", "bob", "x", "1ns")
	f.Fuzz(func(t *testing.T, scope, value, kind, duration string) {
		d, err := Parse(Raw{ID: 1, Scope: scope, Value: value, Type: kind, Duration: duration}, start)
		if err != nil {
			return
		}
		if (d.Account == "") == !d.Network.IsValid() || d.Network.Addr().Is4In6() {
			t.Errorf("%+v is about nothing or about two things", d)
		}
		table := New(10)
		table.Apply([]Decision{d}, nil, start)
		table.Apply(nil, []int64{1}, start)
		if table.Len() != 0 {
			t.Errorf("%+v stays", d)
		}
	})
}

// The table answers what a plain list of decisions would, after any changes.
func TestModel(t *testing.T) {
	values := []string{"192.0.2.1", "192.0.2.2", "192.0.2.0/24", "192.0.0.0/16", "2001:db8::1", "2001:db8::/64", "bob", "eve"}
	rapid.Check(t, func(t *rapid.T) {
		table, model, now := New(0), map[int64]Decision{}, start
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			var add []Decision
			for range rapid.SampledFrom([]int{0, 1, 3, 300}).Draw(t, "add") {
				value := rapid.SampledFrom(values).Draw(t, "value")
				scope := "Range"
				if value == "bob" || value == "eve" {
					scope = "Username"
				}
				d := decide(rapid.Int64Range(1, 400).Draw(t, "id"), scope, value, rapid.SampledFrom([]string{"ban", "captcha", "x"}).Draw(t, "type"), 0)
				d.Until = now.Add(time.Duration(rapid.IntRange(-1, 20).Draw(t, "left")) * 10 * time.Second)
				add = append(add, d)
				if d.Until.After(now) {
					model[d.ID] = d
				} else {
					delete(model, d.ID)
				}
			}
			remove := rapid.SliceOfN(rapid.Int64Range(1, 400), 0, 5).Draw(t, "remove")
			for _, id := range remove {
				delete(model, id)
			}
			table.Apply(add, remove, now)
			now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "passes")) * 10 * time.Second)
			if rapid.Bool().Draw(t, "expire") {
				table.Expire(now)
				for id, d := range model {
					if !d.Until.After(now) {
						delete(model, id)
					}
				}
			}
			check(t, table, model, now)
		}
	})
}

func check(t *rapid.T, table *Table, model map[int64]Decision, now time.Time) {
	if table.Len() != len(model) || table.local+table.other != len(model) {
		t.Fatalf("%d decisions, want %d", table.Len(), len(model))
	}
	for _, text := range []string{"192.0.2.1", "192.0.2.77", "192.0.9.9", "2001:db8::1", "2001:db8::2"} {
		addr := netip.MustParseAddr(text)
		var want *Decision
		for _, d := range model {
			if d.Network.Contains(addr) && d.Type != Other && d.Until.After(now) && (want == nil || stricter(&d, want)) {
				want = &d
			}
		}
		got, found := table.Lookup(addr, now)
		if found != (want != nil) || found && (got.Type != want.Type || !got.Until.Equal(want.Until)) {
			t.Fatalf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

// Eight readers ask while the table changes.
func TestReadWhileItChanges(t *testing.T) {
	table := New(0)
	table.Apply([]Decision{decide(1, "Range", "192.0.2.0/24", "ban", time.Hour)}, nil, start)
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if d, found := table.Lookup(netip.MustParseAddr("192.0.2.7"), start); !found || d.Type != Ban {
					t.Errorf("the network is not banned for a moment: %+v", d)
					return
				}
				table.LookupAccount("bob", start)
			}
		})
	}
	for round := range 40 {
		var many []Decision
		for i := range []int{3, 600}[round%2] {
			many = append(many, ban(int64(i+2), fmt.Sprintf("192.0.2.%d", i%256), time.Duration(round+1)*time.Minute), decide(int64(i+10_000), "Username", "bob", "ban", time.Hour))
		}
		table.Apply(many, []int64{2, 3, 10_001}, start)
	}
	close(done)
	group.Wait()
}

// fill returns a table of so many addresses of all over the internet, and some of them.
func fill(n int) (*Table, []netip.Addr) {
	table, addrs := New(n+1), make([]netip.Addr, 0, 1024)
	all := make([]Decision, 0, n)
	x := uint32(1)
	for i := range n {
		x = x*1664525 + 1013904223
		addr := netip.AddrFrom4([4]byte{byte(x>>24) | 1, byte(x >> 16), byte(x >> 8), byte(i)})
		d := Decision{ID: int64(i + 1), Type: Ban, Network: netip.PrefixFrom(addr, 32), Origin: label("CAPI"), Scenario: label("crowdsecurity/x"), Until: start.Add(time.Hour)}
		all = append(all, d)
		if len(addrs) < 1024 {
			addrs = append(addrs, addr)
		}
	}
	table.Apply(all, nil, start)
	return table, addrs
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemory(t *testing.T) {
	before := heap()
	table, _ := fill(100_000)
	used := heap() - before
	if used > 45<<20 { // with the rest of a process it must stay under 60 MB
		t.Errorf("100,000 decisions take %d MB", used>>20)
	}
	t.Logf("100,000 decisions: %.1f MB of heap, snapshot %d KB", float64(used)/(1<<20), len(table.AppendSnapshot(nil))>>10)
	runtime.KeepAlive(table)
}

func BenchmarkLookup(b *testing.B) {
	table, addrs := fill(100_000)
	miss := make([]netip.Addr, 1024)
	for i := range miss {
		miss[i] = netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
	}
	for name, list := range map[string][]netip.Addr{"hit": addrs, "miss": miss} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				table.Lookup(list[i%1024], start)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	table, _ := fill(100_000)
	b.Run("one", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			table.Apply([]Decision{ban(200_000, "203.0.113.7", time.Duration(i%2+1)*time.Hour)}, nil, start)
		}
	})
	b.Run("compare-all", func(b *testing.B) {
		var all []Decision
		for d := range table.All() {
			all = append(all, d)
		}
		for b.Loop() {
			table.Compare(all, nil, start, time.Second)
		}
	})
}
