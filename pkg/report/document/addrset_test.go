package document

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"csmail/pkg/wire"
)

// A set counts what a map counts, up to its bound, also merged and stored.
func TestAddrSetCountsAsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 300).Draw(t, "most")
		known := map[netip.Addr]bool{}
		var whole, odd addrSet
		for i := range rapid.IntRange(0, 300).Draw(t, "addresses") {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "last")})
			if rapid.Bool().Draw(t, "v6") {
				addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: rapid.Byte().Draw(t, "high"), 15: addr.As4()[3]})
			}
			known[addr] = true
			if whole.add(addr, most); i%2 == 1 {
				odd.add(addr, most)
			}
		}
		want := min(len(known), most)
		whole.merge(&odd, most)
		w := wire.Codec{}
		whole.encode(&w)
		var stored addrSet
		r := wire.Codec{B: w.B, Reading: true}
		stored.encode(&r)
		if whole.count != want || stored.count != want || r.Err != nil {
			t.Fatalf("got %d addresses, stored %d (%v), want %d", whole.count, stored.count, r.Err, want)
		}
	})
}
