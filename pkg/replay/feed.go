package replay

import (
	"context"
	"errors"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/input/archive"
	"csmail/pkg/logline"
)

// underWay is how many blocks of a source may wait to be stepped: enough to keep
// the workers busy, few enough for many sources at a time.
const underWay = 4

// feed is a source on its way through the replay.
type feed struct {
	source  archive.Input
	index   int
	zone    *time.Location
	reading *logline.Reading

	ordered chan *job // owned by the reader; nil until the feed is opened
	err     error     // of the reader, set before ordered closes

	job      *job
	at       int       // in the job's records
	flowAt   int       // in its flows
	latest   time.Time // of its records up to at: the feed's place in the merge
	ended    bool
	order    engine.Order
	tally    Tally
	consumed int64
}

func newFeed(source archive.Input, index int, o *Options) *feed {
	f := &feed{source: source, index: index, zone: o.Zone, reading: o.Reading}
	if o.Of == nil {
		return f
	}
	zone, reading := o.Of(source.Name())
	if zone != nil {
		f.zone = zone
	}
	if reading != nil {
		f.reading = reading
	}
	return f
}

// open starts to read.
func (f *feed) open(ctx context.Context, r *run) {
	f.ordered = make(chan *job, underWay)
	number := int64(0)
	go func() {
		defer close(f.ordered)
		f.err = f.source.Read(ctx, func(b archive.Block) error {
			j := &job{block: b, number: number, zone: f.zone, reading: f.reading, done: make(chan struct{})}
			number++
			j.users.Store(r.users())
			select {
			case spare := <-r.spare:
				j.room = spare
			default:
			}
			return submit(ctx, j, f.ordered, r.work)
		})
	}()
}

// submit hands a job to a worker first, so that the consumer never waits for a
// job that no worker has.
func submit(ctx context.Context, j *job, ordered, work chan<- *job) error {
	for _, queue := range [...]chan<- *job{work, ordered} {
		select {
		case queue <- j:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// next moves on to the next record or line about the way of a mail; more is false at the
// end of the source.
func (f *feed) next(r *run) (more bool, err error) {
	for {
		if f.job != nil && f.find() {
			return true, nil
		}
		if !f.nextJob(r) {
			return false, f.verdict()
		}
	}
}

// nextJob moves on to the next block, and reports false at the end of the source.
func (f *feed) nextJob(r *run) bool {
	f.finishJob(r)
	j, more := <-f.ordered
	if !more {
		f.ended = true
		return false
	}
	<-j.done
	f.job, f.at, f.flowAt = j, 0, 0
	return true
}

// find dates what comes next in the block, and reports whether there is anything.
func (f *feed) find() bool {
	var at time.Time
	switch {
	case f.isAtFlow():
		f.job.dateFlow(f.flowAt, f.order.Before())
		at = f.job.flows[f.flowAt].Time
	case f.at < len(f.job.records):
		f.job.date(f.at, f.order.Before())
		at = f.job.records[f.at].Time
	default:
		return false
	}
	if at.After(f.latest) {
		f.latest = at
	}
	return true
}

// isAtFlow reports whether a line about the way of a mail comes next.
func (f *feed) isAtFlow() bool {
	return f.flowAt < len(f.job.flows) && int(f.job.flows[f.flowAt].records) <= f.at
}

// finishJob counts a block whose records are joined.
func (f *feed) finishJob(r *run) {
	if f.job == nil {
		return
	}
	f.tally.add(f.job.tally)
	f.consumed = f.job.block.Consumed
	r.progress()
	f.order.Clone()
	if r.flows != nil {
		r.flows.finish(f.job)
	}
	if r.pipeline != nil {
		r.pipeline.finish(f.job)
	} else {
		f.job.release(r.spare)
	}
	f.job = nil
}

// verdict is the error with which reading the source ended.
func (f *feed) verdict() error {
	if f.err != nil {
		return f.err
	}
	f.consumed = max(f.source.Size(), f.consumed)
	f.tally.remark(f.source.Name())
	return notALog(f.source.Name(), f.tally)
}

// drain waits for the reader of a replay that ended early.
func (f *feed) drain() {
	if f.ordered == nil {
		return
	}
	for range f.ordered {
	}
}

var errEnough = errors.New("enough")

// glance dates the first line of a source that can be read again, so that a source that
// begins later need not be open until then. It returns the zero time if only opening the
// source would show the date.
func (f *feed) glance(ctx context.Context) time.Time {
	var first time.Time
	if f.source.Size() < 0 {
		return first
	}
	_ = f.source.Read(ctx, func(b archive.Block) error { // an error shows again when it is read
		line := logline.Line{Received: b.Received, Read: b.Read, Zone: f.zone, Reading: f.reading}
		for text := range strings.SplitSeq(b.Text, "\n") {
			line.Text = text
			if header, _, ok := logline.Split(line); ok {
				first = header.Time(line)
				break
			}
		}
		return errEnough
	})
	return first
}
