package engine

import (
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
