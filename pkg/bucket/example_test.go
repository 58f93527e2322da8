package bucket_test

import (
	"fmt"
	"net/netip"
	"testing/fstest"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/event"
	"csmail/pkg/scenario"
)

// A bucket of capacity 2 overflows with the third event that comes before the first
// two have leaked out. Only the times of the events count, never the clock.
func ExampleEngine_Pour() {
	set, err := scenario.Load(fstest.MapFS{"bf.yaml": {Data: []byte(`type: leaky
name: me/bf
description: failed logins
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_ip
capacity: 2
leakspeed: 1m
`)}}, "bf.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	engine := bucket.New(set, bucket.Limits{}, event.HashKey{})
	for second := range 3 {
		overflows := engine.Pour(&event.Event{
			Time: time.Date(2026, 6, 3, 4, 11, second, 0, time.UTC), Service: event.Dovecot, Kind: event.AuthFailed,
			Attempts: 1, Addr: netip.MustParseAddr("192.0.2.7"),
		})
		for _, o := range overflows {
			fmt.Println(o.Scenario.Name, o.Scope, o.Value, o.Count)
		}
	}
	// Output: me/bf Ip 192.0.2.7 3
}
