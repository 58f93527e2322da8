package replay

import (
	"sync"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

// joining joins the records of a single log on the cores that parse it. The problem: what
// needs the order of the log is the work of one goroutine, and in an ordinary log that
// takes longer than the parsing, so that the other cores wait for it. Joining needs the
// order but nothing of what the Judge does. So whoever has parsed the block that is next
// joins it, and all parsed blocks after it, while nobody waits. It reads the lines about
// the way of mails, too: their text is still in its core's cache, and a goroutine more
// than there are cores would share one with the judge.
//
// Records of several logs are joined by the merge, which alone knows their order.
type joining struct {
	engine *engine.Engine
	order  engine.Order
	flow   func(*event.Logged, *event.Flow) // nil: nobody asks for the lines about mails

	mu     sync.Mutex
	parsed map[int64]*job // by number
	next   int64          // number of the block to join
	busy   bool           // a goroutine is joining
}

func newJoining(o *Options) *joining {
	return &joining{engine: o.Engine, flow: o.Flow, parsed: map[int64]*job{}}
}

// take takes a block that is parsed. The block is done once it is joined, which another
// goroutine may do later.
func (n *joining) take(j *job) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parsed[j.number] = j
	if n.busy {
		return
	}
	n.busy = true
	for j := n.parsed[n.next]; j != nil; j = n.parsed[n.next] {
		delete(n.parsed, n.next)
		n.next++
		n.mu.Unlock()
		j.join(n.engine, &n.order)
		j.readFlows(n.flow)
		close(j.done)
		n.mu.Lock()
	}
	n.busy = false
}

// join dates, completes and joins the records of a block in the order of the log.
func (j *job) join(e *engine.Engine, order *engine.Order) {
	if cap(j.results) < len(j.records) {
		j.results = make([]engine.Result, len(j.records))
	}
	j.results = j.results[:len(j.records)]
	flow := 0
	for i := range j.records {
		flow = j.dateFlows(flow, i, order)
		j.date(i, order.Before())
		record, result := &j.records[i], &j.results[i]
		if record.Outcome < event.Witness {
			*result = engine.Result{Record: record}
			continue
		}
		j.take(order, i)
		e.JoinTo(result, record)
		j.kept.Keep(result)
	}
	j.dateFlows(flow, len(j.records), order)
	order.Clone()
}

// dateFlows dates the lines about the way of a mail before a record, from a number on. It
// returns the number of the next one.
func (j *job) dateFlows(from, record int, order *engine.Order) int {
	if len(j.twofoldFlows) == 0 {
		return from
	}
	for ; from < len(j.flows) && int(j.flows[from].records) <= record; from++ {
		j.dateFlow(from, order.Before())
	}
	return from
}

// readFlows reads the lines about the way of mails.
func (j *job) readFlows(show func(*event.Logged, *event.Flow)) {
	var flow event.Flow
	for i := range j.flows {
		if line := &j.flows[i]; line.Read(&flow) {
			show(&line.Logged, &flow)
		}
	}
}

// stepJoined steps the records of a single log that others join.
func (r *run) stepJoined(f *feed) error {
	for f.nextJob(r) {
		for i := range f.job.results {
			f.at = i
			r.complete(f, &f.job.results[i])
		}
	}
	return f.verdict()
}
