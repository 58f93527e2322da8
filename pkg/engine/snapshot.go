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
	"net/netip"
	"slices"
	"strings"
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
	take(snapshotHead())
	if err := snapshotPart(take, &e.joinSize, plainPart(e.join.AppendSnapshot)); err != nil {
		return err
	}
	return e.judge.snapshotParts(take)
}

// Snapshot hands out the whole state, in pieces, as [Engine.Snapshot] does. The scenarios
// and the facts about the hosts are no part of it.
func (j *Judge) Snapshot(take func(piece []byte)) error {
	take(snapshotHead())
	return j.snapshotParts(take)
}

func snapshotHead() []byte {
	return binary.BigEndian.AppendUint64([]byte{snapshotVersion}, vocabulary())
}

func (j *Judge) snapshotParts(take func([]byte)) error {
	if j.buckets == nil {
		return nil
	}
	for i, part := range [...]func([]byte) ([]byte, error){plainPart(j.buckets.AppendSnapshot), plainPart(j.guard.AppendSnapshot), j.appendWaiting} {
		if err := snapshotPart(take, &j.partSizes[i], part); err != nil {
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
func snapshotPart(take func([]byte), size *int, part func([]byte) ([]byte, error)) error {
	b, err := part(make([]byte, 0, *size))
	if err != nil {
		return err
	}
	*size = len(b) + len(b)/16
	take(binary.AppendUvarint(nil, uint64(len(b))))
	take(b)
	return nil
}

// Restore replaces the state by what AppendSnapshot wrote. A scenario that has
// changed since starts empty. On an error the engine must not be used further.
func (e *Engine) Restore(b []byte) error {
	return restoreParts(b, append([]func([]byte) error{e.join.Restore}, e.judge.restores()...))
}

// Restore replaces the state by what Snapshot handed out. A scenario that has changed
// since starts empty. On an error the Judge must not be used further.
func (j *Judge) Restore(b []byte) error { return restoreParts(b, j.restores()) }

func (j *Judge) restores() []func([]byte) error {
	if j.buckets == nil {
		return nil
	}
	return []func([]byte) error{j.buckets.Restore, j.guard.Restore, j.restoreWaiting}
}

// readHead returns what stands behind the head of a snapshot.
func readHead(b []byte) ([]byte, error) {
	const head = 1 + 8
	if len(b) < head || b[0] != snapshotVersion || binary.BigEndian.Uint64(b[1:]) != vocabulary() {
		return nil, errSnapshot
	}
	return b[head:], nil
}

func restoreParts(b []byte, restores []func([]byte) error) error {
	b, err := readHead(b)
	if err != nil {
		return err
	}
	for _, part := range restores {
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
	Since    time.Time
	Waiting  []waiting // in the order of their times
	BrokenIn []broken  // in the order of their times; older snapshots have none
}

// broken is a break-in that was told of.
type broken struct {
	Addr netip.Addr
	User string
	At   time.Time
}

// gobPart begins the part of pending; '{' begins that of before, which was JSON.
const gobPart = 1

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
	part := bytes.NewBuffer(append(b, gobPart))
	if err := gob.NewEncoder(part).Encode(p); err != nil {
		return nil, fmt.Errorf("the findings that wait: %w", err)
	}
	return part.Bytes(), nil
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
