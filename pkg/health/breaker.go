package health

import (
	"cmp"
	"fmt"
	"time"

	"csmail/pkg/event"
)

// Breaker is the state of one part of a host's own services, as csmail status and the
// daily report show it. While it holds, offences of its area lead to no ban.
type Breaker struct {
	Name  string // resolver, block-lists, login postfix, login dovecot, login sshd, user-database
	Holds bool   // of the state; zero if nothing was observed yet
	Since time.Time
	Why   string // for a person
}

// Breakers returns the breakers at the time now, always in the same order. If there are
// several hosts, each breaker is that of a host where it holds, if any.
//
// A host on which no client with a verified name has connected has no evidence that its
// resolver works. Its breaker holds, which is no alarm. If there are other hosts, it is
// left out until it has evidence.
func (s *Sites) Breakers(now uint32) []Breaker {
	hosts := s.sorted()
	if len(hosts) == 0 {
		return s.others.breakers(now)
	}
	var all []Breaker
	for _, h := range hosts {
		site := s.hosts[h]
		for i, b := range site.breakers(now) {
			if len(hosts) > 1 && b.Holds {
				b.Why += " (on " + cmp.Or(site.name, "a host without a name") + ")"
			}
			if i == len(all) {
				all = append(all, b)
			} else if all[i].isBelow(b) {
				all[i] = b
			}
		}
	}
	return all
}

// isBelow reports whether the breaker of another host is more important than this one.
func (b Breaker) isBelow(other Breaker) bool { return b.rank() < other.rank() }

// rank orders breakers of several hosts: known trouble first, then known health, then no
// evidence.
func (b Breaker) rank() int {
	switch {
	case b.Holds && !b.Since.IsZero():
		return 2
	case !b.Holds:
		return 1
	}
	return 0 // for want of evidence
}

// breakers returns the breakers of one host. A block list that refuses the host's queries
// takes the place of missing evidence.
func (s *Site) breakers(now uint32) []Breaker {
	all := []Breaker{
		s.resolver.breaker("resolver", "client with a verified name", now),
		s.lists.breaker("block-lists", "mail taken from a stranger", now),
	}
	if s.refusals.covers(now) {
		all[1] = s.refusals.breaker("block-lists", now)
		all[1].Why = "a block list refuses our queries"
	}
	for _, service := range [...]event.Service{event.Postfix, event.Dovecot, event.SSHD} {
		all = append(all, s.logins[service].breaker("login "+service.String(), now))
	}
	return append(all, s.tables.breaker("user-database", now))
}

// breaker is the certain outage's, unless only a doubted one has a newer fault.
func (s *service) breaker(name string, now uint32) Breaker {
	if b := s.sure.breaker(name, now); b.Holds || s.doubt.lastFault <= s.sure.lastFault {
		return b
	}
	return s.doubt.breaker(name, now)
}

// breaker holds once the evidence is older than the longest gap that counts as usual.
func (e *evidence) breaker(name, sight string, now uint32) Breaker {
	b := Breaker{Name: name, Holds: true, Why: "no " + sight + " yet"}
	if len(e.spans) == 0 {
		return b
	}
	last := e.spans[len(e.spans)-1]
	b.Holds = uint64(now) > uint64(last.end)+uint64(e.gap())
	b.Since = moment(last.start)
	if b.Holds {
		b.Since = moment(last.end)
	}
	b.Why = fmt.Sprintf("last %s at %s; without one for %s it holds", sight, clock(last.end), time.Duration(e.gap())*time.Second)
	return b
}

// breaker holds while there is trouble.
func (t *troubled) breaker(name string, now uint32) Breaker {
	b := Breaker{Name: name, Holds: t.covers(now), Why: "no trouble known"}
	if t.lastFault != 0 {
		b.Why = "last trouble at " + clock(t.lastFault)
	}
	if b.Holds && len(t.spans) > 0 {
		b.Since = moment(t.spans[len(t.spans)-1].start)
	}
	return b
}

func moment(at uint32) time.Time { return time.Unix(int64(at), 0).UTC() }
func clock(at uint32) string     { return moment(at).Format("2006-01-02 15:04:05 UTC") }
