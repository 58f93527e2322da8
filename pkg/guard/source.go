package guard

import (
	"math/bits"
	"net/netip"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// source is the memory of one source: an IPv4 address, or an IPv6 /64, in which privacy
// addresses (RFC 8981) rotate. Times are seconds since 1970; 0 is never. It belongs to a
// memory, and holds no pointers.
type source struct {
	first       uint32 // time of the first offence
	contact     uint32 // time of the first offence after a day without one
	seen        uint32 // time of the last line
	login       uint32 // time of the last login
	shared      uint32 // since when many accounts log in; see noteShared
	provider    uint32 // last time with a verified name of a provider
	faulted     uint32 // last time that it met a fault of the host, which may excuse it
	amnesty     uint32 // end of its amnesty
	banned      uint32 // last time that a ban of it was counted
	mailDay     uint32 // day since 1970 of bit 0 of mailDays
	mailDays    uint32 // bit set of the days when its mail was taken, newest first
	mails       uint32 // number of mails taken on mailDay
	mailsBefore uint32 // number of mails taken on the day before
	goodDay     uint32 // last day with a success
	lostAt      uint32 // time of the newest dropped offence
	lost        uint32 // number of attempts of dropped offences
	faultedOn   health.Host
	key         uint64  // see keyOf; any number is one
	accounts    run     // that logged in
	assumed     run     // accounts inferred from logins without a user name
	offences    run     // in the order of the log
	loginBy     witness // of login
	mailBy      witness // of the mails taken
	providerBy  witness // of provider
	own         uint32  // last time that a server named its address as its own; see noteOwn
	crowded     bool    // had more than maxAccounts accounts
	inUse       bool    // its place in the memory is in use
}

// run is the place of a source's accounts or offences in its memory.
type run struct {
	at uint32
	n  uint16
}

// account is an account that logged in.
type account struct {
	name event.AccountHash
	at   uint32 // its last login
	by   witness
}

// offence is one hostile or suspect line, in 32 bytes.
type offence struct {
	account  event.AccountHash
	at       uint32
	n        uint16 // attempts
	kind     event.Kind
	tag      uint8 // metFault, area (3 bits) and service (4 bits)
	host     health.Host
	password event.PasswordMark // 0: not known
}

// metFault is the bit in an offence's tag that is set if the client met a fault of the
// host at about that time. For a hit in a block list it means that postscreen let the client
// pass all the same, and its mail was taken.
const metFault = 1 << 7

// The compiler refuses a constant below zero: more services than a tag has room for.
const _ = uint(16 - event.ServiceCount)

func (o offence) met() bool              { return o.tag&metFault != 0 }
func (o offence) hasPassed() bool        { return o.met() && o.area() == listArea }
func (o offence) area() health.Area      { return health.Area(o.tag >> 4 & 7) }
func (o offence) service() event.Service { return event.Service(o.tag & 15) }

// keyOf returns the key of an address's source: the upper half of an IPv6 address, or an
// IPv4 address in 0:1::/32, which no client has.
func keyOf(addr netip.Addr) uint64 {
	if addr.Is4() {
		return 1<<32 | uint64(low32(addr))
	}
	high, _ := halves(addr)
	return high
}

// networkOf is the inverse of keyOf.
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

// mailOn adds a mail that was taken on a day since 1970.
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

// unmail subtracts mails of the latest day. It reports whether none is left on that day.
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

// mailedDays returns the number of days with mail among the last 30 before a time.
func (s *source) mailedDays(at uint32) int {
	today := at / day
	mask := uint32(1<<30 - 1)
	if today < s.mailDay {
		return bits.OnesCount32(s.mailDays & mask) // the time is before the last day with mail
	}
	return bits.OnesCount32(s.mailDays << min(today-s.mailDay, 32) & mask)
}

// isWithin reports whether when lies no more than span seconds before at, or after it. 0
// is never within.
func isWithin(when, at, span uint32) bool {
	return when != 0 && uint64(when)+uint64(span) >= uint64(at)
}
