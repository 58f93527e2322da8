// Package replay sends finished logs through the engine: it reads the sources
// one after the other in blocks, parses the blocks on all cores, and steps the
// records in the order of the log. It holds a bounded number of blocks, and
// decides nothing about what the records mean.
package replay

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"csmail/pkg/acquisition"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/hint"
	"csmail/pkg/syslogline"
)

// Options are what a replay needs besides its sources.
type Options struct {
	Zone *time.Location // of headers that name none; nil means local time

	// Result gets every witness and event, in order, with the name of its source.
	// The record is only lent: whoever keeps it clones it.
	Result func(source string, r engine.Result)
	// Missed gets the lines of known daemons that no grammar matched, and those
	// that can be read in two ways. Nil: they are only counted.
	Missed func(line string)
	// Progress is told the bytes read, and those there are (-1: unknown). Nil:
	// nobody asks.
	Progress func(done, total int64)
}

// Tally counts lines.
type Tally struct {
	Lines    int64
	Cut      int64                  // lines longer than acquisition.MaxLine
	Outcomes [event.Noted + 1]int64 // by outcome
}

func (t *Tally) add(o Tally) {
	t.Lines += o.Lines
	t.Cut += o.Cut
	for i, n := range o.Outcomes {
		t.Outcomes[i] += n
	}
}

// Run replays the sources in their order. On an error the tally is of what was
// read until then.
func Run(ctx context.Context, sources []acquisition.Source, o Options) (Tally, error) {
	if o.Zone == nil {
		o.Zone = time.Local
	}
	r := &run{options: o, engine: engine.New(), total: totalSize(sources)}
	for _, s := range sources {
		if err := r.source(ctx, s); err != nil {
			return r.tally, err
		}
	}
	return r.tally, nil
}

// run is a replay under way. Only its consumer touches it.
type run struct {
	options Options
	engine  *engine.Engine
	tally   Tally
	total   int64
	before  int64 // bytes of the sources that are done
}

// job is a block on its way through a worker; done closes once records and
// tally are set.
type job struct {
	block   acquisition.Block
	records []event.Record
	tally   Tally
	done    chan struct{}
}

func (r *run) source(ctx context.Context, s acquisition.Source) error {
	workers := runtime.GOMAXPROCS(0)
	ordered := make(chan *job, 2*workers) // owned by the reader
	work := make(chan *job, 2*workers)    // owned by the reader
	spare := make(chan []event.Record, 4*workers)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(work)
		defer close(ordered)
		return s.Read(ctx, func(b acquisition.Block) error {
			j := &job{block: b, done: make(chan struct{})}
			select {
			case j.records = <-spare:
			default:
			}
			return submit(ctx, j, ordered, work)
		})
	})
	for range workers {
		group.Go(func() error {
			for j := range work {
				j.parse(r.options.Zone, r.options.Missed != nil)
				close(j.done)
			}
			return nil
		})
	}
	var own Tally
	for j := range ordered {
		<-j.done
		r.consume(s.Name(), j)
		own.add(j.tally)
		select {
		case spare <- j.forget():
		default:
		}
	}
	r.tally.add(own)
	if err := group.Wait(); err != nil {
		return err
	}
	r.before += max(s.Size(), 0)
	return notALog(s.Name(), own)
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

func (j *job) parse(zone *time.Location, missed bool) {
	var parser engine.Parser
	line := syslogline.Line{Received: j.block.Received, Read: j.block.Read, Zone: zone, Number: j.block.First}
	j.tally.Cut = int64(j.block.Cut)
	for rest := j.block.Text; rest != ""; line.Number++ {
		line.Text, rest, _ = strings.Cut(rest, "\n")
		record := j.next()
		parser.Parse(&line, record)
		j.tally.Lines++
		j.tally.Outcomes[record.Outcome]++
		if keep := record.Outcome >= event.Witness ||
			missed && (record.Outcome == event.Missed || record.Outcome == event.Ambiguous); !keep {
			j.records = j.records[:len(j.records)-1]
		}
	}
}

// next returns room for one more record. What it holds is of no account.
func (j *job) next() *event.Record {
	if len(j.records) < cap(j.records) {
		j.records = j.records[:len(j.records)+1]
	} else {
		j.records = append(j.records, event.Record{})
	}
	return &j.records[len(j.records)-1]
}

// forget empties the records for their next use, so that they hold on to no
// block's text. Behind the last one there may be one more that was begun.
func (j *job) forget() []event.Record {
	clear(j.records[:min(len(j.records)+1, cap(j.records))])
	return j.records[:0]
}

func (r *run) consume(source string, j *job) {
	for i := range j.records {
		record := &j.records[i]
		if record.Outcome < event.Witness {
			r.options.Missed(record.Message)
			continue
		}
		r.options.Result(source, r.engine.Step(record))
	}
	if r.options.Progress != nil {
		r.options.Progress(r.before+j.block.Consumed, r.total)
	}
}

// notALog refuses a source in which no line had a header: a wrong file must not
// read as a quiet day.
func notALog(name string, t Tally) error {
	if t.Lines == 0 || t.Outcomes[event.NoHeader] < t.Lines {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%q is not a log: none of its %d lines starts with a syslog header", name, t.Lines),
		"csmail reads syslog files, Postfix's and Dovecot's own log files, and journalctl's output in any form but cat")
}

func totalSize(sources []acquisition.Source) int64 {
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
