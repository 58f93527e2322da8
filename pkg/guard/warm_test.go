package guard

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// Whether records are warmed or not, the state is the same.
func TestWarmChangesNothing(t *testing.T) {
	run := func(warm bool) []byte {
		g := New(Facts{}, Options{})
		var records []*event.Record
		for i := range 200 {
			records = append(records, &event.Record{Outcome: event.Noted, Event: event.Event{
				Kind: event.AuthFailed, Service: event.Postfix, Attempts: 1, User: "bob", Addr: nth(i % 30), Time: sceneStart.Add(time.Duration(i) * time.Second),
			}})
		}
		records[7].Addr = netip.Addr{}
		for i, r := range records {
			if warm && i%WarmBatch == 0 {
				g.Warm(records[i:])
			}
			g.Observe(r, false)
		}
		return g.AppendSnapshot(nil)
	}
	if got, want := run(true), run(false); !bytes.Equal(got, want) {
		t.Errorf("got a state of %d bytes, want the %d bytes without Warm", len(got), len(want))
	}
}
