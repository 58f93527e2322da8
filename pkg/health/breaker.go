package health

import (
	"cmp"
	"fmt"
	"time"

	"csmail/pkg/event"
)

// Breaker is the state of something of ours that a rule hangs on.
type Breaker struct {
	Name  string // resolver, block-lists, login postfix, login dovecot, login sshd, user-database
	Holds bool   // what hangs on it is held just now
	Since time.Time
	Why   string // for a person
}

// Breakers returns the state of all of them at a time, in a fixed order. Of several
// hosts it is that of one that holds, if any does. A host that nobody with a verified
// name visits has no evidence that its resolver works: that holds, and is no alarm by
// itself; a host beside others counts from its first evidence on.
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

// isBelow reports whether another host's breaker says more than this one.
func (b Breaker) isBelow(other Breaker) bool { return b.rank() < other.rank() }

func (b Breaker) rank() int {
	switch {
	case b.Holds && !b.Since.IsZero():
		return 2
	case !b.Holds:
		return 1
	}
	return 0 // for want of evidence
}

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

func (s *service) breaker(name string, now uint32) Breaker {
	if b := s.sure.breaker(name, now); b.Holds || s.doubt.lastFault <= s.sure.lastFault {
		return b
	}
	return s.doubt.breaker(name, now)
}

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

func (o *troubled) breaker(name string, now uint32) Breaker {
	b := Breaker{Name: name, Holds: o.covers(now), Why: "no trouble known"}
	if o.lastFault != 0 {
		b.Why = "last trouble at " + clock(o.lastFault)
	}
	if b.Holds && len(o.spans) > 0 {
		b.Since = moment(o.spans[len(o.spans)-1].start)
	}
	return b
}

func moment(at uint32) time.Time { return time.Unix(int64(at), 0).UTC() }
func clock(at uint32) string     { return moment(at).Format("2006-01-02 15:04:05 UTC") }
