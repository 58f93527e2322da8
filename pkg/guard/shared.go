package guard

import (
	"cmp"
	"maps"
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// noteShared notes since when many accounts log in from a source. A webmail host, the
// gateway of an office and a carrier's NAT bring the guesses of one client under the
// address of many, and a ban would hit them all.
func (k *knowledge) noteShared(s *source, at uint32) {
	if int(s.accounts.n) < k.limits.shared {
		return
	}
	if s.shared == 0 || k.usersAt(s, at) < k.limits.shared {
		s.shared = at
	}
}

// usersAt returns the number of accounts that logged in from a source within the time for
// which a login proves it. Of a source with more than maxAccounts that is the greatest
// number.
func (k *knowledge) usersAt(s *source, at uint32) int {
	if s.crowded {
		return maxAccounts
	}
	n := 0
	for _, a := range k.memory.accountsIn(s.accounts) {
		if isWithin(a.at, at, k.limits.login) {
			n++
		}
	}
	return n
}

// sharedAmong returns the source of a finding if many accounts log in from it, and did so
// for a day before the finding's first attempt; else nil. The day keeps an attacker from
// excusing himself with accounts that he broke into today. A log that began less than a day
// before cannot show the day, as on the first start after an installation. There the
// accounts are enough: it is worse to lock out all users behind a load balancer.
func (k *knowledge) sharedAmong(f Finding) *source {
	if f.Scope != event.ScopeIP && f.Scope != "" {
		return nil // a range with a proven source is not banned at all
	}
	s := k.memory.find(keyOf(f.Addr))
	if s == nil || s.shared == 0 || k.usersAt(s, k.now) < k.limits.shared {
		return nil
	}
	first := stamp(f.First)
	if isWithin(s.shared, first, day-1) && !k.isYoung(s, first) {
		return nil
	}
	return s
}

// began holds when the first login of each host was. Hosts beyond maxBegan are left out.
type began map[health.Host]uint32

const maxBegan = 4096

// anyHost stands for all hosts of a guard that did not note their first logins: none is young.
const (
	anyHost = ^health.Host(0)
	longAgo = 1
)

// note takes a login.
func (b *began) note(h health.Host, at uint32) {
	if first, known := (*b)[h]; known && first <= at || !known && len(*b) >= maxBegan {
		return
	}
	if *b == nil {
		*b = began{}
	}
	(*b)[h] = at
}

// isYoung reports whether the log of the host on which the source last offended shows its
// first login less than a day before a time. Of a host without a login, and of one that was
// known before logins were noted, it is not known.
func (k *knowledge) isYoung(s *source, at uint32) bool {
	offences := k.memory.offencesOf(s)
	if _, isOld := k.began[anyHost]; isOld || len(offences) == 0 {
		return false
	}
	return isWithin(k.began[offences[len(offences)-1].host], at, day-1)
}

// began takes the first logins, in the order of their hosts.
func (c *codec) began(b *began) {
	hosts := slices.SortedFunc(maps.Keys(*b), cmp.Compare)
	list(c, &hosts, func(h *health.Host) {
		at := (*b)[*h]
		numbers(c, h)
		if numbers(c, &at); c.Reading {
			b.note(*h, at)
		}
	})
}
