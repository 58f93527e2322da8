package guard

import (
	"math/bits"
	"net/netip"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// source is what the guard knows of an IPv4 address or an IPv6 /64, in which
// privacy addresses (RFC 8981) rotate. It belongs to a memory, and holds no pointers.
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
	key         uint64 // see keyOf; any number is one
	accounts    run    // that logged in
	assumed     run    // accounts, of which a login without a name seemed to be
	offences    run    // in the order of the log
	crowded     bool   // had more than maxAccounts accounts
	inUse       bool   // its place in the memory is taken
}

// run says where the accounts or offences of a source lie in its memory.
type run struct {
	at uint32
	n  uint16
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
