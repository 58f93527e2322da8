package guard

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// A login after a break-in, while as many sources as there is room for are known: one
// login again and again from the same source, and from ever new ones.
func BenchmarkLoginAfterBreakIn(b *testing.B) {
	for name, sources := range map[string]int{"same source": 1, "new sources": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			g := New(Facts{}, Options{})
			at := sceneStart
			do := func(kind event.Kind, source int, user string) {
				at = at.Add(10 * time.Millisecond)
				g.Observe(&event.Record{Outcome: event.Noted, Event: event.Event{
					Kind: kind, Service: event.Dovecot, Attempts: 1, User: user, Addr: nth(source), Time: at,
				}}, false)
			}
			for i := range 100_000 {
				do(event.LoginOK, 1<<24+i, fmt.Sprint("user", i))
			}
			i := 0
			for b.Loop() {
				i++
				source := i % sources
				if i <= sources {
					for guess := range heavyGuessing {
						do(event.AuthFailed, source, fmt.Sprint("guess", guess))
					}
				}
				do(event.LoginOK, source, "mallory")
			}
		})
	}
}
