package bucket

import (
	"testing"

	"csmail/pkg/event"
)

// Whatever a client has in the lower half of its addresses, its networks lie in many
// places of the index.
func TestIndexSpreadsNetworks(t *testing.T) {
	g := newGroups(event.HashKey{1, 2, 3})
	for _, lo := range []uint64{0, 1, 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, ^uint64(0)} {
		places := map[uint32]bool{}
		for n := range uint64(1000) {
			places[g.hash(0x20010db8<<32|n, lo, 128)] = true
		}
		if len(places) < 990 {
			t.Errorf("%x: got %d hashes of 1000 networks, want as many", lo, len(places))
		}
	}
}
