package guard

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"

	"csmail/pkg/event"
)

// pending is a finding that waits: until a time, and for evidence that may come
// before.
type pending struct {
	finding Finding
	key     uint64 // of the source
	order   uint64 // in which they came
	until   uint32 // to be looked at then at the latest
	wants   evidenceOf
	rule    Rule   // that keeps it back for now; not in a snapshot
	reason  string // the same
	at      int    // in the heap of waiting
	isDue   bool   // stands in waiting.due
}

// wait is what a verdict waits for.
type wait struct {
	until uint32
	wants evidenceOf
}

// evidenceOf is a set of what can be seen to work.
type evidenceOf uint8

const (
	ofResolver evidenceOf = 1 << iota
	ofLists
	ofLogins
	ofTables
	kindsOfEvidence = iota
)

// waitID is what a finding waits under.
type waitID struct {
	scenario string
	scope    event.Scope
	network  netip.Prefix
	account  string
	key      uint64 // of the source, if it is about one
}

func (p *pending) id() waitID {
	f := &p.finding
	id := waitID{scenario: f.Scenario, scope: f.Scope, network: f.Network, account: f.Account}
	if f.Account == "" && !f.Network.IsValid() {
		id.key = p.key
	}
	return id
}

// waiting holds the findings that wait. Thousands may, and any line may end the wait
// of one: so they are found by their source, by the evidence that they want, and by
// the time at which they are due, and a line costs no more for those that it does
// not concern.
type waiting struct {
	byID     map[waitID]*pending
	bySource map[uint64][]*pending
	byTime   pendingHeap // the one due first on top
	wanting  [kindsOfEvidence]map[*pending]struct{}
	due      []*pending // to be looked at now, in no order
	taken    []*pending // memory for take
	sighted  evidenceOf // seen to work since those who want it were looked at
	sightDue uint32     // when those are looked at
	order    uint64     // of the newest
}

func newWaiting() waiting {
	w := waiting{byID: map[waitID]*pending{}, bySource: map[uint64][]*pending{}, sightDue: never}
	for i := range w.wanting {
		w.wanting[i] = map[*pending]struct{}{}
	}
	return w
}

func (w *waiting) len() int { return len(w.byTime) }

// all returns them in the order in which they came.
func (w *waiting) all() []*pending { return inTheirOrder(slices.Clone(w.byTime)) }

func inTheirOrder(all []*pending) []*pending {
	slices.SortFunc(all, func(a, b *pending) int { return cmp.Compare(a.order, b.order) })
	return all
}

// add takes a finding, the newest.
func (w *waiting) add(p *pending) {
	w.order++
	p.order = w.order
	w.byID[p.id()] = p
	w.bySource[p.key] = append(w.bySource[p.key], p)
	heap.Push(&w.byTime, p)
}

// replace puts a newer finding in the place of an older one with the same id, and
// returns it as it waits.
func (w *waiting) replace(older, newer *pending) *pending {
	older.finding, older.rule, older.reason = newer.finding, newer.rule, newer.reason
	if older.key != newer.key { // a network or an account, of which another source came first
		w.forgetSource(older)
		older.key = newer.key
		w.bySource[older.key] = append(w.bySource[older.key], older)
	}
	return older
}

func (w *waiting) forgetSource(p *pending) {
	rest := slices.DeleteFunc(w.bySource[p.key], func(o *pending) bool { return o == p })
	if w.bySource[p.key] = rest; len(rest) == 0 {
		delete(w.bySource, p.key)
	}
}

// restore takes the finding that comes next out of a snapshot, with what it waits for.
func (w *waiting) restore(p *pending) {
	isDue := p.isDue
	p.isDue = false
	w.add(p)
	w.await(p, wait{p.until, p.wants})
	if isDue {
		w.mark(p)
	}
}

// await has a finding looked at in time.
func (w *waiting) await(p *pending, until wait) {
	p.until, p.wants = until.until, until.wants
	heap.Fix(&w.byTime, p.at)
	for i, those := range w.wanting {
		if p.wants>>i&1 == 1 {
			those[p] = struct{}{}
		} else {
			delete(those, p)
		}
	}
}

// remove takes out a finding that take returned.
func (w *waiting) remove(p *pending) {
	heap.Remove(&w.byTime, p.at)
	delete(w.byID, p.id())
	for _, those := range w.wanting {
		delete(those, p)
	}
	w.forgetSource(p)
}

// nudge marks those about a source.
func (w *waiting) nudge(key uint64) {
	if len(w.byTime) == 0 {
		return
	}
	for _, p := range w.bySource[key] {
		w.mark(p)
	}
}

// mark has a finding looked at next.
func (w *waiting) mark(p *pending) {
	if !p.isDue {
		p.isDue = true
		w.due = append(w.due, p)
	}
}

// waitFor reports whether a finding wants one of these.
func (w *waiting) waitFor(of evidenceOf) bool {
	for i, those := range w.wanting {
		if of>>i&1 == 1 && len(those) > 0 {
			return true
		}
	}
	return false
}

// sight has the findings looked at that wait for something of ours to be seen to work,
// once a second at the most: what happened in the same second does not decide.
func (w *waiting) sight(of evidenceOf, at uint32) {
	if w.waitFor(of) {
		w.sighted |= of
		w.sightDue = min(w.sightDue, at+1)
	}
}

// next returns when one may have its answer.
func (w *waiting) next() uint32 {
	switch {
	case len(w.due) > 0:
		return 0
	case len(w.byTime) == 0:
		return never
	}
	return min(w.byTime[0].until, w.sightDue)
}

// take returns those to be looked at by now, in the order in which they came. Each
// must be removed, or wait anew. The slice is valid until the next call.
func (w *waiting) take(now uint32) []*pending {
	if w.sightDue <= now {
		for i, those := range w.wanting {
			if w.sighted>>i&1 == 0 {
				continue
			}
			for p := range those {
				w.mark(p)
			}
		}
		w.sighted, w.sightDue = 0, never
	}
	for len(w.byTime) > 0 && w.byTime[0].until <= now {
		p := w.byTime[0]
		w.mark(p)
		p.until = never
		heap.Fix(&w.byTime, 0)
	}
	w.due, w.taken = w.taken[:0], w.due
	for _, p := range w.taken {
		p.isDue = false
	}
	return inTheirOrder(w.taken)
}

// rewind has all looked at by a time that is earlier than was thought.
func (w *waiting) rewind(at uint32) {
	for _, p := range w.byTime {
		p.until = min(p.until, at)
		w.mark(p)
	}
	heap.Init(&w.byTime)
}

// pendingHeap is a container/heap by the times at which they are due.
type pendingHeap []*pending

func (h pendingHeap) Len() int { return len(h) }

func (h pendingHeap) Less(i, j int) bool {
	return h[i].until < h[j].until || h[i].until == h[j].until && h[i].order < h[j].order
}

func (h pendingHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *pendingHeap) Push(x any) {
	p := x.(*pending)
	p.at = len(*h)
	*h = append(*h, p)
}

func (h *pendingHeap) Pop() any {
	all := *h
	p := all[len(all)-1]
	all[len(all)-1] = nil
	*h = all[:len(all)-1]
	return p
}
