package merge

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

var noon = time.Date(2026, 6, 3, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// factAt is a fact that names itself.
func factAt(seconds int, text string) wire.Fact {
	return wire.Fact{Place: at(seconds), Record: event.Record{Outcome: event.Witness, Event: event.Event{Time: at(seconds), Message: text}}}
}

// batchOf is a batch of facts whose numbers begin with first.
func batchOf(first uint64, through int, facts ...wire.Fact) *wire.Batch {
	return &wire.Batch{Epoch: 1, First: first, Sent: at(through), Through: at(through), Facts: facts}
}

// drain takes all facts whose turn has come.
func drain(m *Merger) []string {
	var all []string
	for f, name := m.Next(); f != nil; f, name = m.Next() {
		all = append(all, name+" "+f.Record.Message)
	}
	return all
}

func TestOrderOfHosts(t *testing.T) {
	m := New(Options{})
	m.Expect([]string{"mx1", "mx2"})
	m.Add("mx2", batchOf(0, 10, factAt(1, "a"), factAt(5, "b"), factAt(9, "c")), at(10))
	if got := drain(m); got != nil {
		t.Fatalf("got %q before anything was heard of mx1, want nothing", got)
	}
	m.Add("mx1", batchOf(0, 6, factAt(1, "d"), factAt(5, "e")), at(11))
	if got, want := drain(m), []string{"mx1 d", "mx2 a", "mx1 e", "mx2 b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := m.Watermark(); !got.Equal(at(6)) {
		t.Errorf("got watermark %v, want %v", got, at(6))
	}
}

// An offence that was released by time comes before what happened just then elsewhere.
func TestExpiredComesFirst(t *testing.T) {
	m := New(Options{})
	expired := factAt(5, "expired")
	expired.Expired = true
	m.Add("mx1", batchOf(0, 9, factAt(5, "line")), at(9))
	m.Add("mx2", batchOf(0, 9, expired), at(9))
	if got, want := drain(m), []string{"mx2 expired", "mx1 line"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumbers(t *testing.T) {
	two := func(first uint64) *wire.Batch { return batchOf(first, 10, factAt(1, "x"), factAt(2, "y")) }
	for name, tt := range map[string]struct {
		batches []*wire.Batch
		want    []Taken
		next    Position
	}{
		"in order":               {[]*wire.Batch{two(0), two(2)}, []Taken{All, All}, Position{1, 4}},
		"again":                  {[]*wire.Batch{two(0), two(0)}, []Taken{All, Nothing}, Position{1, 2}},
		"cut anew":               {[]*wire.Batch{two(0), two(1)}, []Taken{All, Part}, Position{1, 3}},
		"a gap":                  {[]*wire.Batch{two(0), two(3)}, []Taken{All, Gap}, Position{1, 2}},
		"a gap that is filled":   {[]*wire.Batch{two(0), two(4), two(2), two(4)}, []Taken{All, Gap, All, All}, Position{1, 6}},
		"a gap at the start":     {[]*wire.Batch{two(2), two(0)}, []Taken{Gap, All}, Position{1, 2}},
		"a gap for good":         {[]*wire.Batch{two(0), {Epoch: 1, First: 8, Oldest: 8, Facts: two(0).Facts}}, []Taken{All, All}, Position{1, 10}},
		"a new life":             {[]*wire.Batch{two(0), {Epoch: 2, Facts: two(0).Facts}, two(2)}, []Taken{All, All, Stale}, Position{2, 2}},
		"a new life with a gap":  {[]*wire.Batch{two(0), {Epoch: 2, First: 1, Facts: two(0).Facts}}, []Taken{All, Gap}, Position{1, 2}},
		"a heartbeat":            {[]*wire.Batch{two(0), batchOf(2, 11)}, []Taken{All, All}, Position{1, 2}},
		"a heartbeat with a gap": {[]*wire.Batch{two(0), batchOf(3, 11)}, []Taken{All, Gap}, Position{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Options{})
			var got []Taken
			for _, b := range tt.batches {
				got = append(got, m.Add("mx1", b, at(12)))
			}
			if !slices.Equal(got, tt.want) || m.Positions()["mx1"] != tt.next {
				t.Errorf("got %v and %+v, want %v and %+v", got, m.Positions()["mx1"], tt.want, tt.next)
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	m := New(Options{})
	m.Expect([]string{"mx1"})
	if got := m.Add("mx9", batchOf(0, 10, factAt(1, "x")), at(10)); got != Stranger {
		t.Errorf("got %v, want %v", got, Stranger)
	}
	m.Expect([]string{"mx1", "mx9"})
	if got := m.Add("mx9", batchOf(0, 10, factAt(1, "x")), at(10)); got != All {
		t.Errorf("got %v of a host that was added, want %v", got, All)
	}
}

// A host that got another name goes on where it was: what it sends again counts once. A
// host that is still a member keeps its place, whatever another one claims.
func TestRenamedHost(t *testing.T) {
	for name, tt := range map[string]struct {
		members []string
		taken   Taken
		want    []string
	}{
		"renamed": {[]string{"mx1", "mx2b"}, Part, []string{"mx2 a", "mx2 b", "mx2b c"}},
		"claimed": {[]string{"mx1", "mx2", "mx2b"}, Gap, []string{"mx2 a", "mx2 b"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Options{Late: time.Second})
			m.Expect([]string{"mx1", "mx2"})
			m.Add("mx1", &wire.Batch{Epoch: 7, Sent: at(1), Through: at(1)}, at(1))
			m.Add("mx2", batchOf(0, 3, factAt(1, "a"), factAt(2, "b")), at(3))
			m.Expect(tt.members)
			if got := m.Add("mx2b", batchOf(1, 5, factAt(2, "b"), factAt(4, "c")), at(5)); got != tt.taken {
				t.Errorf("got %v, want %v", got, tt.taken)
			}
			for second := 5; second < 10; second++ {
				m.Add("mx1", &wire.Batch{Epoch: 7, Sent: at(second), Through: at(second)}, at(second))
			}
			if got := drain(m); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			wantOrigin := map[bool]string{true: "mx2", false: "mx2b"}[name == "renamed"]
			restored := New(Options{})
			if err := restored.Restore(m.AppendSnapshot(nil)); err != nil || restored.Origin("mx2b") != wantOrigin || restored.Origin("mx1") != "mx1" {
				t.Errorf("got the origin %q (%v), want %q", restored.Origin("mx2b"), err, wantOrigin)
			}
			_, isKept := m.Positions()["mx2"]
			if isKept != slices.Contains(tt.members, "mx2") {
				t.Errorf("got positions %v of members %q", m.Positions(), tt.members)
			}
		})
	}
}

// A silent host holds the others up for a while, by the stream's clock: not while nobody
// can send anything.
func TestSilentHost(t *testing.T) {
	m := New(Options{Late: 10 * time.Second})
	m.Add("mx1", batchOf(0, 1), at(1))
	m.Add("mx2", batchOf(0, 1), at(1))
	m.Add("mx2", batchOf(0, 500, factAt(499, "after the outage")), at(500)) // nobody could send
	if got := drain(m); got != nil {
		t.Fatalf("got %q after an outage of the broker, want nothing", got)
	}
	for second := 501; second <= 511; second++ {
		m.Add("mx2", batchOf(1, second), at(second))
	}
	if got, want := drain(m), []string{"mx2 after the outage"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	m.Add("mx1", batchOf(0, 511, factAt(300, "late")), at(511))
	if got, want := drain(m), []string{"mx1 late"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := m.Edges()[0].LateFacts; got != 1 {
		t.Errorf("got %d late facts, want 1", got)
	}
}

// A host that reads back what is long past holds nobody up; neither does one that lies
// about the future make the others late.
func TestWhoIsWaitedFor(t *testing.T) {
	m := New(Options{Late: 10 * time.Second})
	m.Expect([]string{"back", "liar", "mx1"})
	m.Add("liar", &wire.Batch{Epoch: 1, Sent: at(100), Through: at(100000)}, at(100))
	m.Add("back", &wire.Batch{Epoch: 1, Sent: at(100), Through: at(-100000)}, at(100))
	m.Add("mx1", batchOf(0, 100, factAt(99, "x"), factAt(100, "y")), at(100))
	if got, want := drain(m), []string{"mx1 x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A host that tells of the future, with its clock in order, does not put the judges' clock
// ahead.
func TestFuture(t *testing.T) {
	m := New(Options{})
	f := factAt(90_000, "x")
	f.Record.Time = at(99_000)
	f.Released = []wire.Release{{Record: f.Record, At: at(99_000)}}
	f.Superseded = []event.Record{f.Record}
	m.Add("liar", &wire.Batch{Epoch: 1, Sent: at(100), Through: at(100_000), Facts: []wire.Fact{f}}, at(100))
	m.Add("liar", &wire.Batch{Epoch: 1, First: 1, Sent: at(200), Through: at(100_000)}, at(200))
	got, _ := m.Next()
	if got == nil {
		t.Fatal("got nothing, want the fact")
	}
	for name, when := range map[string]time.Time{
		"place": got.Place, "record": got.Record.Time, "release": got.Released[0].At, "released": got.Released[0].Record.Time, "superseded": got.Superseded[0].Time,
	} {
		if want := at(102); when.After(want) {
			t.Errorf("%s: got %v, want %v at the latest", name, when, want)
		}
	}
}

func TestSkew(t *testing.T) {
	for name, tt := range map[string]struct {
		ahead   time.Duration // of the host's clock
		batches int
		want    time.Duration
	}{
		"right":              {0, 20, 0},
		"a little ahead":     {time.Second, 20, 0},
		"ahead":              {90 * time.Second, 1, -90 * time.Second},
		"a day ahead":        {24 * time.Hour, 1, -24 * time.Hour},
		"behind":             {-90 * time.Second, 20, 90 * time.Second},
		"ten minutes behind": {-10 * time.Minute, 20, 10 * time.Minute},
		"slow on its way":    {-90 * time.Second, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Options{})
			var b *wire.Batch
			for i := range tt.batches {
				f := factAt(i, "x")
				f.Place, f.Record.Time = f.Place.Add(tt.ahead), f.Record.Time.Add(tt.ahead)
				b = &wire.Batch{Epoch: 1, First: uint64(i), Sent: at(i).Add(tt.ahead), Through: at(i).Add(tt.ahead), Facts: []wire.Fact{f}}
				m.Add("mx1", b, at(i))
			}
			if got := m.Edges()[0].Skew; got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := m.Edges()[0].Through; tt.want != 0 && !got.Equal(at(tt.batches-1)) {
				t.Errorf("got through %v, want %v", got, at(tt.batches-1))
			}
		})
	}
}

// What waits is bounded: beyond it the earliest are released, whoever holds them up.
func TestWaitingIsBounded(t *testing.T) {
	m := New(Options{MaxWaiting: 100, Late: time.Hour})
	m.Expect([]string{"mx1", "silent"})
	for i := range 1000 {
		m.Add("mx1", batchOf(uint64(i), i, factAt(i, "x")), at(i))
		drain(m)
	}
	if m.Waiting() != 100 {
		t.Errorf("got %d facts that wait, want 100", m.Waiting())
	}
}

// host is what one host has to send, and what of it was sent.
type host struct {
	name  string
	facts []wire.Fact
	sent  int // all before were sent once
}

// However the facts of hosts are cut into batches, repeated and interleaved, each is
// released once and in the order of a sort; and two mergers that took the same are the
// same, also if one of them was restored in between.
func TestMergeIsASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hosts []*host
		var want []string
		type placed struct {
			place time.Time
			name  string
			n     int
		}
		var all []placed
		for i := range rapid.IntRange(1, 4).Draw(t, "hosts") {
			h := &host{name: fmt.Sprint("mx", i)}
			place := 0
			for n := range rapid.IntRange(0, 12).Draw(t, "facts") {
				place += rapid.IntRange(0, 3).Draw(t, "gap")
				h.facts = append(h.facts, factAt(place, fmt.Sprint(n)))
				all = append(all, placed{at(place), h.name, n})
			}
			hosts = append(hosts, h)
		}
		slices.SortFunc(all, func(a, b placed) int {
			return cmp.Or(a.place.Compare(b.place), cmp.Compare(a.name, b.name), cmp.Compare(a.n, b.n))
		})
		for _, p := range all {
			want = append(want, fmt.Sprint(p.name, " ", p.n))
		}
		one, other := New(Options{Late: time.Hour}), New(Options{Late: time.Hour})
		names := []string{}
		for _, h := range hosts {
			names = append(names, h.name)
		}
		one.Expect(names)
		other.Expect(names)
		var got []string
		send := func(h *host, from, to int, ended bool) {
			b := &wire.Batch{Epoch: 1, First: uint64(from), Sent: at(1000), Through: at(0), Ended: ended, Facts: h.facts[from:to]}
			if to > 0 {
				b.Through = h.facts[to-1].Place
			}
			one.Add(h.name, b, at(1000))
			other.Add(h.name, b, at(1000))
			got = append(got, drain(one)...)
			if again := drain(other); len(again) > 0 && !slices.Equal(again, got[len(got)-len(again):]) {
				t.Fatalf("got %q of the other merger, want %q", again, got[len(got)-len(again):])
			}
		}
		for range rapid.IntRange(0, 60).Draw(t, "batches") {
			h := rapid.SampledFrom(hosts).Draw(t, "host")
			from := rapid.IntRange(0, min(len(h.facts), h.sent+2)).Draw(t, "from") // beyond sent is a gap
			to := rapid.IntRange(from, len(h.facts)).Draw(t, "to")
			send(h, from, to, false)
			if from <= h.sent {
				h.sent = max(h.sent, to)
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				snapshot := other.AppendSnapshot(nil)
				other = New(Options{Late: time.Hour})
				if err := other.Restore(snapshot); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(snapshot, one.AppendSnapshot(nil)) {
					t.Fatal("two mergers of the same batches differ")
				}
			}
		}
		for _, h := range hosts {
			send(h, h.sent, len(h.facts), true)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		if !one.Ended() || one.Waiting() != 0 {
			t.Fatalf("got ended %t and %d facts that wait, want true and 0", one.Ended(), one.Waiting())
		}
	})
}

// A distrusted host counts for nothing, holds nobody up, and its facts that wait are dropped;
// once the members were named without it and with it again, a new life of it counts from its
// beginning, whatever epoch the thief chose.
func TestDistrust(t *testing.T) {
	m := New(Options{})
	m.Expect([]string{"mx1", "mx2", "mx3"})
	add := func(name string, epoch uint64, first uint64, second int, text string) Taken {
		b := batchOf(first, second, factAt(second, text))
		b.Epoch = epoch
		return m.Add(name, b, at(second))
	}
	add("mx1", 1, 0, 5, "a")
	add("mx2", 1<<63, 0, 2, "b")
	add("mx3", 1, 0, 6, "c")
	m.Distrust("mx2")
	if got := add("mx2", 1<<63, 1, 3, "d"); got != Distrusted {
		t.Errorf("a batch of the distrusted host: got %v", got)
	}
	restored := New(Options{})
	if err := restored.Restore(m.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	m = restored
	if got := add("mx2", 1<<63, 1, 4, "e"); got != Distrusted {
		t.Errorf("after a restart: got %v", got)
	}
	if m.Waiting() != 2 {
		t.Errorf("got %d facts that wait, want the two of the others", m.Waiting())
	}
	add("mx1", 1, 1, 10, "f")
	add("mx3", 1, 1, 10, "g")
	if got, want := drain(m), []string{"mx1 a", "mx3 c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	m.Expect([]string{"mx1", "mx2", "mx3"}) // the same members again change nothing
	if got := add("mx2", 1<<63, 2, 11, "h"); got != Distrusted {
		t.Errorf("after the same members: got %v", got)
	}
	m.Expect([]string{"mx1", "mx3"})
	if got := add("mx2", 1<<63, 3, 12, "i"); got != Stranger {
		t.Errorf("after it was taken out: got %v", got)
	}
	m.Expect([]string{"mx1", "mx2", "mx3"})
	if got := add("mx2", 5, 0, 13, "j"); got != All {
		t.Errorf("after it was installed anew: got %v", got)
	}
	m.Distrust("mx9") // of no member
}

// A host is blank if the first that was taken of it began in the middle: the facts before are
// lost for this Merger, not for others. One that was known before is not, nor one that reads all
// of its log again.
func TestBlank(t *testing.T) {
	later := func(first uint64) *wire.Batch {
		b := batchOf(first, 9, factAt(5, "x"))
		b.Oldest = first
		return b
	}
	again := func(epoch uint64) *wire.Batch {
		b := batchOf(0, 9, factAt(5, "x"))
		b.Epoch = epoch
		return b
	}
	for name, tt := range map[string]struct {
		take func(m *Merger)
		want []string
	}{
		"from the beginning": {func(m *Merger) { m.Add("mx1", batchOf(0, 9, factAt(5, "x")), at(9)) }, nil},
		"from the middle":    {func(m *Merger) { m.Add("mx1", later(7), at(9)) }, []string{"mx1"}},
		"a gap that the host fills": {func(m *Merger) {
			m.Add("mx1", batchOf(7, 9, factAt(5, "x")), at(9))
			m.Add("mx1", batchOf(0, 9, factAt(5, "x")), at(9))
		}, nil},
		"a loss later": {func(m *Merger) {
			m.Add("mx1", batchOf(0, 9, factAt(5, "x")), at(9))
			m.Add("mx1", later(7), at(9))
		}, nil},
		"in the middle, and on": {func(m *Merger) {
			m.Add("mx1", later(7), at(9))
			m.Add("mx1", later(8), at(9))
		}, []string{"mx1"}},
		"all is read again": {func(m *Merger) {
			m.Add("mx1", later(7), at(9))
			m.Add("mx1", again(2), at(9))
		}, nil},
		"no member any more": {func(m *Merger) {
			m.Add("mx1", later(7), at(9))
			m.Expect([]string{"mx2"})
		}, nil},
		"another name": {func(m *Merger) {
			m.Add("mx1", later(7), at(9))
			m.Expect([]string{"mx1b", "mx2"})
			m.Add("mx1b", later(8), at(9))
		}, []string{"mx1b"}},
		"distrusted before": {func(m *Merger) {
			m.Add("mx1", batchOf(0, 9, factAt(5, "x")), at(9))
			m.Distrust("mx1")
			m.Expect([]string{"mx2"})
			m.Expect([]string{"mx1", "mx2"})
			m.Add("mx1", later(7), at(9))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Options{})
			m.Expect([]string{"mx1", "mx2"})
			tt.take(m)
			restored := New(Options{})
			if err := restored.Restore(m.AppendSnapshot(nil)); err != nil {
				t.Fatal(err)
			}
			for when, m := range map[string]*Merger{"": m, ", after a restart": restored} {
				if got := m.Blank(); !slices.Equal(got, tt.want) {
					t.Errorf("got %q%s, want %q", got, when, tt.want)
				}
			}
		})
	}
}

// A snapshot of before hosts could be distrusted is read.
func TestSnapshotOfVersion2(t *testing.T) {
	b := []byte{2}
	c := &wire.Codec{B: b}
	m := New(Options{})
	m.Expect([]string{"mx1", "mx2"})
	m.Add("mx1", batchOf(0, 9, factAt(5, "a"), factAt(7, "b")), at(9))
	m.encode(c, 2)
	restored := New(Options{})
	if err := restored.Restore(c.B); err != nil {
		t.Fatal(err)
	}
	if got, want := restored.AppendSnapshot(nil), m.AppendSnapshot(nil); !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

func TestDamagedSnapshot(t *testing.T) {
	m := New(Options{})
	m.Add("mx1", batchOf(0, 10, factAt(1, "x"), factAt(50, "y")), at(10))
	b := m.AppendSnapshot(nil)
	for n := range b {
		if err := New(Options{}).Restore(b[:n]); err == nil {
			t.Errorf("a snapshot cut to %d of %d bytes was restored, want an error", n, len(b))
		}
	}
}
