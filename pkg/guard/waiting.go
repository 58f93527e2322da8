package guard

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"

	"csmail/pkg/event"
)

// pending is a finding that waits until a time, or for evidence that may come before it.
type pending struct {
	finding Finding
	key     uint64 // of the source
	order   uint64 // of arrival
	until   uint32 // decided at this time at the latest
	wants   evidenceOf
	rule    Rule   // that keeps it back for now; not in a snapshot
	reason  string // the same
	at      int    // index in the heap of waiting
	isDue   bool   // in waiting.due
}

// wait is the time and the evidence that a verdict waits for.
type wait struct {
	until uint32
	wants evidenceOf
}

// evidenceOf is a set of services that can be seen to work.
type evidenceOf uint8

const (
	ofResolver evidenceOf = 1 << iota
	ofLists
	ofLogins
	ofTables
	kindsOfEvidence = iota
)

// waitID identifies a finding that waits: a newer one with the same waitID replaces it.
type waitID struct {
	scenario string
	scope    event.Scope
	network  netip.Prefix
	account  string
	key      uint64 // of the source, for findings about one source
}

func (p *pending) id() waitID {
	f := &p.finding
	id := waitID{scenario: f.Scenario, scope: f.Scope, network: f.Network, account: f.Account}
	if f.Account == "" && !f.Network.IsValid() {
		id.key = p.key
	}
	return id
}

// waiting holds the pending findings. There may be thousands, and any line may end the
// wait of one. So they are found by source, by evidence and by time, and a line costs
// nothing for the findings that it does not concern.
type waiting struct {
	byID     map[waitID]*pending
	bySource map[uint64][]*pending
	byTime   pendingHeap // the next due on top
	wanting  [kindsOfEvidence]map[*pending]struct{}
	due      []*pending // to be decided now, in no order
	taken    []*pending // scratch memory of take
	sighted  evidenceOf // services seen to work since the findings that want them were reviewed
	sightDue uint32     // when those are reviewed
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

// all returns the findings in the order of their arrival.
func (w *waiting) all() []*pending { return inTheirOrder(slices.Clone(w.byTime)) }

func inTheirOrder(all []*pending) []*pending {
	slices.SortFunc(all, func(a, b *pending) int { return cmp.Compare(a.order, b.order) })
	return all
}

// add adds a finding as the newest.
func (w *waiting) add(p *pending) {
	w.order++
	p.order = w.order
	w.byID[p.id()] = p
	w.bySource[p.key] = append(w.bySource[p.key], p)
	heap.Push(&w.byTime, p)
}

// replace replaces a finding by a newer one with the same waitID, and returns the pending
// entry.
func (w *waiting) replace(older, newer *pending) *pending {
	older.finding, older.rule, older.reason = newer.finding, newer.rule, newer.reason
	if older.key != newer.key { // for a network or an account the first source may differ
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

// restore adds the next finding of a snapshot.
func (w *waiting) restore(p *pending) {
	isDue := p.isDue
	p.isDue = false
	w.add(p)
	w.await(p, wait{p.until, p.wants})
	if isDue {
		w.mark(p)
	}
}

// await sets the time and the evidence that a finding waits for.
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

// remove removes a finding that take returned.
func (w *waiting) remove(p *pending) {
	heap.Remove(&w.byTime, p.at)
	delete(w.byID, p.id())
	for _, those := range w.wanting {
		delete(those, p)
	}
	w.forgetSource(p)
}

// nudge marks the findings about a source for review.
func (w *waiting) nudge(key uint64) {
	if len(w.byTime) == 0 {
		return
	}
	for _, p := range w.bySource[key] {
		w.mark(p)
	}
}

// mark schedules the review of a finding.
func (w *waiting) mark(p *pending) {
	if !p.isDue {
		p.isDue = true
		w.due = append(w.due, p)
	}
}

// waitFor reports whether a finding waits for evidence of one of the services.
func (w *waiting) waitFor(of evidenceOf) bool {
	for i, those := range w.wanting {
		if of>>i&1 == 1 && len(those) > 0 {
			return true
		}
	}
	return false
}

// noteSighting has the findings looked at that wait for something of ours to be seen to work,
// once a second at the most: what happened in the same second does not decide.
func (w *waiting) noteSighting(of evidenceOf, at uint32) {
	if w.waitFor(of) {
		w.sighted |= of
		w.sightDue = min(w.sightDue, at+1)
	}
}

// next returns the earliest time when a finding may be decided.
func (w *waiting) next() uint32 {
	switch {
	case len(w.due) > 0:
		return 0
	case len(w.byTime) == 0:
		return never
	}
	return min(w.byTime[0].until, w.sightDue)
}

// take returns the findings that are due, in the order of their arrival. The caller
// removes each or sets its next wait. The slice is valid until the next call.
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

// rewind makes all findings due by an earlier time than was planned.
func (w *waiting) rewind(at uint32) {
	for _, p := range w.byTime {
		p.until = min(p.until, at)
		w.mark(p)
	}
	heap.Init(&w.byTime)
}

// pendingHeap is a container/heap of findings by the time when they are due.
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
