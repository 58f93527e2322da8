package replay

import (
	"strings"
	"sync/atomic"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
	"csmail/pkg/logline"
)

// job is a block on its way through a worker; done closes once records and
// tally are set.
type job struct {
	block   archive.Block
	number  int64            // in its source
	zone    *time.Location   // of its source
	reading *logline.Reading // the same
	room
	lines   []logline.Line // of the records, if each line is asked for
	twofold []twofold      // in the order of the records
	tally   Tally

	twofoldFlows []twofold // those of the flows

	done  chan struct{}
	users atomic.Int32 // that need the block still
}

// twofold is a record with an ambiguous time of day. Only the record before it shows
// which of two moments is meant.
type twofold struct {
	record int
	line   logline.Line
}

// keep selects the lines that make a record besides witnesses and events.
type keep struct{ missed, all, flow bool }

func (k keep) takes(r *event.Record) bool {
	return r.Outcome >= event.Witness || k.all || k.missed && (r.Outcome == event.Missed || r.Outcome == event.Ambiguous)
}

func (j *job) parse(zone *time.Location, reading *logline.Reading, keep keep) {
	const usual = 180 // bytes of the log a record, as lines and their kinds are mixed
	if cap(j.records) == 0 {
		j.records = make([]event.Record, 0, len(j.block.Text)/usual+1)
	}
	if keep.flow && cap(j.flows) == 0 {
		j.flows = make([]flowLine, 0, len(j.block.Text)/usual+1)
	}
	var parser engine.Parser
	line := logline.Line{Received: j.block.Received, Read: j.block.Read, Zone: zone, Number: j.block.First, Reading: reading}
	j.tally.Cut = int64(j.block.Cut)
	for rest := j.block.Text; rest != ""; line.Number++ {
		line.Text, rest = cutLine(rest)
		record := j.next()
		parser.Parse(&line, record)
		j.tally.Lines++
		j.tally.Outcomes[record.Outcome]++
		if keep.flow {
			j.keepFlow(&parser, &line, record)
		}
		if !keep.takes(record) {
			j.records = j.records[:len(j.records)-1]
			continue
		}
		if record.Outcome >= event.Witness && parser.IsTwofold(&line) {
			j.twofold = append(j.twofold, twofold{len(j.records) - 1, line})
		}
		if keep.all {
			j.lines = append(j.lines, line)
		}
	}
	j.tally.Notes = parser.Notes
}

// cutLine cuts off the first line.
func cutLine(text string) (line, rest string) {
	end := strings.IndexByte(text, '\n')
	if end < 0 {
		return text, ""
	}
	return text[:end], text[end+1:]
}

// take completes a record.
func (j *job) take(order *engine.Order, record int) {
	if next := record + 1; next < len(j.records) {
		order.TakeBefore(&j.records[record], &j.records[next])
		return
	}
	order.Take(&j.records[record])
}

// date corrects the time of a record with an ambiguous stamp; before is the time of the
// record before it.
func (j *job) date(record int, before time.Time) {
	if len(j.twofold) == 0 { // mostly; a twofold is large
		return
	}
	t, ok := cutTwofold(&j.twofold, record)
	if !ok {
		return
	}
	j.records[record].Time = t.time(before)
	if j.lines != nil {
		j.lines[record].After = before
	}
}

// cutTwofold takes the next of a list if it is that of the record.
func cutTwofold(list *[]twofold, record int) (next twofold, ok bool) {
	if len(*list) == 0 || (*list)[0].record != record {
		return next, false
	}
	next, *list = (*list)[0], (*list)[1:]
	return next, true
}

// time dates the line, which came after the given time.
func (t *twofold) time(before time.Time) time.Time {
	t.line.After = before
	header, _, _ := logline.Split(t.line)
	return header.Time(t.line)
}

// next returns room for one more record. The record may hold old values.
func (j *job) next() *event.Record {
	if len(j.records) < cap(j.records) {
		j.records = j.records[:len(j.records)+1]
	} else {
		j.records = append(j.records, event.Record{})
	}
	return &j.records[len(j.records)-1]
}

// release gives the block and the records back for their next use, once all who need
// them have released them.
func (j *job) release(spare chan<- room) {
	if j.users.Add(-1) > 0 {
		return
	}
	select {
	case spare <- j.forget():
	default:
	}
	j.block.Release()
}

// forget makes the records free for their next use. They are not cleared, because that
// would take as long as parsing them. Their strings into the block's text are never read
// again.
func (j *job) forget() room {
	j.kept.Reset()
	return room{j.records[:0], j.flows[:0], j.results[:0], j.kept}
}

// room is the memory of a job, which the next one can use.
type room struct {
	records []event.Record
	flows   []flowLine
	results []engine.Result // of the records; none if the merge joins them
	kept    engine.Keeper   // of the results
}
