package guard

import (
	"csmail/pkg/event"
	"csmail/pkg/health"
)

// witness is the host that logged a proof, and the day by the guard's clock. In a cluster
// each host is trusted with events on itself and no more: an attacker who has taken over one
// of them could have it report logins that never were, and would be excused on all hosts. So
// a proof weighs on the host that logged it, and on others once a second host has reported
// it, or the first one on another day. The zero witness weighs everywhere.
//
//	mx7 reports a login of 203.0.113.9: on mx7 it is proven, on mx1 it is not
//	mx2 reports one too:                it is proven everywhere
type witness struct {
	host uint16 // short for the host
	day  uint16 // since 1970; 0: never seen
}

// isNew reports whether no host has reported the proof yet.
func (w witness) isNew() bool { return w == witness{} }

func shortOf(h health.Host) uint16 { return uint16(h>>16^h) | 1 }

// seen returns the witness of a proof that a host reports now. isFirst is set if the proof
// is new or the earlier one has lapsed.
func (w witness) seen(isFirst bool, h health.Host, now uint32) witness {
	if isFirst {
		return witness{shortOf(h), uint16(now / day)}
	}
	if w.host != 0 && w.host == shortOf(h) && uint32(w.day) == now/day {
		return w
	}
	return witness{} // a second host, or a second day
}

// weighs reports whether a proof counts for offences on a host.
func (k *knowledge) weighs(w witness, h health.Host) bool {
	return !k.limits.foreign || w.host == 0 || w.host == shortOf(h)
}

// weighsEverywhere reports whether a proof counts on every host.
func (k *knowledge) weighsEverywhere(w witness) bool { return !k.limits.foreign || w.isNew() }

// noteWitness notes the host that reports a login, before the login itself is noted.
func (k *knowledge) noteWitness(s *source, name event.AccountHash, r *event.Record, at uint32) {
	host := health.HostOf(r)
	s.loginBy = s.loginBy.seen(!isWithin(s.login, at, k.limits.login), host, k.now)
	known := k.memory.accountsIn(s.accounts)
	for i := range known {
		if a := &known[i]; a.name == name {
			a.by = a.by.seen(!isWithin(a.at, at, k.limits.login), host, k.now)
			return
		}
	}
}

// noteFirstWitness notes the host that reports an account that was not known before.
func (k *knowledge) noteFirstWitness(s *source, name event.AccountHash, r *event.Record) {
	known := k.memory.accountsIn(s.accounts)
	if n := len(known); n > 0 && known[n-1].name == name {
		known[n-1].by = witness{}.seen(true, health.HostOf(r), k.now)
	}
}

// noteMail notes the host that took a mail, before the mail itself is noted. Days do not
// matter, since mail proves only after some days.
func (k *knowledge) noteMail(s *source, r *event.Record) {
	host := health.HostOf(r)
	if s.mailDay == 0 {
		s.mailBy = shortOf(host)
	} else if s.mailBy != shortOf(host) {
		s.mailBy = 0
	}
}

func (k *knowledge) mailWeighs(s *source, h health.Host) bool {
	return k.weighs(witness{host: s.mailBy}, h)
}

// loginFor returns when an account last logged in from the source, as far as that weighs
// for an offence. Without a name it is the last login of any account.
func (j *judgement) loginFor(o offence) uint32 {
	if !j.k.limits.foreign {
		return j.k.memory.loginOf(j.s, o.account)
	}
	if o.account.IsZero() || j.s.crowded {
		return j.sourceLogin(o)
	}
	last := uint32(0)
	for _, a := range j.accounts {
		if a.name.Is(o.account) && j.k.weighs(a.by, o.host) {
			last = max(last, a.at)
		}
	}
	return last
}

// sourceLogin returns the last login from the source, as far as that weighs for an
// offence.
func (j *judgement) sourceLogin(o offence) uint32 {
	if j.k.weighs(j.s.loginBy, o.host) {
		return j.s.login
	}
	return 0
}

// isStaleElsewhere reports whether the account of an offence is one that logged in from
// the source on another host: a few failures on it are those of a stale password, many are
// not.
func (j *judgement) isStaleElsewhere(o offence) bool {
	l := &j.k.limits
	return l.foreign && !o.account.IsZero() && j.named < l.sprayed && j.perHour <= l.stale && isWithin(latest(j.accounts, o.account), o.at, l.login)
}
