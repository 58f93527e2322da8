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
	good         bool // counted as collateral
}

// lasts is true from after the moment of the ban to before its end.
func (b *ban) lasts(at time.Time) bool { return at.After(b.since) && at.Before(b.until) }

// bans are those of a run, by what they are on.
type bans struct {
	on map[netip.Prefix]*ban
	// lengths4 and lengths6 are the prefix lengths that occur, the longest first:
	// mostly one or two, so that few look-ups tell whom no ban hits.
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

// of returns the ban that hits the address: the narrowest of those that last at
// that time, or else the narrowest there was; nil if there was none.
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
