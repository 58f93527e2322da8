package decision

import "time"

// Difference is the difference between a table and the LAPI's decisions.
type Difference struct {
	Missing []Decision // the LAPI has them, the table does not, or otherwise
	Left    []int64    // the table has them, the LAPI does not
}

// Compare finds the decisions that the table lacks, and those that it still has but
// should not. It considers only decisions for which concerns reports true (nil: all).
// Decisions that end within the grace may be missing from an answer without being
// reported. Compare changes nothing.
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
