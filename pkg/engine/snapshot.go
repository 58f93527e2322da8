package engine

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/wire"
)

// snapshotVersion changes with the order and the framing of the parts. Each part has a
// version of its own. A part of version 2 is one piece behind its length; a part of
// version 3 is any number of pieces, each behind its length, and a 0.
const (
	snapshotVersion = 3
	wholeParts      = 2
)

// vocabulary returns a hash of the names of kinds and services. Releases with other
// numbers for them have another hash, because the parts of a snapshot hold the numbers.
func vocabulary() uint64 {
	h := fnv.New64a()
	for _, k := range event.Kinds() {
		_, _ = h.Write([]byte(k.String() + "\n"))
	}
	for _, s := range append([]event.Service{event.NoService}, event.Services()...) {
		_, _ = h.Write([]byte(s.String() + "\n"))
	}
	return h.Sum64()
}

// errSnapshot is a snapshot that is cut or of another version.
var errSnapshot = errors.New("the engine's snapshot is damaged or of another version")

// AppendSnapshot appends the whole state to b. The scenarios and the facts about
// the host are no part of it.
func (e *Engine) AppendSnapshot(b []byte) ([]byte, error) {
	err := e.Snapshot(func(piece []byte) { b = append(b, piece...) })
	return b, err
}

// Snapshot hands out the bytes of AppendSnapshot in pieces, so that a caller that
// compresses them never has the whole in memory. take must not keep a piece.
func (e *Engine) Snapshot(take func(piece []byte)) error { return snapshotParts(take, e.writers()) }

func (e *Engine) writers() []partWriter {
	return append([]partWriter{inOne(&e.joinSize, e.join.AppendSnapshot)}, e.judge.writers()...)
}

// SnapshotWith is Snapshot with a part of the caller's behind it, in pieces as well.
// OpenMore reads it, and RestoreFrom passes it by.
func (e *Engine) SnapshotWith(take func(piece []byte), more func(take func(piece []byte))) error {
	return snapshotParts(take, append(e.writers(), func(take func([]byte)) error {
		more(take)
		return nil
	}))
}

// Snapshot hands out the whole state, in pieces, as [Engine.Snapshot] does. The scenarios
// and the facts about the hosts are no part of it.
func (j *Judge) Snapshot(take func(piece []byte)) error { return snapshotParts(take, j.writers()) }

func (j *Judge) writers() []partWriter {
	if j.buckets == nil {
		return nil
	}
	buckets := func(take func([]byte)) error {
		j.buckets.Snapshot(take)
		return nil
	}
	waiting := func(take func([]byte)) error {
		b, err := j.appendWaiting(nil)
		take(b)
		return err
	}
	return []partWriter{buckets, inOne(&j.guardSize, j.guard.AppendSnapshot), waiting}
}

// Restore replaces the state by that of AppendSnapshot.
func (e *Engine) Restore(b []byte) error { return e.RestoreFrom(wire.Whole(b)) }

// RestoreFrom replaces the state by that of Snapshot. It calls open several times, so
// that the snapshot and the state are not in memory at once. A scenario that has changed
// since starts empty. Errors of reading are returned. After an error the engine must not
// be used further.
func (e *Engine) RestoreFrom(open wire.Open) error {
	return restoreParts(open, append([]partReader{fromOne(e.join.Restore)}, e.judge.readers()...))
}

// Restore replaces the state by that of Snapshot. A scenario that has changed since
// starts empty. After an error the Judge must not be used further.
func (j *Judge) Restore(b []byte) error { return restoreParts(wire.Whole(b), j.readers()) }

func (j *Judge) readers() []partReader {
	if j.buckets == nil {
		return nil
	}
	return []partReader{j.buckets.Restore, fromOne(j.guard.Restore), fromOne(j.restoreWaiting)}
}

// TakeOver makes e go on where another engine is, as after a reload: as RestoreFrom does
// with a snapshot of it, but without a copy. Both have scenarios or neither has. The
// other engine must not be used any more.
func (e *Engine) TakeOver(old *Engine) {
	e.join = old.join
	e.judge.takeOver(old.judge)
	*old = Engine{}
}

func (j *Judge) takeOver(old *Judge) {
	j.since, j.waiting, j.brokenIn = old.since, old.waiting, old.brokenIn
	if j.buckets != nil && old.buckets != nil {
		j.buckets.TakeOver(old.buckets)
		j.guard.TakeOver(old.guard)
	}
}

// pending is the part of the state that belongs to no other package.
type pending struct {
	Since    time.Time
	Waiting  []waiting // in the order of their times
	BrokenIn []broken  // in the order of their times; older snapshots have none
}

// broken is a break-in that was reported.
type broken struct {
	Addr netip.Addr
	User string
	At   time.Time
}

// wirePart is the first byte of the part. Older ones begin with gobPart or with '{'.
const wirePart = 2

func (j *Judge) appendWaiting(b []byte) ([]byte, error) {
	p := pending{Since: j.since, Waiting: slices.SortedFunc(maps.Values(j.waiting), func(a, b waiting) int {
		return cmp.Or(a.Alert.Last.Compare(b.Alert.Last), cmp.Compare(a.Alert.ID(), b.Alert.ID()))
	})}
	for key, at := range j.brokenIn {
		p.BrokenIn = append(p.BrokenIn, broken{key.addr, key.user, at})
	}
	slices.SortFunc(p.BrokenIn, func(a, b broken) int {
		return cmp.Or(a.At.Compare(b.At), a.Addr.Compare(b.Addr), strings.Compare(a.User, b.User))
	})
	part, err := wire.Store(p.encode)
	if err != nil {
		return nil, fmt.Errorf("the findings that wait: %w", err)
	}
	return append(append(b, wirePart), part...), nil
}

func (p *pending) encode(c *wire.Stored) {
	c.Begin()
	c.Stamp(&p.Since)
	wire.List(&c.Codec, &p.Waiting, func(w *waiting) {
		c.Alert(&w.Alert)
		c.SignedInts(&w.Needed)
		h := &w.Blackhole
		c.Text(&h.Scenario)
		c.Text(&h.Key)
		c.Bools(&h.IsText)
		c.Fixed(&h.Text)
		c.Int64s(&h.Until, &h.Held)
	})
	wire.List(&c.Codec, &p.BrokenIn, func(b *broken) {
		c.Addr(&b.Addr)
		c.Text(&b.User)
		c.Stamp(&b.At)
	})
}

func (j *Judge) restoreWaiting(b []byte) error {
	p, err := readWaiting(b)
	if err != nil {
		return fmt.Errorf("%w: the findings that wait: %w", errSnapshot, err)
	}
	j.since, j.waiting = p.Since, make(map[waitKey]waiting, len(p.Waiting))
	for _, w := range p.Waiting {
		j.waiting[w.key()] = w
	}
	j.brokenIn = make(map[brokenKey]time.Time, len(p.BrokenIn))
	for _, b := range p.BrokenIn {
		j.brokenIn[brokenKey{b.Addr, b.User}] = b.At
	}
	return nil
}

func readWaiting(b []byte) (p pending, err error) {
	if len(b) > 0 && b[0] == wirePart {
		err = wire.Load(b[1:], p.encode)
		return p, err
	}
	return readOlderWaiting(b)
}
