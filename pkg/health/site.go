// Package health knows what of our own worked when: the login services, the
// resolver, the block lists and the tables of recipients of one host. The guard
// tells it what the log says of them, and asks it whether an offence may be our
// own doing. It speaks no protocol; it goes by the times of
// the events, is synchronous and bounded in memory, and never decides about a
// client.
package health

import (
	"csmail/pkg/event"
	"csmail/pkg/wire"
)

const (
	minute   = uint32(60)
	hour     = 60 * minute
	day      = 24 * hour
	services = 16 // room for those that event knows
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
	limits   Limits
	logins   [services]outage // by service
	tables   outage           // of recipients
	refusals outage           // block lists that refuse us
	resolver evidence         // clients with a verified name
	lists    evidence         // mail taken from strangers
}

// NewSite returns a Site of which nothing is known.
func NewSite(l Limits) *Site {
	s := &Site{resolver: newEvidence(l.ResolverQuiet), lists: newEvidence(l.ListQuiet)}
	s.Configure(l)
	return s
}

// Configure replaces the numbers. What was observed stays.
func (s *Site) Configure(l Limits) {
	s.limits = l
	for i := range s.logins {
		s.logins[i].set(l.FaultLasts, l.FaultSilence, 2)
	}
	s.tables.set(l.FaultLasts, l.FaultSilence, 3)
	s.refusals.set(hour, hour, 0)
	s.resolver.least, s.resolver.most = 10, l.ResolverQuiet
	s.lists.least, s.lists.most = 10*minute, l.ListQuiet
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
	s.logins[service].works(key, at)
}

// Fault notes trouble of our own that a client met, or that names no client: key is
// 0 then. It reports whether the fault may excuse that client. What a client's own
// DNS does (dns-fault) is none of ours, and trouble of the whole server
// (server-fault) shows in no offence.
func (s *Site) Fault(kind event.Kind, service event.Service, key uint64, at uint32) bool {
	var o *outage
	switch kind {
	case event.AuthFault:
		o = &s.logins[service]
	case event.LookupFault:
		o = &s.tables
	case event.DNSBLFault:
		s.refusals.fault(at)
		return false
	default:
		return false
	}
	if key == 0 {
		o.fault(at)
		return false
	}
	o.clientFault(key, at)
	return true
}

// LoginFails notes that a source failed to log in. account is who failed there, or
// the source itself if the log does not say; newly reports whether it got in until
// now.
func (s *Site) LoginFails(service event.Service, key, account uint64, at uint32, newly bool) {
	s.logins[service].goodFails(key, account, at, newly)
}

// RecipientMissed notes that a source whose mail is taken as a rule named a
// recipient that does not exist.
func (s *Site) RecipientMissed(key uint64, at uint32) { s.tables.goodFails(key, key, at, true) }

// LoginTrouble reports whether our own trouble may be why a login at a service
// failed. Postfix mostly asks Dovecot, so Dovecot's trouble is Postfix's too. A fault
// that this source alone met, at the time faulted, speaks for it only while nobody
// else logs in.
func (s *Site) LoginTrouble(service event.Service, key uint64, faulted, at uint32) bool {
	mine, dovecot := &s.logins[service], &s.logins[event.Dovecot]
	if mine.covers(at) || service == event.Postfix && dovecot.covers(at) {
		return true
	}
	return mine.excusesOwn(key, faulted, at) && (dovecot.worked <= faulted || dovecot.workedBy == key)
}

// TableTrouble reports whether our own trouble may be why a recipient was unknown.
func (s *Site) TableTrouble(key uint64, faulted, at uint32) bool {
	return s.tables.covers(at) || s.tables.excusesOwn(key, faulted, at)
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

// Encode writes or reads what was observed.
func (s *Site) Encode(c *wire.Codec) {
	for i := range s.logins {
		s.logins[i].encode(c)
	}
	s.tables.encode(c)
	s.refusals.encode(c)
	s.resolver.encode(c)
	s.lists.encode(c)
}

// isWithin reports whether something that last happened at when was no longer than
// stretch before at, or later.
func isWithin(when, at, stretch uint32) bool {
	return when != 0 && uint64(when)+uint64(stretch) >= uint64(at)
}
