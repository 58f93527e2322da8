package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"csmail/pkg/event"
)

// snapshotVersion changes with the order of the parts. Each part has a version
// of its own.
const snapshotVersion = 2

// vocabulary tells apart releases in which the kinds and services of events have
// other numbers: the parts keep the numbers.
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

// Snapshot hands out what AppendSnapshot appends, in pieces, so that whoever packs them
// need not hold the whole. take must not keep a piece.
func (e *Engine) Snapshot(take func(piece []byte)) error {
	take(binary.BigEndian.AppendUint64([]byte{snapshotVersion}, vocabulary()))
	parts := []func([]byte) ([]byte, error){plainPart(e.sessions.AppendSnapshot)}
	if e.buckets != nil {
		parts = append(parts, plainPart(e.buckets.AppendSnapshot), plainPart(e.guard.AppendSnapshot), e.appendWaiting)
	}
	for i, part := range parts {
		if err := e.snapshotPart(take, i, part); err != nil {
			return err
		}
	}
	return nil
}

func plainPart(part func([]byte) []byte) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) { return part(b), nil }
}

// snapshotPart hands out a part behind its length. It begins with the room that the part
// took last time, because growing to it would take twice that.
func (e *Engine) snapshotPart(take func([]byte), i int, part func([]byte) ([]byte, error)) error {
	b, err := part(make([]byte, 0, e.partSizes[i]))
	if err != nil {
		return err
	}
	e.partSizes[i] = len(b) + len(b)/16
	take(binary.AppendUvarint(nil, uint64(len(b))))
	take(b)
	return nil
}

// Restore replaces the state by what AppendSnapshot wrote. A scenario that has
// changed since starts empty. On an error the engine must not be used further.
func (e *Engine) Restore(b []byte) error {
	const head = 1 + 8
	if len(b) < head || b[0] != snapshotVersion || binary.BigEndian.Uint64(b[1:]) != vocabulary() {
		return errSnapshot
	}
	b = b[head:]
	restore := []func([]byte) error{e.sessions.Restore}
	if e.buckets != nil {
		restore = append(restore, e.buckets.Restore, e.guard.Restore, e.restoreWaiting)
	}
	for _, part := range restore {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return errSnapshot
		}
		if err := part(b[size : size+int(n)]); err != nil {
			return err
		}
		b = b[size+int(n):]
	}
	return nil
}

// pending is the part of the state that is in no package below. It is gob, which
// keeps texts byte for byte: JSON keeps UTF-8 only, and clients write what they like.
type pending struct {
	Since   time.Time
	Waiting []waiting // in the order of their times
}

// gobPart begins the part of pending; '{' begins that of before, which was JSON.
const gobPart = 1

func (e *Engine) appendWaiting(b []byte) ([]byte, error) {
	p := pending{Since: e.since, Waiting: slices.SortedFunc(maps.Values(e.waiting), func(a, b waiting) int {
		return cmp.Or(a.Alert.Last.Compare(b.Alert.Last), cmp.Compare(a.Alert.ID(), b.Alert.ID()))
	})}
	part := bytes.NewBuffer(append(b, gobPart))
	if err := gob.NewEncoder(part).Encode(p); err != nil {
		return nil, fmt.Errorf("the findings that wait: %w", err)
	}
	return part.Bytes(), nil
}

func (e *Engine) restoreWaiting(b []byte) error {
	p, err := readWaiting(b)
	if err != nil {
		return fmt.Errorf("%w: the findings that wait: %w", errSnapshot, err)
	}
	e.since, e.waiting = p.Since, make(map[waitKey]waiting, len(p.Waiting))
	for _, w := range p.Waiting {
		e.waiting[w.key()] = w
	}
	return nil
}

func readWaiting(b []byte) (pending, error) {
	var p pending
	if len(b) > 0 && b[0] == gobPart {
		err := gob.NewDecoder(bytes.NewReader(b[1:])).Decode(&p)
		return p, err
	}
	var before struct {
		Since   time.Time
		Waiting map[string]waiting
	}
	if err := json.Unmarshal(b, &before); err != nil {
		return p, err
	}
	p.Since = before.Since
	for _, name := range slices.Sorted(maps.Keys(before.Waiting)) {
		p.Waiting = append(p.Waiting, before.Waiting[name])
	}
	return p, nil
}
