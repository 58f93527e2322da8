// Package health records which of a mail server's own services worked when, for each
// host: the login services, the resolver, the block lists and the tables of recipients.
//
// A failure of these services looks in the log like an offence of each client that meets
// it. For example, while the user database is down all passwords are wrong, and without a
// resolver no client has a name. The guard reports to this package what the log shows of
// them, and asks it whether an offence may be due to such a failure. The package speaks
// no protocol. It goes by the times of the events, is synchronous and bounded in memory,
// and never decides about a client.
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

// Limits are the configured bounds of a Site, in seconds.
type Limits struct {
	ResolverQuiet uint32 // longest gap between clients with a verified name for which the resolver counts as working
	ListQuiet     uint32 // longest gap between mails taken from strangers for which block lists do
	FaultLasts    uint32 // how long a fault holds at least
	FaultSilence  uint32 // how long a fault holds while no client gets in
	Sites         int    // hosts with a Site of their own; 0 is 512
}

// Site is the knowledge about the services of one host. Times are seconds since 1970; a
// key is a client's source.
type Site struct {
	name     string // as logged, for a person
	heard    uint32 // time of the last line
	logins   [services]service
	dovecot  bool     // Dovecot's login service has logged something
	tables   service  // tables of recipients
	refusals troubled // block lists that refuse the host's queries
	resolver evidence // observations of clients with a verified name
	lists    evidence // observations of mail taken from strangers
	all      *Sites   // the Sites that it belongs to
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

// forget marks the knowledge up to a time as lost. Any of the services may have been in
// trouble then, so all of them count as if they had been.
func (s *Site) forget(until uint32) {
	for i := range s.logins {
		s.logins[i].sure.lost = max(s.logins[i].sure.lost, until)
	}
	s.tables.sure.lost, s.refusals.lost = max(s.tables.sure.lost, until), max(s.refusals.lost, until)
}

// Named adds a client with a verified name, which proves that the resolver works.
func (s *Site) Named(key uint64, at uint32) { s.resolver.seen(key, at) }

// MailTaken adds mail from a client that did not log in, which proves that block lists
// and tables of recipients work.
func (s *Site) MailTaken(key uint64, at uint32) {
	s.lists.seen(key, at)
	s.tables.works(key, at)
}

// LoggedIn adds a client that logged in.
func (s *Site) LoggedIn(service event.Service, key uint64, at uint32) {
	s.hear(service)
	s.logins[service].works(key, at)
}

// hear notes that a service has logged something. Only Dovecot's matters: other services
// ask it about logins.
func (s *Site) hear(service event.Service) {
	if service == event.Dovecot && !s.dovecot {
		s.dovecot = true
		s.all.findDovecots()
	}
}

// Fault adds trouble that a client met, or that names no client, and reports whether it
// may excuse that client. Two kinds do not count here: failures of a client's own DNS
// (dns-fault), which are not the server's, and trouble of the whole server
// (server-fault), which is the reason of no offence.
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

// LoginFails adds a failed login of a source. account is the account it failed on, or the
// source itself if the log does not name one; newly reports whether the source has logged
// in since its last failure.
func (s *Site) LoginFails(service event.Service, key, account uint64, at uint32, newly bool) {
	s.hear(service)
	s.logins[service].sure.regularFails(key, account, at, newly)
}

// RecipientMissed adds an unknown recipient that a source named whose mail is usually
// taken.
func (s *Site) RecipientMissed(key uint64, at uint32) {
	s.tables.sure.regularFails(key, key, at, true)
}

// Offence is a client's offence, as far as a failure of the server may be its reason.
type Offence struct {
	Service event.Service
	Key     uint64 // the client's source
	At      uint32
	Met     bool   // the client met a fault of this host at about that time
	Now     uint32 // time until which the log is known
}

// Excuse is the answer about an offence.
type Excuse uint8

// The excuses.
const (
	NoExcuse Excuse = iota
	Doubted         // it may be due to the server; the next clients that get in may decide it
	Excused         // it was due to the server, or this can no longer be decided
)

// Login reports whether trouble of the server may be the reason why a login failed. The
// trouble may be the service's own or that of a Dovecot which it asks.
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

// doubted returns Doubted while the next clients may still refute a doubt, and Excused
// once FaultSilence has passed.
func (s *Site) doubted(is bool, o Offence) Excuse {
	switch {
	case !is:
		return NoExcuse
	case o.Now <= o.At+s.all.limits.FaultSilence:
		return Doubted
	}
	return Excused
}

// asked returns the sites whose Dovecot a service asks whether a client may log in.
// Postfix asks that of its own host. If its host has none, it may be any: Dovecot runs on
// another host, or logs to a file of its own that names no host.
func (s *Site) asked(service event.Service) []*Site {
	if service != event.Postfix {
		return nil
	}
	if s.dovecot {
		return s.all.one(s)
	}
	return s.all.dovecots
}

// used returns those of the asked sites where a client logged in at Dovecot within a day
// before a time, or later. A Dovecot that no client uses proves nothing about a service
// that asks elsewhere. The slice is valid until the next call.
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

// othersIn returns the time since which clients other than key have logged in at every
// Dovecot that a service asks; 0 if none is used.
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

// FaultBefore is how long, in seconds, before its log line a fault may have had its
// effect.
const FaultBefore = faultBefore

// MayExcuse reports whether a fault that a client met at the time faulted may be the
// reason of its offence at the time at. It may be for FaultLasts, unless another client
// gets in.
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

// Recipient reports whether trouble of the server may be the reason why a recipient was
// unknown.
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

// Resolver reports whether the resolver worked at a time, as shown by sources other than
// key.
func (s *Site) Resolver(key uint64, at, now uint32) Certainty { return s.resolver.at(key, at, now) }

// Lists reports whether the block lists worked at a time, as shown by sources other than
// key.
func (s *Site) Lists(key uint64, at, now uint32) Certainty { return s.lists.at(key, at, now) }

// ResolverLapses returns the time from which no observation can decide any longer what is
// [NotYet] decided now.
func (s *Site) ResolverLapses() uint32 { return s.resolver.lapses() }

// ListsLapse is ResolverLapses for the block lists.
func (s *Site) ListsLapse() uint32 { return s.lists.lapses() }

// ListsRefused reports whether a block list refused the host's queries at about a time.
func (s *Site) ListsRefused(at uint32) bool { return s.refusals.covers(at) }

// ResolverGap returns the longest gap, in seconds, that does not count as an outage at
// present.
func (s *Site) ResolverGap() uint32 { return s.resolver.gap() }

// ListGap is ResolverGap for the block lists.
func (s *Site) ListGap() uint32 { return s.lists.gap() }

// isWithin reports whether when lies no more than stretch seconds before at, or after it.
// The zero time is never within.
func isWithin(when, at, stretch uint32) bool {
	return when != 0 && uint64(when)+uint64(stretch) >= uint64(at)
}
