// Package replay sends finished logs through the engine, for every command that reads old
// logs.
//
// The problem: parsing costs most of the time and needs no order, while the engine's Step
// needs the lines in order. The mechanism: sources are read in blocks, the blocks are
// parsed on all cores, and the records are stepped in the order of the logs, those of
// several sources merged by their times. For example, mail.log.2.gz, mail.log.1 and
// mail.log of one host give the same result as one log with all their lines.
//
// It holds a bounded number of blocks of each open source, and makes no decision about
// the records.
package replay

import (
	"context"
	"runtime"
	"sync"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
	"csmail/pkg/logline"
)

// Options are the settings of a replay besides its sources.
type Options struct {
	Zone    *time.Location   // of headers that name no zone; nil means local time
	Reading *logline.Reading // how the lines are read; nil as they are
	// Of returns both for one source, by its name. It may be nil, and a nil result of it
	// stands for Zone or Reading.
	Of func(source string) (*time.Location, *logline.Reading)

	// Engine steps the records; nil: one that only joins sessions. The caller
	// settles it when the replay is over.
	Engine *engine.Engine

	// Result gets every witness and event, in order, with the name of its source. The
	// Result and its record are valid only during the call; clone the record to keep it.
	// The Engine may be some records ahead, and must not be asked anything before Run
	// returns.
	Result func(source string, r *engine.Result)
	// Flow, if it is set, gets every line that reports something about the way of a
	// mail, in the order of the records but on a goroutine of its own, so it may be
	// ahead of Result or behind it. Both are only lent, as the record of Result.
	Flow func(at *event.Logged, f *event.Flow)
	// Missed gets the lines of known daemons that no grammar matched, and those
	// that can be read in two ways. Nil: they are only counted.
	Missed func(line string)
	// Line, if it is set, gets every line instead, with its parsing and with the result
	// of Step if it is a witness or an event. A line without a record comes behind the
	// record before it.
	Line func(source string, t engine.Trace, r engine.Result)
	// Progress is called with the bytes read and the total (-1: unknown). It may be nil.
	Progress func(done, total int64)
}

// Tally counts lines.
type Tally struct {
	Lines    int64
	Cut      int64                  // lines longer than input.MaxLine
	Outcomes [event.Noted + 1]int64 // by outcome
	Notes    engine.Notes
	Remarks  []string // about whole logs; set when they have ended
}

// known is the number of lines of programs that csmail reads.
func (t *Tally) known() int64 {
	return t.Lines - t.Outcomes[event.NoHeader] - t.Outcomes[event.Foreign]
}

func (t *Tally) add(o Tally) {
	t.Lines += o.Lines
	t.Cut += o.Cut
	t.Notes.Add(o.Notes)
	t.Remarks = append(t.Remarks, o.Remarks...)
	for i, n := range o.Outcomes {
		t.Outcomes[i] += n
	}
}

// Run replays the sources together, in the order of their lines' times; lines of equal
// time in the order of the sources. A source with lines out of order keeps its own
// order: a line counts as no earlier than those before it. On an error the tally covers
// the lines read until then.
func Run(ctx context.Context, sources []archive.Input, o Options) (Tally, error) {
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Engine == nil {
		o.Engine = engine.New(engine.Options{})
	}
	ctx, cancel := context.WithCancel(ctx)
	r := newRun(o, sources)
	workers := r.startWorkers()
	err := r.merge(ctx)
	r.stopPipeline()
	if r.flows != nil {
		r.flows.stop()
	}
	cancel()
	for _, f := range r.feeds {
		f.drain()
	}
	close(r.work)
	workers.Wait()
	for _, f := range r.feeds {
		r.tally.add(f.tally)
	}
	r.tally.Remarks = append(r.tally.Notes.Remarks(), r.tally.Remarks...)
	return r.tally, err
}

// run is a replay under way.
type run struct {
	options  Options
	engine   *engine.Engine
	feeds    []*feed
	joining  *joining    // nil while the merge joins
	pipeline *pipeline   // nil while the merge does everything
	flows    *flowReader // nil without Options.Flow, or if the join reads the lines
	load     load
	result   engine.Result // of the record that is stepped
	work     chan *job     // for any worker
	spare    chan room
	tally    Tally
	total    int64
}

func newRun(o Options, sources []archive.Input) *run {
	cores := runtime.GOMAXPROCS(0)
	r := &run{
		options: o, engine: o.Engine, total: totalSize(sources),
		work: make(chan *job, 2*cores), spare: make(chan room, 4*cores),
	}
	for i, s := range sources {
		r.feeds = append(r.feeds, newFeed(s, i, &o))
	}
	if len(sources) == 1 && o.Line == nil {
		r.joining = newJoining(&r.options)
	}
	if o.Flow != nil && r.joining == nil {
		r.flows = r.startFlows()
	}
	return r
}

func (r *run) startWorkers() *sync.WaitGroup {
	var workers sync.WaitGroup
	keep := keep{missed: r.options.Missed != nil, all: r.options.Line != nil, flow: r.options.Flow != nil}
	for range r.workers() {
		workers.Go(func() {
			for j := range r.work {
				j.parse(j.zone, j.reading, keep)
				if r.joining != nil {
					r.joining.take(j)
				} else {
					close(j.done)
				}
			}
		})
	}
	return &workers
}

// workers returns how many goroutines parse: one a core, without the one that steps. The
// lines about mails are as much work again, so that the one that steps waits at times;
// then there is a goroutine more, for its core.
func (r *run) workers() int {
	workers := max(1, runtime.GOMAXPROCS(0)-1)
	if r.options.Flow != nil {
		workers++
	}
	return workers
}

// users returns how many release a block when they are done with it.
func (r *run) users() int32 {
	if r.flows != nil {
		return 2
	}
	return 1
}

func (r *run) step(f *feed, record *event.Record) {
	if r.options.Line != nil {
		r.showStep(f, record)
		return
	}
	result := &r.result // copied, a Result that was just written costs more than the join
	if record.Outcome >= event.Witness {
		f.job.take(&f.order, f.at)
		r.engine.JoinTo(result, record)
		if r.pipeline != nil {
			result.Keep()
		}
	} else if r.options.Missed == nil || record.Outcome < event.Missed {
		return
	} else {
		*result = engine.Result{Record: record}
	}
	r.complete(f, result)
}

// complete judges and shows what the join made of a record, or has a pipeline do it.
func (r *run) complete(f *feed, result *engine.Result) {
	switch {
	case r.pipeline != nil:
		r.pipeline.add(f, result)
	case result.Outcome < event.Witness:
		r.options.Missed(result.Message)
	default:
		r.engine.Complete(result)
		r.options.Result(f.source.Name(), result)
	}
	if r.load.note(result) {
		r.spread()
	}
}

// showStep steps a record, if it is a witness or an event, and shows its line.
func (r *run) showStep(f *feed, record *event.Record) {
	trace := engine.Follow(f.job.lines[f.at])
	var result engine.Result
	if record.Outcome >= event.Witness {
		f.job.take(&f.order, f.at)
		result = r.engine.Step(record)
	}
	r.options.Line(f.source.Name(), trace, result)
}

func (r *run) progress() {
	if r.options.Progress == nil {
		return
	}
	var done int64
	for _, f := range r.feeds {
		done += f.consumed
	}
	r.options.Progress(done, r.total)
}

func totalSize(sources []archive.Input) int64 {
	var total int64
	for _, s := range sources {
		size := s.Size()
		if size < 0 {
			return -1
		}
		total += size
	}
	return total
}
