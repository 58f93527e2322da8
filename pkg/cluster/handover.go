package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"csmail/pkg/hint"
)

// ErrNotLeading says that a judge has no lease to hand over.
var ErrNotLeading = errors.New("this judge does not lead")

// HandOver gives the lease up, so that another judge delivers at once. isQuiet must report
// whether no request of this judge is under way, nor can be: within the given time none ended
// without an answer. Until then the lease is kept, and this judge
// sends nothing. If the context ends before, this judge goes on.
func (l *Lease) HandOver(ctx context.Context, isQuiet func(within time.Duration) bool) error {
	if !l.beginToLeave() {
		return ErrNotLeading
	}
	defer l.endLeaving()
	for !l.isLate(time.Now()) || !isQuiet(graceFor) {
		pause(ctx, lookQuiet)
		if ctx.Err() != nil {
			return hint.Wrap(errors.New("a request to the LAPI is under way, or may be"), "this judge goes on; try again when the LAPI answers (csmail status)")
		}
	}
	return l.vacate(ctx)
}

// beginToLeave has this judge deliver nothing more, if it has the lease.
func (l *Lease) beginToLeave() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving || !time.Now().Before(l.until) {
		return false
	}
	l.leaving, l.until = true, time.Time{}
	return true
}

func (l *Lease) endLeaving() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = false
}

// isLate reports whether nothing of the judge before this one can be under way either.
func (l *Lease) isLate(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !now.Before(l.from)
}

// vacate writes that the lease is free.
func (l *Lease) vacate(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.revision == 0 {
		return fmt.Errorf("%w any more", ErrNotLeading)
	}
	value, err := json.Marshal(Leader{Left: l.name})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.left = time.Now()
	l.away = l.left.Add(awayFor) // also if the answer is lost
	l.mu.Unlock()
	_, err = l.key.write(ctx, value, l.revision)
	l.revision = 0
	return err
}

// IsHandingOver reports whether this judge gives the lease up just now, and no other has it
// yet.
func (l *Lease) IsHandingOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving || time.Now().Before(l.away)
}
