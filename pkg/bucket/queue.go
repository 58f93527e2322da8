package bucket

import (
	"math"
	"net/netip"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/expression"
)

// queuedEvent is an event in a queue whose text an expression reads.
type queuedEvent struct {
	event.Event
	view *expression.Evt
}

// queued is an event in the queue of a bucket. Its words are the facts with the number of
// the whole event, then, if anything reads them, the time and the address.
type queued struct {
	facts expression.Facts
	event uint32 // number of the whole event; 0 if no expression reads its text
	time  int64
	hi    uint64 // of the address
	lo    uint64
}

// The words of a queued event by their number: facts only, facts and time, facts
// and address, all.
const (
	strideFacts = 1 + iota
	strideTime
	strideAddr
	strideAll
)

// strideOf returns the number of words of an event in the queue: a time only if an
// expression reads it, an address only if it is not that of the group.
func strideOf(s *scenario.Scenario, g *group) uint8 {
	stride := uint8(strideFacts)
	if s.KeepTimes {
		stride = strideTime
	}
	if g.bits != 128 {
		stride += strideAddr - strideFacts
	}
	return stride
}

func (q queued) put(w []uint64) {
	w[0] = uint64(q.facts) | uint64(q.event)<<32
	switch len(w) {
	case strideTime:
		w[1] = uint64(q.time)
	case strideAddr:
		w[1], w[2] = q.hi, q.lo
	case strideAll:
		w[1], w[2], w[3] = uint64(q.time), q.hi, q.lo
	}
}

func queuedOf(w []uint64) queued {
	q := queued{facts: expression.Facts(w[0]), event: uint32(w[0] >> 32)}
	switch len(w) {
	case strideTime:
		q.time = int64(w[1])
	case strideAddr:
		q.hi, q.lo = w[1], w[2]
	case strideAll:
		q.time, q.hi, q.lo = int64(w[1]), w[2], w[3]
	}
	return q
}

// at returns the words of the event in the given place of the queue.
func (l layout) at(w []uint64, place int) []uint64 {
	from, stride := l.queue()+place*int(l.stride), int(l.stride)
	return w[from : from+stride]
}

// nth returns the words of the n-th event, the oldest first.
func (l layout) nth(w []uint64, n int) []uint64 {
	return l.at(w, (int(l.oldest)+n)%int(l.queued))
}

// queueLimitOf returns the number of events that the queue of a bucket may hold.
func (d *details) queueLimitOf(s *scenario.Scenario) int {
	if s.QueueLimit < 0 || s.QueueLimit > d.limits.Queue {
		return d.limits.Queue
	}
	return s.QueueLimit
}

// hold adds the current event to the bucket's queue, if anything will read it: an
// expression, or the list of sources of a bucket with several addresses.
func (c *current) hold(s *scenario.Scenario, g *group, b *bucket) {
	if g.bits == 128 && !s.KeepFacts && !s.KeepEvents {
		return
	}
	q := queued{facts: expression.FactsOf(&c.in), time: c.at}
	if c.in.Event.Addr.IsValid() {
		key := addrKey(c.in.Event.Addr)
		q.hi, q.lo = key.hi, key.lo
	}
	limit := c.queueLimitOf(s)
	if s.KeepEvents {
		if l, _ := c.detailOf(b); l.queued > 0 && c.events.Len() >= c.limits.Events {
			limit = min(limit, int(l.queued))
		}
		q.event = c.events.Take()
		c.events.At(q.event).Event = keptEvent(c.in.Event)
	}
	c.enqueue(b, q, strideOf(s, g), limit)
}

// keptEvent returns a copy of an event with texts that are not too long.
func keptEvent(ev *event.Event) event.Event {
	copied := *ev
	for i, text := range textsOf(&copied) {
		*text = kept(*text, i)
	}
	return copied.Clone()
}

// enqueue adds an event to a queue. In a full queue it replaces the oldest one.
func (d *details) enqueue(b *bucket, q queued, stride uint8, limit int) {
	l, w := d.needDetail(b)
	if int(l.queued) < limit {
		to := l
		to.queued, to.stride = l.queued+1, stride
		q.put(to.at(d.enlarge(b, l, to), int(l.queued)))
		return
	}
	place := l.at(w, int(l.oldest))
	d.freeEvent(queuedOf(place))
	q.put(place)
	l.oldest = (l.oldest + 1) % l.queued
	w[layoutWord] = l.word()
}

func (d *details) freeEvent(q queued) {
	if q.event != 0 {
		d.events.Give(q.event)
	}
}

func (d *details) freeEvents(l layout, w []uint64) {
	for n := range int(l.queued) {
		d.freeEvent(queuedOf(l.nth(w, n)))
	}
}

// addr returns the address of a queued event. If the group is a single address, it is
// that one and is not stored again.
func (q queued) addr() netip.Addr {
	if !q.facts.HasAddr() {
		return netip.Addr{}
	}
	return addrFrom(q.hi, q.lo)
}

// appendFacts appends the facts of the events of a queue, the oldest first.
func (d *details) appendFacts(list []expression.Facts, b *bucket) []expression.Facts {
	l, w := d.detailOf(b)
	for n := range int(l.queued) {
		list = append(list, queuedOf(l.nth(w, n)).facts)
	}
	return list
}

// queueView builds the variable "queue" of an expression.
func (d *details) queueView(b *bucket, s *scenario.Scenario) *expression.Queue {
	l, w := d.detailOf(b)
	view := &expression.Queue{Queue: make([]*expression.Evt, 0, l.queued), L: math.MaxInt}
	if s.QueueLimit > 0 {
		view.L = s.QueueLimit - 1
	}
	brief := make([]expression.Evt, 0, l.queued)
	for n := range int(l.queued) {
		q := queuedOf(l.nth(w, n))
		if q.event != 0 {
			view.Queue = append(view.Queue, d.events.At(q.event).evt(q.facts))
			continue
		}
		brief = append(brief, expression.Evt{Meta: d.metaOf(q.facts), Time: timeOf(q)})
		view.Queue = append(view.Queue, &brief[len(brief)-1])
	}
	return view
}

// timeOf returns the time of a queued event, zero if no expression reads it.
func timeOf(q queued) time.Time {
	if q.time == 0 {
		return time.Time{}
	}
	return stamp(q.time)
}

// evt returns the view of a queued event, built once.
func (k *queuedEvent) evt(f expression.Facts) *expression.Evt {
	if k.view == nil {
		in := expression.Input{Event: &k.Event, Shape: f.Shape()}
		k.view = in.Evt()
	}
	return k.view
}

// metaOf holds the enumerated fields of a queued event. Its maps are few and shared.
func (d *details) metaOf(f expression.Facts) map[string]string {
	meta := d.metas[f]
	if meta == nil {
		meta = f.Meta()
		d.metas[f] = meta
	}
	return meta
}
