package daemon

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/event"
	"csmail/pkg/state"
)

// A list of many alerts with long lines costs what is shown of them, not what is stored.
func TestListsAreReadInPages(t *testing.T) {
	const many, lines = 3000, 20
	store, err := state.Open(t.TempDir()+"/state.db", state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	at := time.Date(2026, 6, 3, 4, 0, 0, 0, time.UTC)
	for from := 0; from < many; from += 500 {
		var batch state.Batch
		for n := from; n < from+500; n++ {
			a := event.Alert{Scenario: "csmail/auth-bf", Scope: event.ScopeIP, Source: netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), First: at, Last: at}
			for i := range lines {
				a.Evidence = append(a.Evidence, event.Event{Time: at, Message: strings.Repeat(fmt.Sprint(n, i, " "), 100)})
			}
			batch.Alerts = append(batch.Alerts, state.Entry{Alert: a, Queued: at})
		}
		if err := store.Commit(batch); err != nil {
			t.Fatal(err)
		}
	}
	d := &Daemon{stateWriter: stateWriter{store: store}}
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	list, err := answers{d}.List(t.Context(), control.Outbox)
	if err != nil || len(list) != many {
		t.Fatalf("%d alerts, %v, want %d of them", len(list), err, many)
	}
	if grown := int64(inUse() - before); grown > many*1000 {
		t.Errorf("the list holds %d bytes for each of its alerts, want at most %v", grown/many, many*1000)
	}
	runtime.KeepAlive(list)
	if list[0].Value != "198.18.0.0" || list[many-1].Value != "198.18.11.183" {
		t.Errorf("from %s to %s", list[0].Value, list[many-1].Value)
	}
}
