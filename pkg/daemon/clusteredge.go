package daemon

import (
	"net/netip"
	"os"
	"strings"
	"time"

	"csmail/pkg/cluster"
	"csmail/pkg/config"
	"csmail/pkg/detect"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/state"
	"csmail/pkg/wire"
)

// edgePart is a daemon that sends the facts of its lines. The facts since the last commit
// become batches in the same transaction as the cursors, and only then may be sent.
type edgePart struct {
	edge   *engine.Edge
	facts  []wire.Fact // since the last commit
	next   uint64      // number of the first of them
	epoch  uint64
	own    []netip.Addr // not sent yet; nil: they were
	buffer buffer
	most   int64 // bytes that are kept
	sender *cluster.Edge
}

func newEdgePart(conn *cluster.Conn, store *state.Store, c config.Cluster, name string, now func() time.Time) (*edgePart, error) {
	machine, _ := os.ReadFile("/etc/machine-id") // some containers have none
	epoch, err := store.StartOutgoing(uint64(time.Now().UnixNano()), state.Sender{Name: name, Machine: strings.TrimSpace(string(machine))})
	if err != nil {
		return nil, err
	}
	e := &edgePart{edge: engine.NewEdge(detect.NewHashKey()), epoch: epoch, buffer: buffer{store}, most: c.BufferBytes()}
	_, e.next = e.buffer.Bounds()
	e.sender = cluster.NewEdge(conn, e.buffer, cluster.EdgeOptions{Epoch: epoch, Judges: c.Judges, Every: time.Duration(c.Every), Now: now})
	return e, nil
}

// buffer is the state file's list of batches as the cluster sees it.
type buffer struct{ store *state.Store }

func (b buffer) Batch(number uint64) (cluster.Kept, bool, error) {
	o, found, err := b.store.OutgoingBatch(number)
	return cluster.Kept{First: o.First, Next: o.Next, Data: o.Data}, found, err
}

func (b buffer) Bounds() (oldest, next uint64) {
	oldest, next, _ = b.store.OutgoingBounds()
	return oldest, next
}

func (b buffer) Drop(before uint64) error { return b.store.DropOutgoing(before) }

// step has the Join take a record of a log, or of the journal of inputs.
func (e *edgePart) step(r *event.Record) (result engine.Result) {
	result, e.facts = e.edge.Take(r, e.facts)
	return result
}

// reach says that nothing comes from before a time any more.
func (e *edgePart) reach(at time.Time) { e.facts = e.edge.Reach(at, e.facts) }

// isFull reports whether the judges are so far behind that reading must wait.
func (e *edgePart) isFull() bool {
	_, _, bytes := e.buffer.store.OutgoingBounds()
	return bytes >= e.most
}

// Batches are of so many facts at most, and of so many bytes, as far as one fact allows.
const (
	maxBatchFacts = 5000
	maxBatchBytes = 512 << 10
)

// seal makes batches of the facts since the last commit.
func (k *clustered) seal(b *state.Batch) {
	if !k.isEdge() {
		return
	}
	e := k.edge
	for len(e.facts) > 0 {
		n := min(len(e.facts), maxBatchFacts)
		var data []byte
		for {
			through := e.facts[n-1].Place
			if n == len(e.facts) {
				through = e.edge.Through()
			}
			data = wire.AppendBatch(nil, &wire.Batch{Epoch: e.epoch, First: e.next, Through: through, Own: e.own, Facts: e.facts[:n]})
			if len(data) <= maxBatchBytes || n == 1 {
				break
			}
			n /= 2
		}
		e.own = nil
		b.Outgoing = append(b.Outgoing, state.Outgoing{First: e.next, Next: e.next + uint64(n), Data: data})
		e.next += uint64(n)
		e.facts = e.facts[n:]
	}
}

// sealed is called when the batches are on the disk.
func (k *clustered) sealed() {
	if !k.isEdge() {
		return
	}
	k.edge.facts = nil // they hold on to the text of whole batches of lines
	k.edge.sender.Reached(k.edge.edge.Through(), false)
}
