package guard

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"csmail/pkg/event"
)

// nth returns an address of a /64 of its own.
func nth(i int) netip.Addr {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], 0x20010db8_00000000|uint64(i))
	return netip.AddrFrom16(raw)
}

// A mail from a source that was never seen, once there is no more room for any: as
// many mail hosts as a /45 has.
func BenchmarkNewMailSource(b *testing.B) {
	for name, o := range map[string]event.Record{
		"mail":  {Outcome: event.Witness, Testimony: event.MailAccepted},
		"login": {Outcome: event.Noted, Event: event.Event{Kind: event.LoginOK, Service: event.Dovecot, User: "bob"}},
	} {
		b.Run(name, func(b *testing.B) {
			g := New(Facts{}, Options{})
			at := sceneStart
			i := 0
			bring := func() {
				r := o
				r.Addr, r.Time = nth(i), at
				if i++; i%10 == 0 {
					at = at.Add(time.Second)
				}
				g.Observe(&r, false)
			}
			for range 400_000 {
				bring()
			}
			longest := time.Duration(0)
			for b.Loop() {
				from := time.Now()
				bring()
				longest = max(longest, time.Since(from))
			}
			b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
		})
	}
}
