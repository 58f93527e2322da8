package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"csmail/pkg/hint"
	"csmail/pkg/merge"
	"csmail/pkg/wire"
)

// Kept is a batch that an edge has stored until the judges have.
type Kept struct {
	First, Next uint64
	Data        []byte // as wire.AppendBatch encodes it
}

// Buffer holds the batches of an edge, in the order of their numbers, without gaps.
type Buffer interface {
	// Batch returns the batch that holds a fact, or the next one; false if there is none.
	Batch(number uint64) (Kept, bool, error)
	// Bounds returns the number of the oldest fact that is kept, and that of the next new
	// one.
	Bounds() (oldest, next uint64)
	// Drop forgets the batches that hold only facts before a number.
	Drop(before uint64) error
}

// EdgeOptions are the needs of an Edge besides a connection.
type EdgeOptions struct {
	Epoch  uint64 // of the state file
	Judges []string
	Every  time.Duration    // between batches, also when there is nothing to say; 1 s if it is 0
	Now    func() time.Time // what this host's clock shows; nil: time.Now
}

// Edge sends the batches of this host, one at a time: on any doubt it asks for its
// newest message in the stream and goes on from there, so that neither a lost answer nor a stream that
// was wiped doubles, loses or turns round anything.
type Edge struct {
	conn    *Conn
	buffer  Buffer
	options EdgeOptions
	subject string

	wake chan struct{}

	// Used by Run alone:
	synced bool
	last   uint64            // sequence of our newest message
	next   uint64            // number of the next fact to send
	acted  map[string]uint64 // by judge: the revision of its last demand
	sent   time.Time
	asked  time.Time

	mu      sync.Mutex
	through time.Time
	ended   bool
	stats   EdgeStats
}

// EdgeStats are figures since the start.
type EdgeStats struct {
	Batches    uint64        // that the stream has taken
	Facts      uint64        // in them
	Failures   uint64        // calls that failed
	Spent      time.Duration // until the stream had taken them
	LastSent   time.Time
	LastError  string // "" while all is well
	FailsSince time.Time
	Behind     uint64 // facts that are not in the stream yet
	Kept       uint64 // facts that some judge has not stored yet
}

// NewEdge returns an Edge that does nothing before Run.
func NewEdge(c *Conn, buffer Buffer, o EdgeOptions) *Edge {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Edge{conn: c, buffer: buffer, options: o, subject: subjects + c.options.Name, wake: make(chan struct{}, 1), acted: map[string]uint64{}}
}

// Reached says that a batch was stored, or that no later fact comes before a time; ended
// that there will be none. Every fact before must be in the buffer.
func (e *Edge) Reached(through time.Time, ended bool) {
	e.mu.Lock()
	if through.After(e.through) {
		e.through = through
	}
	e.ended = ended
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Stats returns the figures.
func (e *Edge) Stats() EdgeStats {
	oldest, next := e.buffer.Bounds()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Kept = next - oldest
	return s
}

const (
	retryAfter = 500 * time.Millisecond
	askEvery   = 3 * time.Second
)

// Run sends until the context ends.
func (e *Edge) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := e.step(ctx)
		e.note(err)
		if err != nil {
			e.synced = false
			pause(ctx, retryAfter)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// note says when trouble begins, changes or ends.
func (e *Edge) note(err error) {
	_, next := e.buffer.Bounds()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Behind = next - min(e.next, next)
	if err == nil || errors.Is(err, context.Canceled) {
		if e.stats.LastError != "" {
			e.conn.log.Info("the cluster takes what this host sends again", "after", time.Since(e.stats.FailsSince).Round(time.Second))
		}
		e.stats.LastError, e.stats.FailsSince = "", time.Time{}
		return
	}
	e.stats.Failures++
	if e.stats.FailsSince.IsZero() {
		e.stats.FailsSince = time.Now()
	}
	if e.stats.LastError != err.Error() {
		e.conn.log.Warn("the cluster does not take what this host sends; it is kept", "error", err, "hint", hint.Of(err))
	}
	e.stats.LastError = err.Error()
}

// step sends one batch, or waits for one.
func (e *Edge) step(ctx context.Context) error {
	if !e.synced {
		if err := e.sync(ctx); err != nil {
			return err
		}
	}
	if oldest, next := e.buffer.Bounds(); oldest != next && time.Since(e.asked) >= askEvery {
		if err := e.askJudges(ctx); err != nil {
			return err
		}
		e.asked = time.Now()
	}
	kept, found, err := e.buffer.Batch(e.next)
	if err != nil {
		return err
	}
	if !found {
		if wait := e.options.Every - time.Since(e.sent); wait > 0 {
			e.await(ctx, wait)
			return nil
		}
		if kept, found = e.heartbeat(); !found {
			e.await(ctx, e.options.Every)
			return nil
		}
	}
	return e.publish(ctx, kept)
}

func (e *Edge) await(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-e.wake:
	}
}

// heartbeat is a batch without facts: it says how far the host is. There is none while
// that is not known, as before the first lines were read, or while facts were stored just
// now that come before.
func (e *Edge) heartbeat() (Kept, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, next := e.buffer.Bounds()
	if e.through.IsZero() || next != e.next {
		return Kept{}, false
	}
	b := &wire.Batch{Epoch: e.options.Epoch, First: e.next, Through: e.through, Ended: e.ended}
	return Kept{First: e.next, Next: e.next, Data: wire.AppendBatch(nil, b)}, true
}

func (e *Edge) publish(ctx context.Context, kept Kept) error {
	oldest, _ := e.buffer.Bounds()
	wire.SetSent(kept.Data, e.options.Now(), oldest)
	m := nats.NewMsg(e.subject)
	m.Data = kept.Data
	m.Header.Set(headerAt, formatAt(merge.Position{Epoch: e.options.Epoch, Next: kept.Next}))
	began := time.Now()
	sequence, err := e.conn.publishAfter(ctx, m, e.last)
	if err != nil {
		return err
	}
	e.last, e.next, e.sent = sequence, kept.Next, time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Batches++
	e.stats.Facts += kept.Next - kept.First
	e.stats.Spent += time.Since(began)
	e.stats.LastSent = e.sent
	return nil
}

// ErrNameTaken says that another host sends under the name of this one.
var ErrNameTaken = errors.New("another host of the cluster sends under this name")

// sync asks how far the stream has the facts of this host.
func (e *Edge) sync(ctx context.Context) error {
	newest, err := e.newestOwn(ctx)
	if err != nil {
		return err
	}
	oldest, next := e.buffer.Bounds()
	e.next = oldest
	if at, err := parseAt(newest.header.Get(headerAt)); newest.sequence != 0 && err == nil {
		if at.Epoch != e.options.Epoch {
			if err := e.awaitSilence(ctx, newest.sequence); err != nil {
				return err
			}
		} else {
			e.next = min(max(at.Next, oldest), next)
		}
	}
	e.last, e.synced = newest.sequence, true
	return nil
}

func (e *Edge) newestOwn(ctx context.Context) (stored, error) {
	return e.conn.newest(ctx, e.conn.options.Stream, e.subject)
}

// awaitSilence checks that no other host goes on sending under this host's name. An earlier
// life of this host, before its state file was lost, does not.
func (e *Edge) awaitSilence(ctx context.Context, sequence uint64) error {
	pause(ctx, 3*e.options.Every+time.Second)
	newest, err := e.newestOwn(ctx)
	if err != nil {
		return err
	}
	if newest.sequence != sequence {
		return hint.Wrap(fmt.Errorf("%w: %q", ErrNameTaken, e.conn.options.Name), "give each host a cluster.name of its own, and a key of its own")
	}
	return nil
}

// askJudges asks how far the judges are, forgets the facts that all of them have stored,
// and goes back to those that one of them misses.
func (e *Edge) askJudges(ctx context.Context) error {
	least, known := ^uint64(0), true
	for _, judge := range e.options.Judges {
		newest, err := e.conn.value(ctx, atBucket, judge+"."+e.conn.options.Name)
		if errors.Is(err, errNoStream) { // no judge has made the bucket yet, or the server has lost it: sending must not wait for that
			known = false
			continue
		}
		if err != nil {
			return err
		}
		var at atValue
		if newest.sequence == 0 || json.Unmarshal(newest.data, &at) != nil || at.Epoch != e.options.Epoch {
			known = false
			continue
		}
		least = min(least, at.Stored)
		if at.Misses && e.acted[judge] != newest.sequence {
			e.acted[judge] = newest.sequence
			oldest, _ := e.buffer.Bounds()
			e.next = min(e.next, max(at.Want, oldest))
		}
	}
	if known && len(e.options.Judges) > 0 {
		return e.buffer.Drop(least)
	}
	return e.compare(ctx)
}

// compare looks whether the stream still has the last batch: it may have been wiped.
func (e *Edge) compare(ctx context.Context) error {
	newest, err := e.newestOwn(ctx)
	if err == nil && newest.sequence < e.last {
		e.synced = false
	}
	return err
}

// atValue is the message of a judge to an edge.
type atValue struct {
	Epoch  uint64 `json:"epoch"`
	Stored uint64 `json:"stored"`         // facts before this number are in the judge's checkpoint
	Misses bool   `json:"misses"`         // a batch was refused, since facts before it are missing:
	Want   uint64 `json:"want,omitempty"` // from this number on
}

func atSubject(judge, edge string) string { return bucketSubject(atBucket, judge+"."+edge) }
