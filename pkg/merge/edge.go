package merge

import (
	"time"

	"csmail/pkg/wire"
)

// edge is the state of one host.
type edge struct {
	name     string
	origin   string // its first name, if it got another one; "": this one
	expected bool
	isHeard  bool // it has sent a batch that was taken
	ended    bool

	distrusted bool // its batches are refused
	known      bool // it was heard of before, also if how far it is was forgotten since
	blank      bool // see Merger.Blank

	epoch, next uint64        // expected next
	heard       time.Duration // time of the last batch, by the stream's clock
	through     time.Time     // no later fact comes before it
	lag         time.Duration // of its latest batch behind the stream's clock
	last        time.Time     // place of the newest fact
	skew        skew

	facts []wire.Fact // that wait, from head on
	head  int

	lateFacts, gaps, repeated, lost uint64
}

// place checks whether a batch is the next one, and returns how many of its first facts
// were taken before.
func (e *edge) place(b *wire.Batch) (taken Taken, skip int) {
	next := e.next
	switch {
	case e.isHeard && b.Epoch < e.epoch:
		return Stale, 0
	case !e.isHeard || b.Epoch > e.epoch:
		next = 0 // of a new life
	}
	if b.First > next {
		if b.First > b.Oldest {
			e.gaps++
			return Gap, 0
		}
		e.lost += b.First - next // the host itself no longer has them
		next = b.First
	}
	e.blank = b.First > 0 && (e.blank || !e.known)
	e.isHeard, e.epoch, e.known = true, b.Epoch, true
	if b.Next() < next {
		e.next, skip = next, len(b.Facts)
	} else {
		e.next, skip = b.Next(), int(next-b.First)
	}
	e.repeated += uint64(skip)
	switch {
	case skip == 0:
		return All, 0
	case skip < len(b.Facts):
		return Part, skip
	}
	return Nothing, skip
}

// append adds the facts of a batch from the one after skip on, and returns their number.
func (e *edge) append(b *wire.Batch, skip int, stamp time.Time) int {
	if e.head > 1024 && e.head > len(e.facts)/2 {
		n := copy(e.facts, e.facts[e.head:])
		clear(e.facts[n:])
		e.facts, e.head = e.facts[:n], 0
	}
	shift, latest := e.skew.shift, stamp.Add(maxAhead)
	for i := skip; i < len(b.Facts); i++ {
		f := &b.Facts[i]
		move(f, shift)
		if f.Place.After(latest) {
			f.Place = latest
		}
		if f.Place.Before(e.last) {
			f.Place = e.last
		}
		bound(f)
		e.last = f.Place
	}
	if len(e.facts) == 0 {
		e.facts = b.Facts[skip:] // most often all that came before was released
	} else {
		e.facts = append(e.facts, b.Facts[skip:]...)
	}
	through := b.Through.Add(shift)
	if through.After(latest) {
		through = latest
	}
	if through.After(e.through) {
		e.through = through
	}
	e.ended = b.Ended
	return len(b.Facts) - skip
}

// maxAhead is how far a host may claim to be ahead of the broker's clock. No host can have
// lines of the future, and the judges' clock must not follow one that says so.
const maxAhead = 2 * time.Second

// bound bounds the times in a fact by its place, as the Edge of an honest host does.
func bound(f *wire.Fact) {
	earlier := func(t *time.Time) {
		if t.After(f.Place) {
			*t = f.Place.In(t.Location())
		}
	}
	earlier(&f.Record.Time)
	for i := range f.Released {
		earlier(&f.Released[i].At)
		earlier(&f.Released[i].Record.Time)
	}
	for i := range f.Superseded {
		earlier(&f.Superseded[i].Time)
	}
}

// move moves all times of a fact.
func move(f *wire.Fact, by time.Duration) {
	if by == 0 {
		return
	}
	f.Place, f.Record.Time = f.Place.Add(by), f.Record.Time.Add(by)
	for i := range f.Released {
		r := &f.Released[i]
		r.At, r.Record.Time = r.At.Add(by), r.Record.Time.Add(by)
	}
	for i := range f.Superseded {
		f.Superseded[i].Time = f.Superseded[i].Time.Add(by)
	}
}

// isBefore compares the first waiting facts of two hosts.
func (e *edge) isBefore(other *edge) bool {
	a, b := &e.facts[e.head], &other.facts[other.head]
	if c := a.Place.Compare(b.Place); c != 0 {
		return c < 0
	}
	if a.Expired != b.Expired {
		return a.Expired
	}
	return e.name < other.name
}

// push, pop and fix keep order a heap. container/heap would cost an interface call for
// each comparison, and there are some for each fact.
func (m *Merger) push(e *edge) {
	m.order = append(m.order, e)
	for i := len(m.order) - 1; i > 0; {
		parent := (i - 1) / 2
		if !m.order[i].isBefore(m.order[parent]) {
			return
		}
		m.order[i], m.order[parent] = m.order[parent], m.order[i]
		i = parent
	}
}

func (m *Merger) pop() {
	last := len(m.order) - 1
	m.order[0], m.order[last] = m.order[last], nil
	if m.order = m.order[:last]; last > 0 {
		m.fix()
	}
}

// heap makes order a heap again after a host in the middle was taken out.
func (m *Merger) heap() {
	all := m.order
	m.order = make([]*edge, 0, len(all))
	for _, e := range all {
		m.push(e)
	}
}

// fix puts the first host where its next fact belongs.
func (m *Merger) fix() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.order); child++ {
			if m.order[child].isBefore(m.order[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.order[i], m.order[least] = m.order[least], m.order[i]
		i = least
	}
}
