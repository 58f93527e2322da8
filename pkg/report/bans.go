package report

import (
	"net/netip"
	"slices"
	"time"
)

// ban is one banned value.
type ban struct {
	since, until time.Time
	scenario     string
	good         bool // counted in Collateral
}

// lasts reports whether the ban is in force: after the moment of its begin and before its
// end.
func (b *ban) lasts(at time.Time) bool { return at.After(b.since) && at.Before(b.until) }

// bans are the bans of a run, by address or network.
type bans struct {
	on map[netip.Prefix]*ban
	// lengths4 and lengths6 are the prefix lengths of the bans, the longest first. There
	// are mostly one or two, so few look-ups show that an address is not banned.
	lengths4, lengths6 []int
}

func newBans() bans { return bans{on: make(map[netip.Prefix]*ban)} }

func (b *bans) add(value netip.Prefix, entry *ban) {
	b.on[value] = entry
	lengths := &b.lengths4
	if value.Addr().Is6() {
		lengths = &b.lengths6
	}
	longestFirst := func(a, c int) int { return c - a }
	if at, known := slices.BinarySearchFunc(*lengths, value.Bits(), longestFirst); !known {
		*lengths = slices.Insert(*lengths, at, value.Bits())
	}
}

// of returns the ban of an address: the narrowest of those in force at that time, else
// the narrowest of all; nil if there is none.
func (b *bans) of(addr netip.Addr, at time.Time) *ban {
	lengths := b.lengths4
	if addr.Is6() {
		lengths = b.lengths6
	}
	var narrowest *ban
	for _, bits := range lengths {
		network, err := addr.Prefix(bits)
		if err != nil {
			continue
		}
		found := b.on[network]
		if found != nil && found.lasts(at) {
			return found
		}
		if narrowest == nil {
			narrowest = found
		}
	}
	return narrowest
}
