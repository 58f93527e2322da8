package decision

import "time"

// Difference is how a table differs from what the LAPI says that it holds.
type Difference struct {
	Missing []Decision // the LAPI has them, the table does not, or otherwise
	Left    []int64    // the table has them, the LAPI does not
}

// Compare finds what the table lacks and what it has too much of those decisions
// that the answer is about: concerns says which (nil: all). What ends within the grace
// may be missing from an answer and is not called left over. It changes nothing.
func (t *Table) Compare(answer []Decision, concerns func(*Decision) bool, now time.Time, grace time.Duration) Difference {
	var diff Difference
	seen := make(map[int64]struct{}, len(answer))
	for i := range answer {
		d := &answer[i]
		seen[d.ID] = struct{}{}
		if have := t.byID[d.ID]; (have == nil || !same(have, d)) && d.Until.After(now) {
			diff.Missing = append(diff.Missing, *d)
		}
	}
	for id, d := range t.byID {
		if _, ok := seen[id]; ok || (concerns != nil && !concerns(d)) || !d.Until.After(now.Add(grace)) {
			continue
		}
		diff.Left = append(diff.Left, id)
	}
	return diff
}
