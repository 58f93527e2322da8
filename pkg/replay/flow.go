package replay

import (
	"slices"
	"sync"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// flowLine is a line about the way of a mail, between the records of its block.
type flowLine struct {
	engine.FlowLine
	records int32 // of the block before it
}

// keepFlow keeps a line that may report the way of a mail. Its record is the last one.
func (j *job) keepFlow(parser *engine.Parser, line *logline.Line, record *event.Record) {
	if !parser.MayFlow() {
		return
	}
	if len(j.flows) == cap(j.flows) {
		j.flows = slices.Grow(j.flows, 1)
	}
	j.flows = j.flows[:len(j.flows)+1]
	flow := &j.flows[len(j.flows)-1] // which may hold an old one
	parser.FlowLine(line, record, &flow.FlowLine)
	flow.records = int32(len(j.records) - 1)
	if parser.IsTwofold(line) {
		j.twofoldFlows = append(j.twofoldFlows, twofold{len(j.flows) - 1, *line})
	}
}

// dateFlow does for a line about the way of a mail what date does for a record.
func (j *job) dateFlow(flow int, before time.Time) {
	if t, ok := cutTwofold(&j.twofoldFlows, flow); ok {
		j.flows[flow].Time = t.time(before)
	}
}

// flowReader reads the lines about the way of mails on a goroutine of its own: what comes
// of them does not depend on the records, which the merge gives to the engine meanwhile.
// The merge hands the lines over in its own order, a range of a block at a time.
type flowReader struct {
	options *Options
	spare   chan room
	batch   []flowRange // that the merge is filling
	batches chan []flowRange
	over    sync.WaitGroup
}

// flowRange are adjacent lines of a block.
type flowRange struct {
	job      *job
	from, to int
	isLast   bool // no more lines of the block come
}

// maxRanges is how many ranges are handed over at a time, if the merge changes from log
// to log with almost each line.
const maxRanges = 256

func (r *run) startFlows() *flowReader {
	const underWay = 4
	f := &flowReader{options: &r.options, spare: r.spare, batches: make(chan []flowRange, underWay)}
	f.over.Go(func() {
		for batch := range f.batches {
			for _, lines := range batch {
				f.read(lines)
			}
		}
	})
	return f
}

func (f *flowReader) read(lines flowRange) {
	var flow event.Flow
	for i := lines.from; i < lines.to; i++ {
		line := &lines.job.flows[i]
		if line.Read(&flow) {
			f.options.Flow(&line.Logged, &flow)
		}
	}
	if lines.isLast {
		lines.job.release(f.spare)
	}
}

// add takes the next line of a block.
func (f *flowReader) add(j *job, line int) {
	if n := len(f.batch); n > 0 && f.batch[n-1].job == j && f.batch[n-1].to == line {
		f.batch[n-1].to++
		return
	}
	if len(f.batch) >= maxRanges {
		f.flush()
	}
	f.batch = append(f.batch, flowRange{job: j, from: line, to: line + 1})
}

// addFlow hands over the line about the way of a mail that comes next.
func (r *run) addFlow(f *feed) {
	r.flows.add(f.job, f.flowAt)
	f.flowAt++
}

// finish hands over the lines so far, the last ones of a block among them.
func (f *flowReader) finish(j *job) {
	f.batch = append(f.batch, flowRange{job: j, isLast: true})
	f.flush()
}

func (f *flowReader) flush() {
	f.batches <- f.batch
	f.batch = nil
}

// stop returns when all lines are read.
func (f *flowReader) stop() {
	f.flush()
	close(f.batches)
	f.over.Wait()
}
