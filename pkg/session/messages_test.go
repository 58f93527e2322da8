package session

import (
	"net/netip"
	"strconv"
	"testing"

	"csmail/pkg/event"
)

func TestMessages(t *testing.T) {
	m := &messages{most: 3}
	key := func(id string) messageKey {
		k, _ := messageKeyOf(&event.Record{Event: event.Event{Host: "mx1", Session: id}})
		return k
	}
	for _, id := range []string{"A", "B", "A", "C"} { // the first A goes, B does not
		m.put(key(id), one, processKey{})
	}
	m.put(key("A"), two, processKey{}) // a queue ID comes again; B goes
	for id, known := range map[string]bool{"A": true, "B": false, "C": true, "D": false} {
		if got := m.get(key(id)); got != nil != known || id == "A" && got.addr.addr() != two {
			t.Errorf("%s: got %+v", id, got)
		}
	}
	if _, ok := messageKeyOf(&event.Record{Event: event.Event{Session: "4Zk1Yq2Lz3z9v4Zk1Yq2Lz3z9v"}}); ok {
		t.Error("a queue ID that is none has a key")
	}
}

// TestMessagesAskedSeldom has the index catch up over more messages than the ring holds,
// and grow.
func TestMessagesAskedSeldom(t *testing.T) {
	key := func(n int) messageKey {
		k, _ := messageKeyOf(&event.Record{Event: event.Event{Host: "mx1", Session: strconv.Itoa(n % 150)}})
		return k
	}
	addr := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}) }
	for _, every := range []int{1, 7, 99, 100, 101, 350} {
		m, put := &messages{most: 100}, 0
		for ; put < 1500; put++ {
			m.put(key(put), addr(put), processKey{})
			if put%every != 0 {
				continue
			}
			for id := range 150 {
				var want netip.Addr
				for n := put; n >= 0 && n > put-100; n-- {
					if n%150 == id {
						want = addr(n)
						break
					}
				}
				got := m.get(key(id))
				if got == nil != !want.IsValid() || got != nil && got.addr.addr() != want {
					t.Fatalf("asked every %d: message %d of %d: got %+v, want %v", every, id, put, got, want)
				}
			}
		}
	}
}
