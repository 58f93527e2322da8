package engine

import (
	"encoding/binary"
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
	for s := event.NoService; s <= event.SSHD; s++ {
		_, _ = h.Write([]byte(s.String() + "\n"))
	}
	return h.Sum64()
}

// errSnapshot is a snapshot that is cut or of another version.
var errSnapshot = errors.New("the engine's snapshot is damaged or of another version")

// AppendSnapshot appends the whole state to b. The scenarios and the facts about
// the host are no part of it.
func (e *Engine) AppendSnapshot(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(append(b, snapshotVersion), vocabulary())
	b = appendPart(b, e.sessions.AppendSnapshot(nil))
	if e.buckets == nil {
		return b, nil
	}
	b = appendPart(b, e.buckets.AppendSnapshot(nil))
	b = appendPart(b, e.guard.AppendSnapshot(nil))
	waiting, err := json.Marshal(e.pending())
	if err != nil {
		return nil, fmt.Errorf("the findings that wait: %w", err)
	}
	return appendPart(b, waiting), nil
}

func appendPart(b, part []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(b, part...)
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

// pending is the part of the state that is in no package below. The names in
// Waiting only put the findings in order.
type pending struct {
	Since   time.Time
	Waiting map[string]waiting
}

func (e *Engine) pending() pending {
	p := pending{Since: e.since, Waiting: make(map[string]waiting, len(e.waiting))}
	for _, w := range e.waiting {
		p.Waiting[w.Alert.Last.UTC().Format(time.RFC3339Nano)+" "+w.Alert.ID()] = w
	}
	return p
}

func (e *Engine) restoreWaiting(b []byte) error {
	var p pending
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, err)
	}
	e.since, e.waiting = p.Since, make(map[waitKey]waiting, len(p.Waiting))
	for _, name := range slices.Sorted(maps.Keys(p.Waiting)) {
		w := p.Waiting[name]
		e.waiting[w.key()] = w
	}
	return nil
}
