package bouncer

import (
	"context"
	"maps"
	"slices"
	"time"

	"csmail/pkg/decision"
)

// graceOfEnds is how close to its end a decision may be missing from a list: the
// clocks of the two hosts, and the LAPI's rounding to seconds.
const graceOfEnds = 10 * time.Second

// compare makes the table equal to the LAPI's list for some origins (nil: for all).
// Missing decisions are added at once. A decision that is only in the table is removed if
// a second list, some seconds later, lacks it too. So a decision that came between the
// two lists is not lost, and one wrong answer lifts no ban.
func (b *Bouncer) compare(ctx context.Context, origins []string) error {
	began := time.Now()
	first, err := b.lookForDifference(ctx, origins)
	if err != nil {
		return err
	}
	b.report(b.apply(first.Missing, nil))
	for _, d := range first.Missing {
		b.awaiting[d.ID] = struct{}{}
	}
	b.count(func(s *Stats) {
		s.LastCompareMissing, s.LastCompareLeft, s.LastCompareTook = len(first.Missing), len(first.Left), time.Since(began)
	})
	if len(first.Left) == 0 {
		return nil
	}
	pause(ctx, b.o.SecondLook)
	second, err := b.lookForDifference(ctx, origins)
	if err != nil {
		return err
	}
	gone := both(first.Left, second.Left)
	if len(gone) == 0 {
		return nil
	}
	a := b.apply(nil, gone)
	b.count(func(s *Stats) { s.RepairedLeft += uint64(a.Removed) })
	b.o.Log.Info("decisions that the LAPI no longer has are enforced no more", "decisions", a.Removed)
	return nil
}

// lookForDifference asks for a list and compares it.
func (b *Bouncer) lookForDifference(ctx context.Context, origins []string) (decision.Difference, error) {
	raws, err := b.client.list(ctx, origins)
	if err != nil {
		return decision.Difference{}, err
	}
	answer := b.parse(raws)
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.table.Compare(answer, b.concerns(origins), b.o.Now(), graceOfEnds), nil
}

func (b *Bouncer) concerns(origins []string) func(*decision.Decision) bool {
	if origins == nil {
		return nil
	}
	return func(d *decision.Decision) bool { return slices.Contains(origins, d.Origin) }
}

// localOrigins returns the origins of decisions that this LAPI makes itself, as far as
// the configuration asks for them. Those of profiles ("crowdsec/NAME") are known from the
// decisions in the table.
func (b *Bouncer) localOrigins() []string {
	asked := b.o.Config.Origins
	if len(asked) > 0 {
		return slices.DeleteFunc(slices.Clone(asked), func(o string) bool { return !decision.IsLocalOrigin(o) })
	}
	origins := map[string]bool{"crowdsec": true, "cscli": true, "cscli-import": true, "console": true}
	b.writing.Lock()
	defer b.writing.Unlock()
	for d := range b.table.All() {
		if d.IsLocal() {
			origins[d.Origin] = true
		}
	}
	return slices.Sorted(maps.Keys(origins))
}

// both returns the numbers that are in both lists.
func both(a, b []int64) []int64 {
	slices.Sort(b)
	return slices.DeleteFunc(a, func(id int64) bool {
		_, found := slices.BinarySearch(b, id)
		return !found
	})
}
