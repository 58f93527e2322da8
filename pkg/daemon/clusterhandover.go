package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/hint"
	"csmail/pkg/lapi"
)

const (
	// handOverAtEnd bounds how long a judge that stops waits for the LAPI: a service manager
	// grants ten seconds, and the state must be stored in them too.
	handOverAtEnd = 3 * time.Second
	// handOverAsked bounds it for a judge that a person asked.
	handOverAsked = 20 * time.Second
)

// lifetime is how long the goroutines around the loop go on: as long as the daemon, or on a
// judge until the daemon ends them, since it may have something to hand over first.
func (k *clustered) lifetime(ctx context.Context) context.Context {
	if k.isJudge() {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// handOver gives the lease of a judge that stops to another one. If that fails, the other
// takes it when it ends.
func (k *clustered) handOver(d *Daemon) {
	if !k.isJudge() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handOverAtEnd)
	defer cancel()
	err := k.judge.lease.HandOver(ctx, d.machine.underway.None)
	if err != nil && !errors.Is(err, cluster.ErrNotLeading) {
		d.log.Warn("this judge leads, and could not hand over; the other one delivers in fifteen seconds", "error", err)
	}
}

// handOverWhenAsked hands over whenever a person asks for it.
func (k *clustered) handOverWhenAsked(ctx context.Context, u *lapi.Underway) {
	j := k.judge
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-j.give:
			within, cancel := context.WithTimeout(ctx, handOverAsked)
			if err := j.lease.HandOver(within, u.None); err != nil {
				k.conn.Log().Warn("this judge did not hand over", "error", err, "hint", hint.Of(err))
			}
			cancel()
			j.giving.Store(false)
		}
	}
}

// errNoOther is the error of a judge that is alone.
var errNoOther = errors.New("there is no other judge to hand over to")

// askToHandOver has this judge begin to hand over.
func (k *clustered) askToHandOver() error {
	switch {
	case !k.isJudge():
		return hint.Wrap(errors.New("this host is no judge"), "csmail cluster status on a judge shows who leads: ask that one")
	case len(k.judge.rules.own.Judges) < 2:
		return hint.Wrap(errNoOther, "cluster.judges names only this one; csmail cluster judge add makes another")
	case !k.judge.lease.Leads():
		if leader := k.judge.lease.Leader().Name; leader != "" && leader != k.name {
			return hint.Wrap(fmt.Errorf("%w: %s does", cluster.ErrNotLeading, leader), "run the command there")
		}
		return hint.Wrap(cluster.ErrNotLeading, "csmail cluster status shows who does")
	}
	if k.judge.giving.CompareAndSwap(false, true) {
		k.judge.give <- struct{}{}
	}
	return nil
}
