package bucket

import "time"

// Rewind corrects the state after a clock that was ahead. A key with a bucket later than
// now starts empty, because no event would move that bucket until its time has come. The
// others stay.
func (e *Engine) Rewind(now time.Time) {
	latest := nanoseconds(now)
	e.now = min(e.now, latest)
	for i := range e.groups.Used() {
		if g := e.groups.At(i + 1); g.bits != 0 && e.isAhead(g, latest) {
			e.release(i + 1)
		}
	}
}

func (m *memory) isAhead(g *group, now int64) bool {
	buckets := m.bucketsOf(g)
	for i := range buckets {
		if buckets[i].last > now || buckets[i].busy > now {
			return true
		}
	}
	return false
}
