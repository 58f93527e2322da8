package guard

import "csmail/pkg/event"

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
	first := uint64(stamp(f.First))
	if uint64(s.shared)+uint64(day) > first && uint64(k.began)+uint64(day) <= first {
		return nil
	}
	return s
}
