package bucket

import (
	"cmp"
	"slices"
)

// deadline is the end of a counter.
type deadline struct {
	at       int64
	group    uint32
	scenario uint16
}

func compareDeadlines(a, b deadline) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.group, b.group), cmp.Compare(a.scenario, b.scenario))
}

// deadlines is a heap of the ends of counters, the earliest on top. The end of a counter
// that is gone stays until it would be next.
type deadlines []deadline

// push adds the end of a counter.
func (h *deadlines) push(d deadline) {
	all := append(*h, d)
	*h = all
	for i := len(all) - 1; i > 0; {
		parent := (i - 1) / 2
		if compareDeadlines(all[parent], all[i]) <= 0 {
			return
		}
		all[parent], all[i] = all[i], all[parent]
		i = parent
	}
}

// pop takes the earliest off.
func (h *deadlines) pop() deadline {
	all := *h
	first, n := all[0], len(all)-1
	all[0] = all[n]
	all = all[:n]
	*h = all
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < n; child++ {
			if compareDeadlines(all[child], all[least]) < 0 {
				least = child
			}
		}
		if least == i {
			return first
		}
		all[i], all[least] = all[least], all[i]
		i = least
	}
}

// await remembers the end of a counter. Before there are many more ends than buckets,
// those of buckets that are gone are dropped.
func (e *Engine) await(d deadline) {
	if len(e.due) > 2*e.open+1024 {
		e.due = slices.DeleteFunc(e.due, func(d deadline) bool { return e.endingAt(d) == nil })
		slices.SortFunc(e.due, compareDeadlines)
	}
	e.due.push(d)
}

// advance passes the time, so that counters that have ended overflow.
func (e *Engine) advance(now int64) {
	e.now = max(e.now, now)
	for len(e.due) > 0 && e.due[0].at <= e.now {
		d := e.due.pop()
		if b := e.endingAt(d); b != nil {
			e.overflow(e.set.Scenarios()[d.scenario], e.groups.At(d.group), b, max(b.last, d.at))
		}
	}
}

// Counting returns the number of open counters, which report their counts when their time
// is over.
func (e *Engine) Counting() int {
	n := 0
	for _, d := range e.due {
		if e.endingAt(d) != nil {
			n++
		}
	}
	return n
}

// endingAt returns the bucket of a deadline, nil if it is gone or another one has its
// place.
func (e *Engine) endingAt(d deadline) *bucket {
	g, s := e.groups.At(d.group), e.set.Scenarios()[d.scenario]
	if g.bits == 0 {
		return nil
	}
	b := e.findBucket(g, int(d.scenario))
	if b == nil || b.total == 0 || b.busy+s.Life != d.at {
		return nil
	}
	return b
}
