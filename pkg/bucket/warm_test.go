package bucket

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// Whether records are warmed or not, the state and the overflows are the same.
func TestWarmChangesNothing(t *testing.T) {
	const scenarios = `type: leaky
name: test/spray
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_block
distinct: evt.Meta.account
capacity: 2
leakspeed: 1h
---
type: leaky
name: test/account
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.username
distinct: evt.Meta.source_ip
capacity: 3
leakspeed: 1h
---
type: leaky
name: test/range
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_range
capacity: 30
leakspeed: 1h
`
	run := func(warm bool) (state []byte, overflows int) {
		e := load(t, scenarios)
		var records []*event.Record
		for i := range 400 {
			addr := fmt.Sprintf("192.0.2.%d", i%50)
			if i%7 == 0 {
				addr = fmt.Sprintf("2001:db8::%x", i)
			}
			records = append(records, &event.Record{Event: *failure(addr, fmt.Sprintf("User%d@example.org", i%9), time.Duration(i)*time.Second)})
		}
		records = append(records, &event.Record{Event: event.Event{Kind: event.AuthFault, Time: start.Add(time.Hour)}}) // without an address
		for i, r := range records {
			if warm && i%WarmBatch == 0 {
				e.Warm(records[i:])
			}
			overflows += len(e.PourRecord(r))
		}
		return e.AppendSnapshot(nil), overflows
	}
	want, wantOverflows := run(false)
	got, overflows := run(true)
	if !bytes.Equal(got, want) || overflows != wantOverflows || overflows == 0 {
		t.Errorf("got %d overflows and a state of %d bytes, want %d and %d, or the states differ", overflows, len(got), wantOverflows, len(want))
	}
}
