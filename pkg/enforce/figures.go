package enforce

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// figures count the questions at the doors. Counting a question takes no lock.
type figures struct {
	doors  [doorCount]doorFigures
	spared atomic.Uint64

	mu     sync.Mutex
	drops  map[Drop]uint64
	recent []Refused
}

type doorFigures struct {
	v4, v6, none atomic.Uint64
	last         atomic.Int64 // when it was asked, as time.Time.UnixNano has it
	buckets      [len(Bounds) + 1]atomic.Uint64
	spent        atomic.Int64
	errors       atomic.Uint64
	connections  atomic.Int64
}

// Bounds are the upper bounds of the times that answers take, for a histogram.
var Bounds = [...]time.Duration{
	time.Microsecond, 2 * time.Microsecond, 5 * time.Microsecond, 10 * time.Microsecond, 50 * time.Microsecond,
	100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond,
}

// Drop describes a refusal, in the labels of CrowdSec's bouncers.
type Drop struct {
	Door, Origin, Remediation, IPType string
	DryRun                            bool
}

// Refused is a refusal as a person is shown it, without the account.
type Refused struct {
	At      time.Time
	Door    Door
	Service string
	Addr    netip.Addr
	ID      int64
	Origin  string
	Type    string
	DryRun  bool
	Account bool // the decision was on an account
}

const maxRecent = 50

func (f *figures) asked(d Door, addr netip.Addr, took time.Duration) {
	door := &f.doors[d]
	switch {
	case addr.Is4():
		door.v4.Add(1)
	case addr.Is6():
		door.v6.Add(1)
	default:
		door.none.Add(1)
	}
	door.last.Store(time.Now().UnixNano())
	door.spent.Add(int64(took))
	n := 0
	for n < len(Bounds) && took > Bounds[n] {
		n++
	}
	door.buckets[n].Add(1)
}

func (f *figures) refused(q Query, v Verdict, dry bool, at time.Time) {
	d := &v.Decision
	origin := d.Origin
	if origin == "lists" && d.Scenario != "" {
		origin = "lists:" + d.Scenario
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drops == nil {
		f.drops = map[Drop]uint64{}
	}
	key := Drop{Door: q.Door.String(), Origin: origin, Remediation: d.Type.String(), IPType: ipType(q.Addr), DryRun: dry}
	if _, known := f.drops[key]; known || len(f.drops) < 1000 {
		f.drops[key]++
	}
	if len(f.recent) == maxRecent {
		f.recent = f.recent[1:]
	}
	f.recent = append(f.recent, Refused{
		At: at, Door: q.Door, Service: q.Service, Addr: q.Addr, ID: d.ID, Origin: origin, Type: d.Type.String(), DryRun: dry, Account: d.Account != "",
	})
}

func ipType(addr netip.Addr) string {
	switch {
	case addr.Is4():
		return "ipv4"
	case addr.Is6():
		return "ipv6"
	}
	return ""
}

// Figures are the counts of the doors since the start.
type Figures struct {
	Doors  []DoorFigures
	Drops  map[Drop]uint64
	Recent []Refused // newest last
	Spared uint64    // clients with a decision that are never refused
}

// DoorFigures are those of one door.
type DoorFigures struct {
	Door        string
	Asked       map[string]uint64 // by "ipv4", "ipv6", "" for no address
	Last        time.Time         // when it was asked last; zero: never
	Buckets     []uint64          // of Bounds, and one more
	Spent       time.Duration
	Errors      uint64 // questions that were none
	Connections int
}

// Figures returns them.
func (g *Gate) Figures() Figures {
	f := &g.figures
	all := Figures{Spared: f.spared.Load(), Drops: map[Drop]uint64{}}
	for i := range f.doors {
		d := &f.doors[i]
		one := DoorFigures{
			Door:  Door(i).String(),
			Asked: map[string]uint64{"ipv4": d.v4.Load(), "ipv6": d.v6.Load(), "": d.none.Load()},
			Spent: time.Duration(d.spent.Load()), Errors: d.errors.Load(), Connections: int(d.connections.Load()),
		}
		if last := d.last.Load(); last != 0 {
			one.Last = time.Unix(0, last)
		}
		for n := range d.buckets {
			one.Buckets = append(one.Buckets, d.buckets[n].Load())
		}
		all.Doors = append(all.Doors, one)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, n := range f.drops {
		all.Drops[k] = n
	}
	all.Recent = append(all.Recent, f.recent...)
	return all
}

// Failed counts a question that a door could not read.
func (g *Gate) Failed(d Door) { g.figures.doors[d].errors.Add(1) }

// Connected counts connections that are open, by how much they change.
func (g *Gate) Connected(d Door, change int) {
	g.figures.doors[d].connections.Add(int64(change))
}
