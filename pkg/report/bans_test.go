package report

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// The ban of an address that was looked up before is the one that a look at each ban
// finds, whatever bans came since.
func TestBanIsFoundAgain(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	address := func() netip.Addr {
		if random.IntN(4) == 0 {
			return netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 15: byte(random.IntN(8))})
		}
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(64))})
	}
	b := newBans()
	for minute := range 2000 {
		at := start.Add(time.Duration(minute) * time.Minute)
		if random.IntN(8) == 0 {
			addr := address()
			value, err := addr.Prefix(addr.BitLen() - []int{0, 0, 3, 5}[random.IntN(4)])
			if err != nil {
				t.Fatal(err)
			}
			b.add(&ban{value: value, since: at, until: at.Add(time.Hour)})
		}
		for range 8 {
			addr := address()
			if got, want := b.of(addr, at), banOf(&b, addr, at); got != want {
				t.Fatalf("minute %d: the ban of %s is %+v, want %+v", minute, addr, got, want)
			}
		}
		if minute%500 == 499 {
			b.drop(at.Add(-2 * time.Hour))
		}
	}
}

// banOf returns what bans.of does, by a look at each ban.
func banOf(b *bans, addr netip.Addr, at time.Time) *ban {
	var lasting, narrowest *ban
	for one := range b.all {
		if !one.value.Contains(addr) {
			continue
		}
		if narrowest == nil || one.value.Bits() > narrowest.value.Bits() {
			narrowest = one
		}
		if one.lasts(at) && (lasting == nil || one.value.Bits() > lasting.value.Bits()) {
			lasting = one
		}
	}
	if lasting != nil {
		return lasting
	}
	return narrowest
}
