package scenario

import "time"

// Rewind takes back a time that never was: the clock had been ahead and was set
// right. A key with a bucket from later than now starts from nothing, since no
// event would move that bucket until its time has come; the others stay.
func (e *Engine) Rewind(now time.Time) {
	latest := nanoseconds(now)
	e.now = min(e.now, latest)
	for gi := e.groups.oldest; gi != 0; {
		next := e.groups.at(gi).newer
		if e.isAhead(e.groups.at(gi), latest) {
			e.release(gi)
		}
		gi = next
	}
}

func (e *Engine) isAhead(g *group, now int64) bool {
	for bi := g.head; bi != 0; bi = e.buckets.at(bi).next {
		if b := e.buckets.at(bi); b.last > now || b.busy > now {
			return true
		}
	}
	return false
}
