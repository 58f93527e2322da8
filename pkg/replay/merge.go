package replay

import "context"

// merge steps the records of all feeds by their times. A feed is opened when its
// time has come: of a row of rotated files one is open at a time.
func (r *run) merge(ctx context.Context) error {
	if r.joining != nil {
		r.feeds[0].open(ctx, r)
		return r.stepJoined(r.feeds[0])
	}
	if len(r.feeds) > 1 {
		for _, f := range r.feeds {
			f.latest = f.glance(ctx)
		}
	}
	for {
		f, bound := r.earliest()
		if f == nil {
			return nil
		}
		if err := r.advance(ctx, f, bound); err != nil {
			return err
		}
	}
}

// earliest returns the feed with the earliest record and the one with the second
// earliest. A feed without records left takes no part.
func (r *run) earliest() (first, second *feed) {
	for _, f := range r.feeds {
		switch {
		case f.ended:
		case first == nil:
			first = f
		case f.isBefore(first):
			first, second = f, first
		case second == nil || f.isBefore(second):
			second = f
		}
	}
	return first, second
}

// isBefore compares the places of two feeds; equals keep the order of the
// sources.
func (f *feed) isBefore(other *feed) bool {
	if c := f.latest.Compare(other.latest); c != 0 {
		return c < 0
	}
	return f.index < other.index
}

// advance steps the records of a feed until another's turn comes. A feed that was
// just opened only learns its place.
func (r *run) advance(ctx context.Context, f, bound *feed) error {
	if f.ordered == nil {
		f.open(ctx, r)
	}
	for {
		more, err := f.next(r)
		if !more {
			return err
		}
		if bound != nil && !f.isBefore(bound) {
			return nil
		}
		if f.isAtFlow() {
			r.addFlow(f)
			continue
		}
		r.step(f, &f.job.records[f.at])
		f.at++
	}
}
