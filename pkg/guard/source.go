package guard

import (
	"iter"
	"math/bits"
	"net/netip"
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

const (
	// maxOffences is what is kept of one source at the least, and shedOffences how
	// many more there may be until the oldest of them go. A finding that counts more
	// is judged by the newest.
	maxOffences  = 64
	shedOffences = 16
	// maxAccounts bounds the accounts kept that logged in from one source, as a
	// large office or a webmail host has them. With more, every account counts as
	// known there.
	maxAccounts = 256
	// maxAssumed bounds the accounts of which a login without a name seemed to be.
	maxAssumed = 8
	// mistyped is how long before a login without a name the failure may lie that
	// it makes good.
	mistyped = 10 * minute
)

// source is what the guard knows of an IPv4 address or an IPv6 /64, in which
// privacy addresses (RFC 8981) rotate.
type source struct {
	first       uint32 // offence
	contact     uint32 // the first offence after a day without one
	seen        uint32 // last
	login       uint32 // last; 0: never
	provider    uint32 // last time with a verified name of a provider
	faulted     uint32 // last time that one of our faults hit it, which may excuse it
	amnesty     uint32 // until then
	banned      uint32 // last time that a ban of it was counted
	mailDay     uint32 // the day since 1970 that bit 0 of mailDays stands for
	mailDays    uint32 // on which days its mail was taken, newest first
	mails       uint32 // taken on mailDay
	mailsBefore uint32 // taken on the day before
	goodDay     uint32 // last day with a success
	lostAt      uint32 // time of the newest offence that had no more room
	lost        uint32 // how many those are
	faultedOn   health.Host
	crowded     bool // had more than maxAccounts accounts
	accounts    []account
	assumed     []account // of which a login without a name seemed to be
	offences    []offence // in the order of the log
}

type account struct {
	name event.AccountHash
	at   uint32 // its last login
}

// offence is one hostile or suspect line, 32 bytes of it.
type offence struct {
	account  event.AccountHash
	at       uint32
	n        uint16 // attempts
	kind     event.Kind
	tag      uint8 // metFault, area (3 bits) and service (4 bits)
	host     health.Host
	password event.PasswordMark // 0: not known
}

// metFault is the bit in an offence's tag of one around which the client met a fault
// of ours.
const metFault = 1 << 7

// The compiler refuses a constant below zero: more services than a tag has room for.
const _ = uint(16 - event.ServiceCount)

func (o offence) met() bool              { return o.tag&metFault != 0 }
func (o offence) area() health.Area      { return health.Area(o.tag >> 4 & 7) }
func (o offence) service() event.Service { return event.Service(o.tag & 15) }

// keyOf maps an address to its source: an IPv6 address to its /64, an IPv4
// address into 0:1::/32, which no client has.
func keyOf(addr netip.Addr) uint64 {
	if addr.Is4() {
		return 1<<32 | uint64(low32(addr))
	}
	high, _ := halves(addr)
	return high
}

// networkOf is keyOf's inverse.
func networkOf(key uint64) netip.Prefix {
	if key>>32 == 1 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key)}), 32)
	}
	var raw [16]byte
	for i := range 8 {
		raw[i] = byte(key >> (56 - 8*i))
	}
	return netip.PrefixFrom(netip.AddrFrom16(raw), 64)
}

// within yields the sources in a network, in no order.
func (g *Guard) within(network netip.Prefix) iter.Seq2[uint64, *source] {
	return func(yield func(uint64, *source) bool) {
		first, few := keyOf(network.Masked().Addr()), 1
		switch {
		case network.Addr().Is4() && network.Bits() >= 24:
			few = 1 << (32 - network.Bits())
		case network.Addr().Is4() || network.Bits() < 64:
			few = len(g.sources) // more keys than it is worth to ask for
		}
		if few < len(g.sources) {
			for key := first; key < first+uint64(few); key++ {
				if s, known := g.sources[key]; known && !yield(key, s) {
					return
				}
			}
			return
		}
		for key, s := range g.sources {
			if network.Overlaps(networkOf(key)) && !yield(key, s) {
				return
			}
		}
	}
}

// source returns what is known under key, and makes room for it.
func (g *Guard) source(key uint64, at uint32) *source {
	s, known := g.sources[key]
	if !known {
		if len(g.sources) >= g.limits.sources {
			g.evict()
		}
		s = &source{amnesty: g.amnestyOf(key)}
		g.sources[key] = s
	}
	s.seen = max(s.seen, at)
	return s
}

// loginOf returns when an account last logged in from here. A failure without a
// name goes by any login.
func (s *source) loginOf(name event.AccountHash) uint32 {
	if name.IsZero() || s.crowded {
		return s.login
	}
	return latest(s.accounts, name)
}

func latest(accounts []account, name event.AccountHash) uint32 {
	var last uint32
	for _, a := range accounts {
		if a.name.Is(name) {
			last = max(last, a.at)
		}
	}
	return last
}

// know notes a login. A login without a name is of the account that failed
// within the last minutes, if only one did: somebody who mistyped.
func (s *source) know(name event.AccountHash, at uint32) {
	s.login = max(s.login, at)
	if name.IsZero() {
		if name = s.justFailed(at); !name.IsZero() {
			s.assume(name, at)
		}
		return
	}
	i := slices.IndexFunc(s.accounts, func(a account) bool { return a.name == name })
	if i >= 0 {
		s.accounts[i].at = max(s.accounts[i].at, at)
		return
	}
	if len(s.accounts) >= maxAccounts {
		s.crowded = true
		return
	}
	s.accounts = append(s.accounts, account{name, at})
}

// assume notes that a login seems to be of an account, which is believed once a day
// of each, and of no more than a few.
func (s *source) assume(name event.AccountHash, at uint32) {
	i := slices.IndexFunc(s.assumed, func(a account) bool { return a.name == name })
	if i < 0 && len(s.assumed) < maxAssumed {
		s.assumed = append(s.assumed, account{name, at})
		return
	}
	if i < 0 {
		i = 0
		for k := range s.assumed {
			if s.assumed[k].at < s.assumed[i].at {
				i = k
			}
		}
	}
	if !isWithin(s.assumed[i].at, at, day) {
		s.assumed[i] = account{name, at}
	}
}

// madeGood tells whether an assumed login makes good a failure shortly before it.
func (s *source) madeGood(o offence) bool {
	return slices.ContainsFunc(s.assumed, func(a account) bool {
		return a.name.Is(o.account) && o.at <= a.at && isWithin(o.at, a.at, mistyped)
	})
}

func (s *source) justFailed(at uint32) event.AccountHash {
	var only event.AccountHash
	for _, o := range s.offences {
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

// add keeps an offence. Equal ones of one second are one with more attempts.
func (s *source) add(o offence) {
	if s.first == 0 {
		s.first = o.at
	}
	if n := len(s.offences); n == 0 || !isWithin(s.offences[n-1].at, o.at, day) {
		s.contact = o.at
	}
	if n := len(s.offences); n > 0 {
		last := &s.offences[n-1]
		if last.at == o.at && last.kind == o.kind && last.tag == o.tag && last.host == o.host && last.account == o.account && last.password == o.password {
			last.n = uint16(min(int(last.n)+int(o.n), 1<<16-1))
			return
		}
	}
	if len(s.offences) >= maxOffences+shedOffences {
		s.shed()
	}
	if n := len(s.offences); n == cap(s.offences) && n >= maxOffences/2 { // all the room there will be
		s.offences = append(make([]offence, 0, maxOffences+shedOffences), s.offences...)
	}
	s.offences = append(s.offences, o)
}

// repeats returns how many attempts of an offence only repeat a password that was tried
// on the same account before. A password that is sent again and again is one guess,
// however often: a phone holds an old one, a guesser has no use for it.
func (s *source) repeats(i int) int {
	o := &s.offences[i]
	if o.password == 0 || o.account.IsZero() || o.kind != event.AuthFailed {
		return 0
	}
	for k := range s.offences[:i] {
		if b := &s.offences[k]; b.password == o.password && b.account == o.account && b.kind == o.kind {
			return int(o.n)
		}
	}
	return max(int(o.n), 1) - 1
}

// shed forgets the oldest offences but for their number.
func (s *source) shed() {
	for _, o := range s.offences[:shedOffences] {
		s.lost += uint32(o.n)
		s.lostAt = max(s.lostAt, o.at)
	}
	s.offences = append(s.offences[:0], s.offences[shedOffences:]...)
}

// mailOn notes that mail was taken on a day since 1970.
func (s *source) mailOn(today uint32) {
	switch {
	case today > s.mailDay:
		s.mailsBefore = 0
		if today == s.mailDay+1 {
			s.mailsBefore = s.mails
		}
		s.mailDays = s.mailDays<<min(today-s.mailDay, 32) | 1
		s.mailDay, s.mails = today, 1
	case today == s.mailDay:
		s.mailDays |= 1
		s.mails++
	case s.mailDay-today < 32:
		if s.mailDay-today == 1 {
			s.mailsBefore++
		}
		s.mailDays |= 1 << (s.mailDay - today)
	}
}

// unmail takes mail of the latest day with mail back. It reports whether nothing is
// left of that day.
func (s *source) unmail(messages int) bool {
	if s.mails == 0 {
		return false
	}
	s.mails -= min(s.mails, uint32(messages))
	if s.mails == 0 {
		s.mailDays &^= 1
	}
	return s.mails == 0
}

// mailedDays counts the days with mail among the last 30 before at.
func (s *source) mailedDays(at uint32) int {
	today := at / day
	mask := uint32(1<<30 - 1)
	if today < s.mailDay {
		return bits.OnesCount32(s.mailDays & mask) // an earlier day than the last one with mail
	}
	return bits.OnesCount32(s.mailDays << min(today-s.mailDay, 32) & mask)
}

// isWithin tells whether something that last happened at when was no longer than
// span before at, or later.
func isWithin(when, at, span uint32) bool {
	return when != 0 && uint64(when)+uint64(span) >= uint64(at)
}
