package scenario

import (
	"slices"
	"time"
)

const (
	// lateness is how long after its death a bucket waits for late lines before
	// its memory is given back.
	lateness = int64(10 * time.Minute)

	sweepPerTick  = 4096
	poursPerSweep = 16 // pours for each group that is swept

	// evictionTries bounds the search for a source that may be forgotten.
	evictionTries = 64
)

// groupOf finds or makes the group of the event at hand, 0 if there is no room.
func (e *Engine) groupOf(s *Scenario) uint32 {
	if s.groupField <= fieldSourceRange && e.known[s.groupField] != 0 {
		return e.known[s.groupField]
	}
	key, text := e.keyOf(s)
	if key.bits != isText {
		gi := e.groups.findNetwork(key)
		switch {
		case gi != 0:
			e.groups.use(gi)
		case e.makeRoom():
			gi = e.groups.add(key)
		}
		e.known[s.groupField] = gi
		return gi
	}
	if gi := e.groups.findText(text, key.hi); gi != 0 {
		e.groups.use(gi)
		return gi
	}
	if !e.makeRoom() {
		return 0
	}
	return e.groups.addText(text, key.hi)
}

// keyOf returns the key of the event at hand: of an address or network directly,
// of anything else its text.
func (e *Engine) keyOf(s *Scenario) (groupKey, string) {
	addr := e.in.ev.Addr
	if addr.IsValid() {
		switch {
		case s.groupField == fieldSourceIP, s.groupField == fieldSourceBlock && addr.Is4():
			return addrKey(addr), ""
		case s.groupField == fieldSourceBlock, s.groupField == fieldSourceRange:
			return networkKey(rangeOf(addr)), ""
		}
	}
	text := ""
	if s.groupBy != nil {
		text = e.machine.text(s.groupBy)
	}
	return groupKey{hi: textHash(text), bits: isText}, text
}

// findGroup is groupOf without making one.
func (e *Engine) findGroup(s *Scenario) uint32 {
	key, text := e.keyOf(s)
	if key.bits != isText {
		return e.groups.findNetwork(key)
	}
	return e.groups.findText(text, key.hi)
}

// slot is the bucket of a scenario in the pour at hand.
type slot struct {
	pour   uint64
	group  uint32
	bucket uint32
}

// touch notes that the event at hand counts for the group and finds the buckets of
// the group.
func (e *Engine) touch(gi uint32) {
	e.touched = append(e.touched, gi)
	e.remember(gi)
	for bi := e.groups.at(gi).head; bi != 0; {
		b := e.buckets.at(bi)
		e.slots[b.scenario] = slot{e.pours, gi, bi}
		bi = b.next
	}
}

// bucketOf finds or makes the bucket of the scenario in a group that was touched.
func (e *Engine) bucketOf(gi uint32, s *Scenario) uint32 {
	if at := &e.slots[s.index]; at.pour == e.pours && at.group == gi {
		return at.bucket
	}
	g := e.groups.at(gi)
	bi := e.buckets.take()
	b := e.buckets.at(bi)
	b.scenario, b.next = s.index, g.head
	g.head = bi
	return bi
}

func (e *Engine) findBucket(g *group, s *Scenario) uint32 {
	for bi := g.head; bi != 0; {
		b := e.buckets.at(bi)
		if b.scenario == s.index {
			return bi
		}
		bi = b.next
	}
	return 0
}

// makeRoom forgets the source that was used least recently, if the limit is
// reached. A source with a blackhole stays: without it the source would be told
// of twice.
func (e *Engine) makeRoom() bool {
	if e.groups.len() < e.limits.Sources {
		return true
	}
	for range evictionTries {
		gi := e.groups.oldest
		if slices.Contains(e.touched, gi) {
			return false // the event at hand counts for it
		}
		if !e.isSilenced(e.groups.at(gi)) {
			e.release(gi)
			e.stats.Evicted++
			return true
		}
		e.groups.use(gi)
	}
	return false
}

func (e *Engine) isSilenced(g *group) bool {
	for bi := g.head; bi != 0; bi = e.buckets.at(bi).next {
		if x := e.buckets.at(bi).extra; x != 0 && e.extras.at(x).blackhole > e.now {
			return true
		}
	}
	return false
}

// sweep looks at the next n groups and gives back what is dead.
func (e *Engine) sweep(n int) {
	for range min(n, int(e.groups.used)) {
		e.cursor++
		if e.cursor > e.groups.used {
			e.cursor = 1
		}
		g := e.groups.at(e.cursor)
		if g.bits != 0 && e.dropDead(g) {
			e.release(e.cursor)
		}
	}
}

// dropDead frees the dead buckets of a group and reports whether none is left.
func (e *Engine) dropDead(g *group) bool {
	link := &g.head
	for *link != 0 {
		bi := *link
		b := e.buckets.at(bi)
		if !e.isDead(b) {
			link = &b.next
			continue
		}
		*link = b.next
		e.freeBucket(bi)
	}
	return g.head == 0
}

func (e *Engine) isDead(b *bucket) bool {
	s := e.set.scenarios[b.scenario]
	if b.extra != 0 && e.extras.at(b.extra).blackhole+lateness > e.now {
		return false
	}
	if s.isTimed() && b.total > 0 {
		return false
	}
	return b.last+s.life+lateness < e.now
}

// release frees a group and its buckets.
func (e *Engine) release(gi uint32) {
	for bi := e.groups.at(gi).head; bi != 0; {
		next := e.buckets.at(bi).next
		e.freeBucket(bi)
		bi = next
	}
	e.groups.remove(gi)
}

func (e *Engine) freeBucket(bi uint32) {
	b := e.buckets.at(bi)
	e.restart(b)
	if b.extra != 0 {
		e.extras.give(b.extra)
	}
	e.buckets.give(bi)
}

// restart empties a bucket; its blackhole stays.
func (e *Engine) restart(b *bucket) {
	if b.extra != 0 {
		x := e.extras.at(b.extra)
		e.freeChain(x.set)
		e.freeChain(x.kinds)
		e.freeQueue(x)
		*x = extra{blackhole: x.blackhole}
	}
	b.restart()
}

func (e *Engine) freeChain(ci uint32) {
	for ci != 0 {
		next := e.cells.at(ci).next
		e.cells.give(ci)
		ci = next
	}
}

// extraOf returns the extra of a bucket, made if there is none.
func (e *Engine) extraOf(b *bucket) *extra {
	if b.extra == 0 {
		b.extra = e.extras.take()
	}
	return e.extras.at(b.extra)
}
