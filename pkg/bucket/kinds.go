package bucket

import (
	"cmp"
	"slices"

	"csmail/pkg/event"
)

// A word of kinds is a kind, and how often it was counted beyond what the bucket
// itself has room for.
const kindShift = 32

// countMore counts a kind beyond the two that a bucket has room for.
func (e *Engine) countMore(b *bucket, kind event.Kind) {
	l, w := e.needDetail(b)
	for i := range w[kindsWord:l.set()] {
		if word := &w[kindsWord+i]; event.Kind(*word>>kindShift) == kind {
			*word++
			return
		}
	}
	to := l
	to.kinds++
	e.enlarge(b, l, to)[kindsWord+l.kinds] = uint64(kind)<<kindShift + 1
}

// uncountKind takes back one event of a kind; total is the caller's.
func (e *Engine) uncountKind(b *bucket, kind event.Kind) {
	if kind == b.kinds[1] && b.second > 0 {
		b.second--
		return
	}
	l, w := e.detailOf(b)
	for i := range w[min(kindsWord, len(w)):l.set()] {
		if word := &w[kindsWord+i]; event.Kind(*word>>kindShift) == kind && uint32(*word) > 0 {
			*word--
			return
		}
	}
}

// kindsOf returns how often each kind was poured, the most frequent first.
func (e *Engine) kindsOf(b *bucket) []event.Count {
	l, w := e.detailOf(b)
	counts := make([]event.Count, 0, 2+l.kinds)
	first, second := int(b.total)-int(b.second), int(b.second)
	if l.kinds > 0 {
		for _, word := range w[kindsWord:l.set()] {
			kind, n := event.Kind(word>>kindShift), int(uint32(word))
			first -= n
			if kind == b.kinds[1] {
				second += n
			} else if n > 0 {
				counts = append(counts, event.Count{Name: kind.String(), N: n})
			}
		}
	}
	for i, n := range [...]int{first, second} {
		if n > 0 {
			counts = append(counts, event.Count{Name: b.kinds[i].String(), N: n})
		}
	}
	slices.SortFunc(counts, func(a, b event.Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	return counts
}

// servicesOf returns the names of the services of a bucket, sorted.
func servicesOf(o owner) []string {
	names := make([]string, 0, int(event.SSHD))
	for s := event.NoService + 1; s <= event.SSHD; s++ {
		if o.has(s) {
			names = append(names, s.String())
		}
	}
	slices.Sort(names)
	return names
}
