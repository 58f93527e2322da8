package bucket

import (
	"cmp"
	"slices"

	"csmail/pkg/event"
)

// A word of kinds holds a kind, and its count beyond the part that is in the bucket
// itself.
const kindShift = 32

// countMore counts a kind beyond the two that fit into the bucket.
func (d *details) countMore(b *bucket, kind event.Kind) {
	*d.kindWord(b, kind)++
}

// kindWord returns the word of a kind, a new one if there is none. It is valid until the
// next change of any detail.
func (d *details) kindWord(b *bucket, kind event.Kind) *uint64 {
	l, w := d.needDetail(b)
	for i := range w[kindsWord:l.set()] {
		if word := &w[kindsWord+i]; event.Kind(*word>>kindShift) == kind {
			return word
		}
	}
	to := l
	to.kinds++
	word := &d.enlarge(b, l, to)[kindsWord+l.kinds]
	*word = uint64(kind) << kindShift
	return word
}

// countService notes a service that is not the first one of the bucket. A bucket that
// has several keeps their set in the word of NoKind, which no event has.
func (d *details) countService(b *bucket, s event.Service) {
	switch {
	case s == event.NoService:
	case b.owner.service() == event.NoService:
		b.owner = b.owner.of(s)
	default:
		*d.kindWord(b, event.NoKind) |= uint64(event.ServiceSet(0).With(s))
	}
}

// servicesOf returns the services of a bucket.
func (d *details) servicesOf(b *bucket) event.ServiceSet {
	set := event.ServiceSet(0).With(b.owner.service())
	l, w := d.detailOf(b)
	if l.kinds == 0 {
		return set
	}
	for _, word := range w[kindsWord:l.set()] {
		if event.Kind(word>>kindShift) == event.NoKind {
			set |= event.ServiceSet(word)
		}
	}
	return set
}

// uncountKind subtracts one event of a kind; the caller changes total.
func (d *details) uncountKind(b *bucket, kind event.Kind) {
	if kind == b.kinds[1] && b.second > 0 {
		b.second--
		return
	}
	l, w := d.detailOf(b)
	for i := range w[min(kindsWord, len(w)):l.set()] {
		if word := &w[kindsWord+i]; event.Kind(*word>>kindShift) == kind && uint32(*word) > 0 {
			*word--
			return
		}
	}
}

// kindsOf returns the number of events of each kind, the most frequent kind first.
func (d *details) kindsOf(b *bucket) []event.Count {
	l, w := d.detailOf(b)
	counts := make([]event.Count, 0, 2+l.kinds)
	first, second := int(b.total)-int(b.second), int(b.second)
	if l.kinds > 0 {
		for _, word := range w[kindsWord:l.set()] {
			kind, n := event.Kind(word>>kindShift), int(uint32(word))
			if kind == event.NoKind {
				continue
			}
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
