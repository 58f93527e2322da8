// Package health knows what of our own worked when: the login services, the
// resolver, the block lists and the tables of recipients of each host. The guard
// tells it what the log says of them, and asks it whether an offence may be our
// own doing. It speaks no protocol; it goes by the times of the events, is
// synchronous and bounded in memory, and never decides about a client.
package health

import (
	"slices"

	"csmail/pkg/event"
)

const (
	minute   = uint32(60)
	hour     = 60 * minute
	day      = 24 * hour
	services = event.ServiceCount
)

// Limits are the numbers that a Site goes by, in seconds.
type Limits struct {
	ResolverQuiet uint32 // longest gap between clients with a verified name for which the resolver counts as working
	ListQuiet     uint32 // longest gap between mails taken from strangers for which block lists do
	FaultLasts    uint32 // how long a fault holds at the least
	FaultSilence  uint32 // how long it holds while nobody gets in
}

// Site is what is known of the services of one host. Times are seconds since 1970;
// a key names a client's source.
type Site struct {
	name     string // as logged, for a person
	heard    uint32 // last
	logins   [services]service
	dovecot  bool     // Dovecot's login service was heard of
	tables   service  // of recipients
	refusals troubled // block lists that refuse us
	resolver evidence // clients with a verified name
	lists    evidence // mail taken from strangers
	all      *Sites   // that it is one of
}

func newSite(name string, all *Sites) *Site {
	l := all.limits
	s := &Site{name: name, resolver: newEvidence(l.ResolverQuiet), lists: newEvidence(l.ListQuiet), all: all}
	s.configure(l)
	return s
}

func (s *Site) configure(l Limits) {
	for i := range s.logins {
		s.logins[i].configure(l, 2)
	}
	s.tables.configure(l, 3)
	s.refusals.lasts, s.refusals.silence = hour, hour
	s.resolver.least, s.resolver.most = 10, l.ResolverQuiet
	s.lists.least, s.lists.most = 10*minute, l.ListQuiet
}

// forget has the site know nothing of a time and before: what it knew is lost, so
// all that hangs on our own services may have been in trouble then.
func (s *Site) forget(until uint32) {
	for i := range s.logins {
		s.logins[i].sure.lost = max(s.logins[i].sure.lost, until)
	}
	s.tables.sure.lost, s.refusals.lost = max(s.tables.sure.lost, until), max(s.refusals.lost, until)
}

// Named notes a client with a verified name: our resolver works.
func (s *Site) Named(key uint64, at uint32) { s.resolver.seen(key, at) }

// MailTaken notes mail of somebody who did not log in: our block lists and tables
// work.
func (s *Site) MailTaken(key uint64, at uint32) {
	s.lists.seen(key, at)
	s.tables.works(key, at)
}

// LoggedIn notes that a client got in.
func (s *Site) LoggedIn(service event.Service, key uint64, at uint32) {
	s.hear(service)
	s.logins[service].works(key, at)
}

func (s *Site) hear(service event.Service) {
	if service == event.Dovecot && !s.dovecot {
		s.dovecot = true
		s.all.findDovecots()
	}
}

// Fault notes trouble of our own that a client met, or that names no client. It
// reports whether the fault may excuse that client. What a client's own DNS does
// (dns-fault) is none of ours, and trouble of the whole server (server-fault) shows
// in no offence.
func (s *Site) Fault(kind event.Kind, service event.Service, c Client, at uint32) bool {
	switch kind {
	case event.AuthFault:
		s.hear(service)
		mine := &s.logins[service]
		return mine.fault(c, at, max(mine.othersIn(c.Key), s.othersIn(service, c.Key, at)))
	case event.LookupFault:
		return s.tables.fault(c, at, s.tables.othersIn(c.Key))
	case event.DNSBLFault:
		s.refusals.fault(at)
	}
	return false
}

// LoginFails notes that a source failed to log in. account is who failed there, or
// the source itself if the log does not say; newly reports whether it got in until
// now.
func (s *Site) LoginFails(service event.Service, key, account uint64, at uint32, newly bool) {
	s.hear(service)
	s.logins[service].sure.regularFails(key, account, at, newly)
}

// RecipientMissed notes that a source whose mail is taken as a rule named a
// recipient that does not exist.
func (s *Site) RecipientMissed(key uint64, at uint32) {
	s.tables.sure.regularFails(key, key, at, true)
}

// Offence is what a client did, as far as our own trouble may be the reason.
type Offence struct {
	Service event.Service
	Key     uint64 // the client's source
	At      uint32
	Met     bool   // the client met a fault of this host around then, and may be excused by it
	Now     uint32 // until when the log is known
}

// Excuse is what a Site says of an offence.
type Excuse uint8

// The excuses.
const (
	NoExcuse Excuse = iota
	Doubted         // it may be our trouble; the next clients that get in may tell otherwise
	Excused         // it was our trouble, or nothing more can be known
)

// Login tells whether our own trouble may be why a login failed.
func (s *Site) Login(o Offence) Excuse {
	mine := &s.logins[o.Service]
	if mine.sure.covers(o.At) {
		return Excused
	}
	refuted := mine.isRefuted(o.Key, o.At, o.Now)
	asked := s.asked(o.Service)
	used := s.used(asked, o.At)
	for _, d := range asked {
		if d.logins[event.Dovecot].sure.covers(o.At) && (d == s || !refuted) {
			return Excused
		}
	}
	if refuted || len(used) > 0 && !slices.ContainsFunc(used, func(d *Site) bool {
		return !d.logins[event.Dovecot].isRefuted(o.Key, o.At, o.Now)
	}) {
		return NoExcuse
	}
	doubted := mine.doubt.covers(o.At) || o.Met
	for _, d := range asked {
		dovecot := &d.logins[event.Dovecot]
		doubted = doubted || dovecot.doubt.covers(o.At) && !dovecot.isRefuted(o.Key, o.At, o.Now)
	}
	return s.doubted(doubted, o)
}

// doubted gives the next clients that get in their time to refute a doubt.
func (s *Site) doubted(is bool, o Offence) Excuse {
	switch {
	case !is:
		return NoExcuse
	case o.Now <= o.At+s.all.limits.FaultSilence:
		return Doubted
	}
	return Excused
}

// asked returns the sites whose Dovecot a service asks whether a client may log in:
// Postfix that of its own host, if there is one. Else it may be any: a host of its
// own, or a Dovecot that logs to a file of its own, which names no host.
func (s *Site) asked(service event.Service) []*Site {
	if service != event.Postfix {
		return nil
	}
	if s.dovecot {
		return s.all.one(s)
	}
	return s.all.dovecots
}

// used returns those of the sites where somebody got in at Dovecot within the day before
// a time, or later: where nobody does, that says nothing of a service that asks
// there. The slice is valid until the next call.
func (s *Site) used(asked []*Site, at uint32) []*Site {
	used := s.all.used[:0]
	for _, d := range asked {
		if isWithin(d.logins[event.Dovecot].lastIn, at, day) {
			used = append(used, d)
		}
	}
	s.all.used = used
	return used
}

// othersIn returns since when, at a time, others than key got in at every Dovecot that
// a service asks.
func (s *Site) othersIn(service event.Service, key uint64, at uint32) uint32 {
	asked := s.used(s.asked(service), at)
	if len(asked) == 0 {
		return 0
	}
	last := ^uint32(0)
	for _, d := range asked {
		last = min(last, d.logins[event.Dovecot].othersIn(key))
	}
	return last
}

// FaultBefore is how long, in seconds, before a fault is logged it may have had its
// effect.
const FaultBefore = faultBefore

// MayExcuse reports whether a fault that a client met may be why it does something of
// an area now: for a while, and as long as nobody else gets in.
func (s *Site) MayExcuse(area Area, service event.Service, key uint64, faulted, at uint32) bool {
	if faulted == 0 || !isWithin(faulted, at, s.all.limits.FaultLasts) {
		return false
	}
	switch area {
	case LoginArea:
		return max(s.logins[service].othersIn(key), s.othersIn(service, key, at)) <= faulted
	case RecipientArea:
		return s.tables.othersIn(key) <= faulted
	}
	return false
}

// Recipient tells whether our own trouble may be why a recipient was unknown.
func (s *Site) Recipient(o Offence) Excuse {
	t := &s.tables
	if t.sure.covers(o.At) {
		return Excused
	}
	if t.isRefuted(o.Key, o.At, o.Now) {
		return NoExcuse
	}
	return s.doubted(t.doubt.covers(o.At) || o.Met, o)
}

// Resolver tells whether our resolver worked at a time, by others than key.
func (s *Site) Resolver(key uint64, at, now uint32) Certainty { return s.resolver.at(key, at, now) }

// Lists tells whether our block lists worked at a time, by others than key.
func (s *Site) Lists(key uint64, at, now uint32) Certainty { return s.lists.at(key, at, now) }

// ResolverLapses returns the time from which on no sight of a working resolver tells
// any more of what is [NotYet] known now.
func (s *Site) ResolverLapses() uint32 { return s.resolver.lapses() }

// ListsLapse is ResolverLapses for the block lists.
func (s *Site) ListsLapse() uint32 { return s.lists.lapses() }

// ListsRefused reports whether a block list refused our queries around a time.
func (s *Site) ListsRefused(at uint32) bool { return s.refusals.covers(at) }

// ResolverGap returns the longest gap, in seconds, that is no sign of an outage just now.
func (s *Site) ResolverGap() uint32 { return s.resolver.gap() }

// ListGap is ResolverGap for the block lists.
func (s *Site) ListGap() uint32 { return s.lists.gap() }

// isWithin reports whether something that last happened at when was no longer than
// stretch before at, or later.
func isWithin(when, at, stretch uint32) bool {
	return when != 0 && uint64(when)+uint64(stretch) >= uint64(at)
}
