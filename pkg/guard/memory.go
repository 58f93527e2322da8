package guard

import (
	"iter"
	"math/bits"
	"net/netip"
	"slices"

	"csmail/pkg/arena"
	"csmail/pkg/event"
)

const (
	// A source keeps at least its newest maxOffences offences. At
	// maxOffences+shedOffences the oldest shedOffences are dropped. A finding that counts
	// more is decided by the newest ones.
	maxOffences  = 64
	shedOffences = 16
	// maxAccounts is the number of accounts per source with remembered logins,
	// enough for a large office or a webmail host. A source with more counts as known for
	// every account.
	maxAccounts = 256
	// maxAssumed limits the accounts inferred, per source, from logins that log no user
	// name.
	maxAssumed = 8
	// mistyped is the time in seconds within which a login without a user name counts as
	// the user of an earlier failure, who has corrected a mistyped password.
	mistyped = 10 * minute
)

// memory holds the sources. A flood may come from the greatest number of sources, and
// each of its lines is about another one, so a line should load little memory. Sources,
// offences and accounts are in tables without pointers, which the garbage collector does
// not scan either.
type memory struct {
	table    arena.Slab[source]
	index    arena.Index // by the hash of the key
	offences arena.Blocks[offence]
	accounts arena.Blocks[account]
	warmed   uint32 // keeps the compiler from leaving out the reads of Warm
	seed     uint64 // keeps clients from choosing addresses that collide; results do not depend on it
}

func newMemory(key event.HashKey) memory { return memory{seed: key.Sum("sources") | 1} }

// len returns the number of sources.
func (m *memory) len() int { return m.table.Len() }

// hash returns the hash of a key for the index.
func (m *memory) hash(key uint64) uint32 {
	high, low := bits.Mul64(key^m.seed, 0x9e3779b97f4a7c15)
	return uint32((high ^ low) >> 16)
}

// find returns the source of a key, nil if there is none. It keeps its place until it is
// forgotten.
func (m *memory) find(key uint64) *source {
	hash := m.hash(key)
	for n, at := m.index.First(hash); n != 0; n, at = m.index.Next(hash, at) {
		if s := m.table.At(n); s.key == key {
			return s
		}
	}
	return nil
}

// add makes the source of a new key.
func (m *memory) add(key uint64) *source {
	n := m.table.Take()
	m.index.Put(m.hash(key), n)
	s := m.table.At(n)
	s.key, s.inUse = key, true
	return s
}

// forget drops a source with its accounts and offences.
func (m *memory) forget(key uint64) {
	hash := m.hash(key)
	n, at := m.index.First(hash)
	for n != 0 && m.table.At(n).key != key {
		n, at = m.index.Next(hash, at)
	}
	if n == 0 {
		return
	}
	s := m.table.At(n)
	m.dropOffences(s)
	m.accounts.Give(s.accounts.at, int(s.accounts.n))
	m.accounts.Give(s.assumed.at, int(s.assumed.n))
	m.index.Remove(hash, n)
	m.table.Give(n)
}

// all yields the sources, in no particular order.
func (m *memory) all(yield func(*source) bool) {
	for i := range m.table.Used() {
		if s := m.table.At(i + 1); s.inUse && !yield(s) {
			return
		}
	}
}

// within yields the sources in a network, in no particular order.
func (m *memory) within(network netip.Prefix) iter.Seq[*source] {
	return func(yield func(*source) bool) {
		first, few := keyOf(network.Masked().Addr()), 1
		switch {
		case network.Addr().Is4() && network.Bits() >= 24:
			few = 1 << (32 - network.Bits())
		case network.Addr().Is4() || network.Bits() < 64:
			few = m.len() // more keys than are worth a lookup
		}
		if few < m.len() {
			for key := first; key < first+uint64(few); key++ {
				if s := m.find(key); s != nil && !yield(s) {
					return
				}
			}
			return
		}
		for s := range m.all {
			if network.Overlaps(networkOf(s.key)) && !yield(s) {
				return
			}
		}
	}
}

// source returns the source of a key, a new one if there is none.
func (k *knowledge) source(key uint64, at uint32) *source {
	s := k.memory.find(key)
	if s == nil {
		if k.memory.len() >= k.limits.sources {
			k.evict()
		}
		s = k.memory.add(key)
		s.amnesty = k.amnestyOf(key)
	}
	s.seen = max(s.seen, at)
	return s
}

// offencesOf returns the offences of a source, in the order of the log. They are valid
// until one is added to any source.
func (m *memory) offencesOf(s *source) []offence {
	if s.offences.n == 0 {
		return nil
	}
	return m.offences.At(s.offences.at, int(s.offences.n))
}

// accountsIn returns accounts of a source. They are valid until one is added to any
// source.
func (m *memory) accountsIn(r run) []account {
	if r.n == 0 {
		return nil
	}
	return m.accounts.At(r.at, int(r.n))
}

// addAccount adds an account to one of a source's runs.
func (m *memory) addAccount(r *run, a account) {
	r.at = m.accounts.Resize(r.at, int(r.n), int(r.n)+1)
	r.n++
	m.accountsIn(*r)[r.n-1] = a
}

// loginOf returns the time of an account's last login from a source. Without a name it is
// the last login of any account.
func (m *memory) loginOf(s *source, name event.AccountHash) uint32 {
	if name.IsZero() || s.crowded {
		return s.login
	}
	return latest(m.accountsIn(s.accounts), name)
}

// latest returns the last login of an account, 0 if there is none.
func latest(accounts []account, name event.AccountHash) uint32 {
	var last uint32
	for _, a := range accounts {
		if a.name.Is(name) {
			last = max(last, a.at)
		}
	}
	return last
}

// noteLogin adds a login. A login without a user name is taken for the account that
// failed within the last minutes, if there is only one: its user mistyped. It returns the
// login before of the account from this source, 0 if there is none or no name.
func (m *memory) noteLogin(s *source, name event.AccountHash, at uint32) (before uint32) {
	s.login = max(s.login, at)
	if name.IsZero() {
		if name = justFailed(m.offencesOf(s), at); !name.IsZero() {
			m.assume(s, name, at)
		}
		return 0
	}
	known := m.accountsIn(s.accounts)
	if i := slices.IndexFunc(known, func(a account) bool { return a.name == name }); i >= 0 {
		before = known[i].at
		known[i].at = max(before, at)
		return before
	}
	if len(known) >= maxAccounts {
		s.crowded = true
		return 0
	}
	m.addAccount(&s.accounts, account{name: name, at: at})
	return 0
}

// assume adds a login that seems to be of an account. It is believed once a day for each
// account, and for at most maxAssumed accounts.
func (m *memory) assume(s *source, name event.AccountHash, at uint32) {
	assumed := m.accountsIn(s.assumed)
	i := slices.IndexFunc(assumed, func(a account) bool { return a.name == name })
	if i < 0 && len(assumed) < maxAssumed {
		m.addAccount(&s.assumed, account{name: name, at: at})
		return
	}
	if i < 0 {
		i = 0
		for k := range assumed {
			if assumed[k].at < assumed[i].at {
				i = k
			}
		}
	}
	if !isWithin(assumed[i].at, at, day) {
		assumed[i] = account{name: name, at: at}
	}
}

// justFailed returns the only account that failed within the last minutes; none if there
// are several.
func justFailed(offences []offence, at uint32) event.AccountHash {
	var only event.AccountHash
	for _, o := range offences {
		if o.area() != loginArea || o.account.IsZero() || o.at+mistyped < at {
			continue
		}
		if !only.IsZero() && only != o.account {
			return event.AccountHash{}
		}
		only = o.account
	}
	return only
}

// addOffence adds an offence. Equal offences within one second become one with more
// attempts.
func (m *memory) addOffence(s *source, o offence) {
	if s.first == 0 {
		s.first = o.at
	}
	kept := m.offencesOf(s)
	if n := len(kept); n == 0 || !isWithin(kept[n-1].at, o.at, day) {
		s.contact = o.at
	}
	if n := len(kept); n > 0 {
		last := &kept[n-1]
		if last.at == o.at && last.kind == o.kind && last.tag == o.tag && last.host == o.host && last.account == o.account && last.password == o.password {
			last.n = uint16(min(int(last.n)+int(o.n), 1<<16-1))
			return
		}
	}
	if len(kept) >= maxOffences+shedOffences {
		m.shed(s)
	}
	m.push(s, o)
}

// push appends an offence.
func (m *memory) push(s *source, o offence) {
	n := int(s.offences.n)
	s.offences.at = m.offences.Resize(s.offences.at, roomFor(n), roomFor(n+1))
	s.offences.n++
	m.offencesOf(s)[n] = o
}

// repeats returns the number of attempts of an offence that only repeat a password tried
// on the same account before. A password that is sent again and again counts as one
// guess. For example, a phone repeats an old password, and a guesser has no use for that.
func repeats(offences []offence, i int) int {
	o := &offences[i]
	if o.password == 0 || o.account.IsZero() || o.kind != event.AuthFailed {
		return 0
	}
	for k := range offences[:i] {
		if b := &offences[k]; b.password == o.password && b.account == o.account && b.kind == o.kind {
			return int(o.n)
		}
	}
	return max(int(o.n), 1) - 1
}

// roomFor returns the number of offences to make room for when there are n of them. A
// source with many will likely have the greatest number.
func roomFor(n int) int {
	if n > maxOffences/2 {
		return maxOffences + shedOffences
	}
	return n
}

// shed drops the oldest offences, except for their number. Failures on accounts that logged
// in from the source go first: they are excused, and one can have any number of them. The
// last one of each account stays.
func (m *memory) shed(s *source) {
	kept := m.offencesOf(s)
	if left := m.withoutStale(s, kept); len(left) < len(kept) {
		m.setOffences(s, left)
		return
	}
	for _, o := range kept[:shedOffences] {
		s.lost += uint32(o.n)
		s.lostAt = max(s.lostAt, o.at)
	}
	m.setOffences(s, append(kept[:0], kept[shedOffences:]...))
}

// withoutStale takes the failures on accounts that logged in from the source out of its
// offences, up to shedOffences of them.
func (m *memory) withoutStale(s *source, kept []offence) []offence {
	if s.accounts.n == 0 {
		return kept
	}
	dropped := 0
	isStale := func(i int) bool {
		o := &kept[i]
		return o.kind == event.AuthFailed && !o.account.IsZero() && m.loginOf(s, o.account) != 0 &&
			slices.ContainsFunc(kept[i+1:], func(later offence) bool { return later.account == o.account })
	}
	left := kept[:0]
	for i := range kept {
		if dropped < shedOffences && isStale(i) {
			dropped++
			continue
		}
		left = append(left, kept[i])
	}
	return left
}

// setOffences keeps only the first n offences of a source.
func (m *memory) setOffences(s *source, left []offence) {
	s.offences.at = m.offences.Resize(s.offences.at, roomFor(int(s.offences.n)), roomFor(len(left)))
	s.offences.n = uint16(len(left))
}

// dropOffences drops the offences of a source.
func (m *memory) dropOffences(s *source) { m.setOffences(s, nil) }

// replaceOffences sets the offences of a restored source.
func (m *memory) replaceOffences(s *source, offences []offence) {
	m.dropOffences(s)
	for _, o := range offences[max(0, len(offences)-maxOffences-shedOffences):] {
		m.push(s, o)
	}
}

// replaceAccounts sets one of the runs of accounts of a restored source.
func (m *memory) replaceAccounts(r *run, accounts []account) {
	m.accounts.Give(r.at, int(r.n))
	*r = run{}
	for _, a := range accounts[:min(len(accounts), maxAccounts)] {
		m.addAccount(r, a)
	}
}
