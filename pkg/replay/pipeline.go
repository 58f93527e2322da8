package replay

import (
	"runtime"
	"slices"
	"sync"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

// batchSize is how many records go from one goroutine to the next at a time: enough
// that handing them over costs nothing beside the work on them.
const batchSize = 256

// pipeline is the ordered part of a replay on several cores. Parsing is spread over all
// cores, but what depends on the order of the log is the work of a single goroutine: in
// a flood of failed logins, nine tenths of all. It has three parts that share nothing,
// so each can have a goroutine of its own. All of them see the records in the same
// order, so the results are those of one goroutine.
//
// Handing records over takes a twentieth of the time of an ordinary log, which parsing
// keeps both cores busy with anyway. So there is a pipeline only while most records are
// offences; see load.
//
//	merge and join ─► batches ─► judge ─► batches ─► Options.Result
type pipeline struct {
	options *Options
	batch   *batch // that the merge is filling
	joined  chan *batch
	judged  chan *batch
	free    chan *batch
	over    sync.WaitGroup
}

// batch is a run of records, in order.
type batch struct {
	items []item
	done  []*job          // whose last records are in the batch
	warm  []*event.Record // memory for offences
	spare chan room
}

// item is a record on its way. A record that is no witness and no event goes to
// Options.Missed.
type item struct {
	source *feed
	result engine.Result
}

// load counts the offences among the latest records.
type load struct{ records, offences int }

// loadWindow is over how many records offences are counted.
const loadWindow = 1024

// note counts a record and reports whether a window is full.
func (l *load) note(r *engine.Result) bool {
	l.records++
	if r.IsOffence() {
		l.offences++
	}
	return l.records >= loadWindow
}

// spread begins a pipeline if three of four records are offences, and ends it if fewer
// than half are.
func (r *run) spread() {
	switch {
	case r.load.offences*2 < r.load.records:
		r.stopPipeline()
	case r.load.offences*4 >= r.load.records*3 && r.pipeline == nil && r.canSpread():
		r.pipeline = r.startPipeline()
	}
	r.load = load{}
}

// canSpread reports whether there is a second core, and nobody who must see a record
// before the join does.
func (r *run) canSpread() bool {
	return runtime.GOMAXPROCS(0) > 1 && r.options.Line == nil
}

// stopPipeline returns when everything that was added to the pipeline is shown.
func (r *run) stopPipeline() {
	if r.pipeline != nil {
		r.pipeline.stop()
		r.pipeline = nil
	}
}

func (r *run) startPipeline() *pipeline {
	const underWay = 4
	p := &pipeline{options: &r.options, joined: make(chan *batch, underWay), judged: make(chan *batch, underWay), free: make(chan *batch, 3*underWay)}
	p.batch = &batch{items: make([]item, 0, batchSize), spare: r.spare}
	p.over.Go(func() {
		defer close(p.judged)
		for b := range p.joined {
			b.judge(r.engine)
			p.judged <- b
		}
	})
	p.over.Go(func() {
		for b := range p.judged {
			b.show(p.options)
			b.release()
			select {
			case p.free <- b:
			default:
			}
		}
	})
	return p
}

// add takes the next record with what the join made of it, which must be kept.
func (p *pipeline) add(source *feed, result *engine.Result) {
	p.batch.items = append(p.batch.items, item{source, *result})
	if len(p.batch.items) == batchSize {
		p.flush()
	}
}

// finish releases a job once all that was added before is shown.
func (p *pipeline) finish(j *job) {
	p.batch.done = append(p.batch.done, j)
	p.flush()
}

// flush hands on what was added, because the merge may have to wait for its next block.
func (p *pipeline) flush() {
	full := p.batch
	select {
	case p.batch = <-p.free:
	default:
		p.batch = &batch{items: make([]item, 0, batchSize), spare: full.spare}
	}
	p.joined <- full
}

// stop returns when everything that was added is shown.
func (p *pipeline) stop() {
	p.joined <- p.batch
	close(p.joined)
	p.over.Wait()
}

func (b *batch) judge(e *engine.Engine) {
	for i := range b.items {
		if i%engine.WarmBatch == 0 {
			e.Warm(b.offences(i))
		}
		r := &b.items[i].result
		if r.Outcome < event.Witness {
			continue
		}
		e.Complete(r)
		r.Findings = slices.Clone(r.Findings) // the engine's own are valid until its next record
	}
}

// offences returns the offences among the next records from a place on.
func (b *batch) offences(from int) []*event.Record {
	b.warm = b.warm[:0]
	for i := from; i < min(from+engine.WarmBatch, len(b.items)); i++ {
		if r := &b.items[i].result; r.IsOffence() {
			b.warm = append(b.warm, r.Record)
		}
	}
	return b.warm
}

func (b *batch) show(o *Options) {
	for i := range b.items {
		it := &b.items[i]
		if it.result.Outcome < event.Witness {
			o.Missed(it.result.Message)
			continue
		}
		o.Result(it.source.source.Name(), &it.result)
	}
}

// release gives back the blocks that the batch was the last to need, and empties it.
func (b *batch) release() {
	for _, j := range b.done {
		j.release(b.spare)
	}
	clear(b.done)
	b.items, b.done = b.items[:0], b.done[:0]
}
