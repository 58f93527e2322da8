package report

import (
	"net/netip"
	"slices"
	"time"
)

// ban is one banned value.
type ban struct {
	value        netip.Prefix
	since, until time.Time
	scenario     string
	good         bool // counted in Collateral
}

// lasts reports whether the ban is in force: after the moment of its begin and before its
// end.
func (b *ban) lasts(at time.Time) bool { return at.After(b.since) && at.Before(b.until) }

// bans are the bans of a run, by address or network.
type bans struct {
	on map[banKey]*ban
	// lengths4 and lengths6 are the prefix lengths of the bans, the longest first. There
	// are mostly one or two, so few look-ups show that an address is not banned.
	lengths4, lengths6 []int
}

// banKey is a network in numbers, which are hashed faster than a netip.Prefix: each offence
// is looked up with each length.
type banKey struct{ hi, lo, bits uint64 }

// keyOfBan returns the key of a network of an address, in its IPv6 form.
func keyOfBan(hi, lo uint64, bits int) banKey {
	if bits <= 64 {
		return banKey{hi &^ (^uint64(0) >> bits), 0, uint64(bits)}
	}
	return banKey{hi, lo &^ (^uint64(0) >> (bits - 64)), uint64(bits)}
}

// keyOfPrefix returns the key of a network.
func keyOfPrefix(value netip.Prefix) banKey {
	hi, lo := halves(value.Addr())
	return keyOfBan(hi, lo, value.Bits()+128-value.Addr().BitLen())
}

func newBans() bans { return bans{on: make(map[banKey]*ban)} }

// at returns the ban of a value, nil if there is none.
func (b *bans) at(value netip.Prefix) *ban { return b.on[keyOfPrefix(value)] }

// add adds a ban in place of another on the same value.
func (b *bans) add(entry *ban) {
	value := entry.value
	if !value.IsValid() {
		return
	}
	b.on[keyOfPrefix(value)] = entry
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
	lengths, before := b.lengths4, 96 // bits of the IPv6 form before those of IPv4
	if addr.Is6() {
		lengths, before = b.lengths6, 0
	}
	if len(lengths) == 0 || !addr.IsValid() {
		return nil
	}
	hi, lo := halves(addr)
	var narrowest *ban
	for _, bits := range lengths {
		found := b.on[keyOfBan(hi, lo, bits+before)]
		if found != nil && found.lasts(at) {
			return found
		}
		if narrowest == nil {
			narrowest = found
		}
	}
	return narrowest
}
