package report

import (
	"net/netip"
	"slices"
	"time"

	"csmail/pkg/arena"
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

// bans are the bans of a run, by address or network. Each offence is looked up with each
// length, so they lie in a table of numbers.
type bans struct {
	rows  arena.Slab[banRow]
	index arena.Index
	seeds seeds
	// lengths4 and lengths6 are the prefix lengths of the bans, the longest first. There
	// are mostly one or two, so few look-ups show that an address is not banned.
	lengths4, lengths6 []int

	near    *[nearBans]nearBan
	changes uint32 // of the rows; what near holds from before a change is out of date
}

const (
	nearBits = 10
	nearBans = 1 << nearBits
)

// nearBan is the narrowest ban of an address, nil for none, as it was found before: most
// offences are of few addresses.
type nearBan struct {
	addr    netip.Addr
	changes uint32
	ban     *ban
}

// banRow is a ban with its key. In a free row there is none.
type banRow struct {
	banKey
	*ban
}

// banKey is a network in its IPv6 form.
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

func newBans() bans { return bans{seeds: newSeeds()} }

func (b *bans) len() int { return b.rows.Len() }

func (b *bans) hashOf(key *banKey) uint32 { return b.seeds.hash(key.hi^key.bits<<56, key.lo) }

// row returns the number of the row of a key, 0 if there is none.
func (b *bans) row(key *banKey, hash uint32) uint32 {
	n, at := b.index.First(hash)
	for n != 0 && b.rows.At(n).banKey != *key {
		n, at = b.index.Next(hash, at)
	}
	return n
}

// find returns the ban of a key, nil if there is none.
func (b *bans) find(key banKey) *ban {
	if n := b.row(&key, b.hashOf(&key)); n != 0 {
		return b.rows.At(n).ban
	}
	return nil
}

// at returns the ban of a value, nil if there is none.
func (b *bans) at(value netip.Prefix) *ban { return b.find(keyOfPrefix(value)) }

// all yields the bans in no particular order.
func (b *bans) all(yield func(*ban) bool) {
	for n := range b.rows.Used() {
		if row := b.rows.At(n + 1); row.ban != nil && !yield(row.ban) {
			return
		}
	}
}

// drop takes out the bans that began before a time.
func (b *bans) drop(before time.Time) {
	for n := uint32(1); n <= b.rows.Used(); n++ {
		if row := b.rows.At(n); row.ban != nil && row.since.Before(before) {
			b.changes++
			b.index.Remove(b.hashOf(&row.banKey), n)
			b.rows.Give(n)
		}
	}
}

// add adds a ban in place of another on the same value.
func (b *bans) add(entry *ban) {
	value := entry.value
	if !value.IsValid() {
		return
	}
	key := keyOfPrefix(value)
	hash := b.hashOf(&key)
	n := b.row(&key, hash)
	if n == 0 {
		n = b.rows.Take()
		b.index.Put(hash, n)
	}
	*b.rows.At(n) = banRow{key, entry}
	b.forgetNear(value)
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
	if b.near == nil {
		b.near = new([nearBans]nearBan)
	}
	near := b.nearOf(hi, lo)
	if near.changes == b.changes && near.addr == addr && (near.ban == nil || near.ban.lasts(at)) {
		return near.ban
	}
	found, narrowest := b.lookUp(lengths, before, addr, at)
	*near = nearBan{addr, b.changes, narrowest}
	return found
}

// nearOf returns the place of an address among those that were looked up before.
func (b *bans) nearOf(hi, lo uint64) *nearBan {
	return &b.near[((hi^lo)*0x9e3779b97f4a7c15)>>(64-nearBits)]
}

// forgetNear forgets what was found before of the addresses of a value.
func (b *bans) forgetNear(value netip.Prefix) {
	if !value.IsSingleIP() {
		b.changes++
		return
	}
	if b.near == nil {
		return
	}
	if near := b.nearOf(halves(value.Addr())); near.addr == value.Addr() {
		*near = nearBan{}
	}
}

// lookUp returns the ban of an address, and the narrowest one, in force or not. The
// lengths of prefixes come after so many bits.
func (b *bans) lookUp(lengths []int, before int, addr netip.Addr, at time.Time) (found, narrowest *ban) {
	hi, lo := halves(addr)
	for _, bits := range lengths {
		one := b.find(keyOfBan(hi, lo, bits+before))
		if narrowest == nil {
			narrowest = one
		}
		if one != nil && one.lasts(at) {
			return one, narrowest
		}
	}
	return narrowest, narrowest
}
