// Package merge puts the facts of many hosts into one order, the same wherever and
// whenever it is done: it depends on nothing but the sequence of the batches, and the
// stamps that the broker gave them. So two judges of one stream count the same.
//
// The order is that of replay for several logs: by place, which is the time of a fact or,
// if that came late, of the latest before it on its host; then by the host's name; then
// by number. A fact is released once no host that is waited for can send an earlier one.
//
// It trusts the broker with nothing but the order: each fact of a host has a number, is
// taken once, and is refused while one before it is missing. It is synchronous, bounded
// in memory, and does no I/O. Its times are those of the batches.
package merge

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"csmail/pkg/wire"
)

// Options are the limits of a Merger. All judges of a stream need the same.
type Options struct {
	// Late is how long the others wait for a host that is silent, or that is behind the
	// foremost one. 0 is 10 s.
	Late time.Duration
	// MaxWaiting is the number of facts that wait for their turn; beyond it the earliest
	// are released. 0 is 500,000.
	MaxWaiting int
}

// Taken is the outcome of adding a batch.
type Taken uint8

// The outcomes.
const (
	All        Taken = iota // every fact of it is new, or there is none in it
	Part                    // facts of it were taken before, from another batch
	Nothing                 // all facts of it were taken before
	Gap                     // facts before it are missing, so that it was refused
	Stale                   // it is of an earlier life of the host, and was refused
	Stranger                // the host is not a member
	Distrusted              // see Distrust
)

var takenNames = [...]string{"taken", "partly repeated", "repeated", "gap", "stale", "stranger", "distrusted"}

// String returns the outcome's name, for logs and tests.
func (t Taken) String() string { return takenNames[t] }

// Position is the epoch of a host and the number of its next fact.
type Position struct {
	Epoch, Next uint64
}

// Merger merges the batches of hosts. Use it from one goroutine at a time.
type Merger struct {
	late    time.Duration
	most    int
	strict  bool // only hosts that Expect named count
	edges   map[string]*edge
	all     []*edge // the same, in the order of their names
	order   []*edge // those with facts that wait, a heap by their first
	clock   clock
	waiting int // facts

	watermark time.Time // all before it was released
	released  time.Time // the latest place
}

// New returns a Merger without hosts.
func New(o Options) *Merger {
	m := &Merger{late: o.Late, most: o.MaxWaiting, edges: map[string]*edge{}}
	if m.late <= 0 {
		m.late = 10 * time.Second
	}
	if m.most <= 0 {
		m.most = 500_000
	}
	return m
}

// Expect names the members; batches of other hosts are refused. The Merger waits for each
// member from now on, until it has been silent for too long. The state of a host that is
// no longer named is kept, in case it is named again.
func (m *Merger) Expect(names []string) {
	m.strict = true
	for _, e := range m.all {
		e.expected = slices.Contains(names, e.name)
		e.distrusted = e.distrusted && e.expected
	}
	for _, name := range names {
		if m.edges[name] == nil {
			m.add(&edge{name: name, expected: true, heard: m.clock.now})
		}
	}
	m.advance()
}

// Distrust has a member count for nothing until Expect was called without it, and then with
// it again: its key was stolen. Its facts that wait are dropped, and how far it is is
// forgotten, since whoever has the key could have chosen an epoch that no other exceeds.
func (m *Merger) Distrust(name string) {
	old := m.edges[name]
	if old == nil {
		return
	}
	m.waiting -= len(old.facts) - old.head
	if at := slices.Index(m.order, old); at >= 0 {
		m.order = slices.Delete(m.order, at, at+1)
		m.heap()
	}
	*old = edge{name: name, origin: old.origin, expected: old.expected, distrusted: old.expected, known: true, heard: old.heard}
	m.advance()
}

// Blank returns the members whose earlier facts this Merger never had: the first batch of
// them that it took began in the middle. Whoever has judged by it since knows nothing of
// what they reported before.
func (m *Merger) Blank() (names []string) {
	for _, e := range m.all {
		if m.IsBlank(e.name) {
			names = append(names, e.name)
		}
	}
	return names
}

// IsBlank reports whether a member is one of Blank.
func (m *Merger) IsBlank(name string) bool {
	e := m.edges[name]
	return e != nil && e.blank && e.expected
}

func (m *Merger) add(e *edge) {
	m.edges[e.name] = e
	at, _ := slices.BinarySearchFunc(m.all, e.name, func(e *edge, name string) int { return strings.Compare(e.name, name) })
	m.all = slices.Insert(m.all, at, e)
}

// Late returns how long the others wait for a host.
func (m *Merger) Late() time.Duration { return m.late }

// Expected returns the names of the hosts that count.
func (m *Merger) Expected() []string {
	var names []string
	for _, e := range m.all {
		if e.expected {
			names = append(names, e.name)
		}
	}
	return names
}

// Add takes the next batch of the stream, of a host, with the broker's stamp. The facts of the
// batch are the Merger's from then on.
func (m *Merger) Add(name string, b *wire.Batch, stamp time.Time) Taken {
	m.clock.tick(stamp)
	e := m.edges[name]
	if e == nil && !m.strict {
		e = &edge{name: name, expected: true}
		m.add(e)
	}
	if e == nil || !e.expected {
		m.advance()
		return Stranger
	}
	if e.distrusted {
		m.advance()
		return Distrusted
	}
	e.heard = m.clock.now
	m.renamed(e, b.Epoch)
	taken, skip := e.place(b)
	if taken <= Nothing {
		m.append(e, b, skip, stamp)
		e.lag = m.clock.time().Sub(e.through)
	}
	m.advance()
	return taken
}

// renamed has a host that is new go on where one of the same epoch was, if that is no
// member any more: it is the same host under another name. For example, mx2 is taken out
// of the members, mx2b is put in, and the first batch of mx2b is of the epoch of mx2.
func (m *Merger) renamed(e *edge, epoch uint64) {
	if e.isHeard {
		return
	}
	for _, old := range m.all {
		if old.isHeard && !old.expected && old.epoch == epoch {
			e.origin = cmp.Or(old.origin, old.name)
			e.epoch, e.next, e.isHeard, old.isHeard = old.epoch, old.next, true, false
			e.known, e.blank, old.blank = true, old.blank, false
			e.through, e.last, e.lag, e.skew = old.through, old.last, old.lag, skew{slices.Clone(old.skew.offsets), old.skew.shift}
			return
		}
	}
}

// Origin returns the first name of a host that got another one: what is known of its
// services is known under that.
func (m *Merger) Origin(name string) string {
	if e := m.edges[name]; e != nil && e.origin != "" {
		return e.origin
	}
	return name
}

func (m *Merger) append(e *edge, b *wire.Batch, skip int, stamp time.Time) {
	e.skew.observe(stamp.Sub(b.Sent))
	had := len(e.facts) > e.head
	m.waiting += e.append(b, skip, stamp)
	if !had && len(e.facts) > e.head {
		m.push(e)
	}
}

// Next returns the next fact that is due, and its host; nil if there is none. It
// is valid until the next call of the Merger.
func (m *Merger) Next() (f *wire.Fact, name string) {
	if len(m.order) == 0 {
		return nil, ""
	}
	e := m.order[0]
	f = &e.facts[e.head]
	if !f.Place.Before(m.watermark) && m.waiting <= m.most {
		return nil, ""
	}
	if f.Place.Before(m.released) {
		e.lateFacts++
	} else {
		m.released = f.Place
	}
	m.waiting--
	e.head++
	if e.head == len(e.facts) {
		e.facts, e.head = nil, 0
		m.pop()
	} else {
		m.fix()
	}
	return f, e.name
}

// Watermark returns the time with every earlier fact released, once Next returns nil;
// the zero time at the start.
func (m *Merger) Watermark() time.Time { return m.watermark }

// Waiting returns the number of facts that wait for their turn.
func (m *Merger) Waiting() int { return m.waiting }

// Positions returns the number up to which the facts of each host were taken.
func (m *Merger) Positions() map[string]Position {
	all := make(map[string]Position, len(m.edges))
	for _, e := range m.all {
		if e.isHeard {
			all[e.name] = Position{e.epoch, e.next}
		}
	}
	return all
}

// Ended reports whether every member has declared that it has no more lines.
func (m *Merger) Ended() bool {
	ended := false
	for _, e := range m.all {
		if e.expected && !e.ended && !e.distrusted {
			return false
		}
		ended = ended || e.ended
	}
	return ended
}

// advance moves the watermark up to the earliest time of a fact that a host may still
// send.
func (m *Merger) advance() {
	least, found, lag := time.Time{}, false, m.leastLag()
	for _, e := range m.all {
		if m.isWaitedFor(e, lag) && (!found || e.through.Before(least)) {
			least, found = e.through, true
		}
	}
	if !found {
		for _, e := range m.all { // all have ended, and no fact will come
			if end := e.through.Add(1); end.After(least) {
				least = end
			}
		}
	}
	if least.After(m.watermark) {
		m.watermark = least
	}
}

// leastLag returns by how much the foremost host is behind the stream's clock. In old
// logs all hosts are behind it. It is never negative.
func (m *Merger) leastLag() time.Duration {
	least, found := time.Duration(0), false
	for _, e := range m.all {
		if e.expected && e.isHeard && !e.ended && !m.isSilent(e) && (!found || e.lag < least) {
			least, found = e.lag, true
		}
	}
	return max(least, 0)
}

func (m *Merger) isSilent(e *edge) bool { return m.clock.now-e.heard > m.late }

// isWaitedFor reports whether the others wait for a host: it has not ended, was heard of
// lately by the stream's clock, and does not read back old logs. Its latest batch shows
// whether it does. Others may be ahead by now, since they could send before it could.
func (m *Merger) isWaitedFor(e *edge, leastLag time.Duration) bool {
	if e.ended || !e.expected || e.distrusted || m.isSilent(e) {
		return false
	}
	return !e.isHeard || e.lag-leastLag <= m.late
}
