package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/wire"
)

// ill is a text of a client that is no UTF-8.
const ill = "b\xffb\xc3"

// What waits comes back byte for byte, whatever a client wrote.
func TestSnapshotKeepsEveryByte(t *testing.T) {
	at := time.Date(2026, 6, 3, 4, 11, 9, 5, time.UTC)
	accounts := []string{ill, "b\xfeb\xc3", "bob", "b\uFFFDb\uFFFD"}
	e := eagerly(t, guard.Options{})
	for _, account := range accounts {
		w := waiting{Needed: 6, Alert: event.Alert{
			Scenario: "csmail/x", Scope: event.ScopeAccount, Account: account, Count: 7, First: at, Last: at.Add(time.Hour),
			Kinds: []event.Count{{Name: "auth-failed", N: 7}}, Services: []string{"dovecot"}, Checks: []string{ill}, Informational: true,
			Evidence: []event.Event{{Time: at, Kind: event.AuthFailed, Service: event.Dovecot, Addr: netip.MustParseAddr("2001:db8::1"), User: account, Helo: ill}, {}},
		}}
		e.judge.waiting[w.key()] = w
	}
	e.CountSince(at)
	b, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	restored := eagerly(t, guard.Options{})
	if err := restored.Restore(b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e.judge.waiting, restored.judge.waiting, cmp.AllowUnexported(waitKey{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" || !restored.judge.since.Equal(at) {
		t.Errorf("since %s, (-want +got):\n%s", restored.judge.since, d)
	}
	again, err := restored.AppendSnapshot(nil)
	if err != nil || string(again) != string(b) {
		t.Errorf("the same state gives other bytes: %v", err)
	}
}

// The part as csmail wrote it by encoding/gob is read.
func TestRestoreWaitingOfGob(t *testing.T) {
	e := eagerly(t, guard.Options{})
	refused(e, 0, "192.0.2.1")
	refused(e, 1, "192.0.2.1")
	want, err := e.judge.appendWaiting(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := readWaiting(want)
	if err != nil || len(p.Waiting) == 0 {
		t.Fatalf("got %d findings and error %v, want some", len(p.Waiting), err)
	}
	p.BrokenIn = []broken{{netip.MustParseAddr("192.0.2.1"), ill, time.Unix(8, 9)}}
	older := bytes.NewBuffer([]byte{gobPart})
	if err := gob.NewEncoder(older).Encode(p); err != nil {
		t.Fatal(err)
	}
	got, err := readWaiting(older.Bytes())
	if d := cmp.Diff(p, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); err != nil || d != "" {
		t.Errorf("error %v, (-want +got):\n%s", err, d)
	}
}

// The part as csmail wrote it before, in JSON, is read.
func TestRestoreWaitingOfBefore(t *testing.T) {
	e := eagerly(t, guard.Options{})
	refused(e, 0, "192.0.2.1")
	refused(e, 1, "192.0.2.1")
	before, err := json.Marshal(struct {
		Since   time.Time
		Waiting map[string]waiting
	}{time.Unix(7, 0), map[string]waiting{"name": slices.Collect(maps.Values(e.judge.waiting))[0]}})
	if err != nil {
		t.Fatal(err)
	}
	restored := eagerly(t, guard.Options{})
	if err := restored.judge.restoreWaiting(before); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e.judge.waiting, restored.judge.waiting, cmp.AllowUnexported(waitKey{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" || restored.judge.since.Unix() != 7 {
		t.Errorf("since %s, (-want +got):\n%s", restored.judge.since, d)
	}
	for _, bad := range []string{"", "{", "x", "\x01", "\x01\xff\xff", "\x02"} {
		if err := restored.judge.restoreWaiting([]byte(bad)); !errors.Is(err, errSnapshot) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A state that is cut anywhere, or of a release in which kinds have other numbers,
// is refused.
func TestRestoreRefuses(t *testing.T) {
	e := eagerly(t, guard.Options{})
	refused(e, 0, "192.0.2.1")
	refused(e, 1, "192.0.2.1")
	b, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := eagerly(t, guard.Options{}).Restore(b); err != nil {
		t.Fatal(err)
	}
	cut := eagerly(t, guard.Options{})
	for n := 0; n < len(b); n += 1 + min(n/9, 40) {
		if cut.Restore(b[:n]) == nil {
			t.Errorf("cut to %d of %d bytes it is restored", n, len(b))
		}
	}
	for _, at := range []int{0, 1, 8} {
		other := append([]byte{}, b...)
		other[at]++
		if err := eagerly(t, guard.Options{}).Restore(other); !errors.Is(err, errSnapshot) {
			t.Errorf("another byte %d: %v", at, err)
		}
	}
}

// A snapshot of version 2, in which each part is one piece, is read.
func TestRestoreWholeParts(t *testing.T) {
	e := eagerly(t, guard.Options{})
	refused(e, 0, "192.0.2.1")
	refused(e, 1, "192.0.2.1")
	want, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	open := wire.Whole(want)
	before := binary.BigEndian.AppendUint64([]byte{wholeParts}, vocabulary())
	for number := range 4 {
		b, err := readAll(func() (wire.Next, error) { return openPart(open, number) })
		if err != nil {
			t.Fatal(err)
		}
		before = append(binary.AppendUvarint(before, uint64(len(b))), b...)
	}
	restored := eagerly(t, guard.Options{})
	if err := restored.Restore(before); err != nil {
		t.Fatal(err)
	}
	if got, err := restored.AppendSnapshot(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got a state of %d bytes (%v), want the same %d", len(got), err, len(want))
	}
}

// An engine that takes over goes on as one that restores a snapshot.
func TestTakeOverEqualsRestore(t *testing.T) {
	e := eagerly(t, guard.Options{})
	e.CountSince(time.Unix(7, 0))
	refused(e, 0, "192.0.2.1")
	refused(e, 1, "192.0.2.1")
	want, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	restored, taken := eagerly(t, guard.Options{}), eagerly(t, guard.Options{})
	if err := restored.Restore(want); err != nil {
		t.Fatal(err)
	}
	taken.TakeOver(e)
	for step := range 3 {
		got, err := taken.AppendSnapshot(nil)
		want, err2 := restored.AppendSnapshot(nil)
		if err != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Fatalf("after %d more: got a state of %d bytes (%v), want the same %d (%v)", step, len(got), err, len(want), err2)
		}
		refused(taken, 2+step, "192.0.2.1")
		refused(restored, 2+step, "192.0.2.1")
	}
}

// An error in reading is no damage of the snapshot.
func TestRestoreReaderFails(t *testing.T) {
	e := eagerly(t, guard.Options{})
	refused(e, 0, "192.0.2.1")
	b, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("the disk is gone")
	for _, n := range []int{0, 5, 40, len(b) / 2, len(b) - 1} {
		err := eagerly(t, guard.Options{}).RestoreFrom(func() (wire.Next, error) {
			rest := b[:n]
			return func() ([]byte, error) {
				if len(rest) == 0 {
					return nil, failed
				}
				piece := rest[:min(len(rest), 7)]
				rest = rest[len(piece):]
				return piece, nil
			}, nil
		})
		if !errors.Is(err, failed) || errors.Is(err, errSnapshot) {
			t.Errorf("after %d bytes: got error %v, want %v", n, err, failed)
		}
	}
}

// What a caller stores behind a snapshot comes back, also if there is none, and the
// engine passes it by.
func TestSnapshotWithMore(t *testing.T) {
	e := eagerly(t, guard.Options{})
	for name, want := range map[string]string{"two pieces": "what the caller stores", "nothing": ""} {
		var b []byte
		err := e.SnapshotWith(func(piece []byte) { b = append(b, piece...) }, func(take func([]byte)) {
			take([]byte(want[:len(want)/2]))
			take([]byte(want[len(want)/2:]))
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := eagerly(t, guard.Options{}).Restore(b); err != nil {
			t.Errorf("%s: the engine: got the error %v, want none", name, err)
		}
		got, err := readAll(func() (wire.Next, error) { return e.OpenMore(wire.Whole(b)) })
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q and the error %v, want %q", name, got, err, want)
		}
	}
	alone, err := e.AppendSnapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	if next, err := e.OpenMore(wire.Whole(alone)); next != nil || err != nil {
		t.Errorf("a snapshot alone: got a part behind it or the error %v, want neither", err)
	}
}
