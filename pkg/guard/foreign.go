package guard

import (
	"csmail/pkg/event"
	"csmail/pkg/health"
)

// reporter is an edge of a cluster, as far as it reports lines of one host. A host that
// collects the logs of others is several.
type reporter struct {
	edge uint64 // see event.Origin
	host health.Host
}

// reporters numbers the reporters from 1 on, in the order in which they reported their
// first proof. A source stores numbers only.
type reporters struct {
	all     []reporter
	numbers map[reporter]uint16
}

// maxReporters is the number of those that are told apart. There are as many as hosts in the
// configuration of the judges, and 64 at most for one that collects logs.
const maxReporters = afterwards - 2

func (r *reporters) index() {
	r.numbers = make(map[reporter]uint16, len(r.all))
	for i, one := range r.all {
		r.numbers[one] = uint16(i + 1)
	}
}

// number returns the number of the reporter of a record. All beyond the limit are one.
func (r *reporters) number(of *event.Record) uint16 {
	one := reporter{of.From().Edge, health.HostOf(of)}
	if one.edge == 0 {
		one.edge = uint64(one.host)
	}
	if n, known := r.numbers[one]; known {
		return n
	}
	if len(r.all) >= maxReporters {
		return maxReporters + 1
	}
	if r.numbers == nil {
		r.numbers = map[reporter]uint16{}
	}
	r.all = append(r.all, one)
	r.numbers[one] = uint16(len(r.all))
	return r.numbers[one]
}

// of returns the reporter with a number, the zero reporter if there is none.
func (r *reporters) of(number uint16) reporter {
	if number == 0 || int(number) > len(r.all) {
		return reporter{}
	}
	return r.all[number-1]
}

// witness is who reported a proof. In a cluster each edge is trusted with events on itself
// and no more: an attacker who has taken over one of them could have it report logins that
// never were, and would be excused on all hosts. So a proof weighs on the host that reported
// it, and on others once another edge has reported it, or the first one on another day. An
// edge that collects logs is one edge, whichever hosts its lines name. The zero witness
// weighs everywhere.
//
//	mx7 reports a login of 203.0.113.9: on mx7 it is proven, on mx1 it is not
//	mx2 reports one too:                it is proven everywhere
type witness struct {
	first uint16 // number of the first reporter; 0: never seen
	then  uint16 // the day of its report since 1970; or afterwards and the number of a second reporter, 0 if the first came again on another day
}

const afterwards = 1 << 15

func onDay(number uint16, now uint32) witness { return witness{number, uint16(now/day) % afterwards} }

// second returns the number of the second reporter, 0 if there is none.
func (w witness) second() uint16 {
	if w.then < afterwards {
		return 0
	}
	return w.then - afterwards
}

// reported returns the witness of a proof that a record reports now. isFirst is set if the
// proof is new or the earlier one has lapsed.
func (k *knowledge) reported(w witness, isFirst bool, r *event.Record) witness {
	if !k.limits.foreign || !isFirst && (w.first == 0 || w.then >= afterwards) {
		return w
	}
	number := k.reporters.number(r)
	now := onDay(number, k.now)
	if isFirst {
		return now
	}
	first, other := k.reporters.of(w.first), k.reporters.of(number)
	switch {
	case first.edge != other.edge && first.host != other.host:
		return witness{w.first, afterwards + number}
	case w.then != now.then:
		return witness{w.first, afterwards}
	}
	return w
}

// weighs reports whether a proof counts for offences on a host.
func (k *knowledge) weighs(w witness, h health.Host) bool {
	return k.weighsEverywhere(w) || k.reporters.of(w.first).host == h
}

// weighsEverywhere reports whether a proof counts on every host.
func (k *knowledge) weighsEverywhere(w witness) bool {
	return !k.limits.foreign || w.first == 0 || w.then >= afterwards
}

// noteLogin notes a login and who reports it.
func (k *knowledge) noteLogin(s *source, name event.AccountHash, r *event.Record, at uint32) {
	if !k.limits.foreign {
		k.noteAccount(name, r, k.memory.noteLogin(s, name, at), at)
		return
	}
	s.loginBy = k.reported(s.loginBy, !isWithin(s.login, at, k.limits.login), r)
	known := findAccount(k.memory.accountsIn(s.accounts), name)
	isFirst := known == nil || !isWithin(known.at, at, k.limits.login)
	k.noteAccount(name, r, k.memory.noteLogin(s, name, at), at)
	if a := findAccount(k.memory.accountsIn(s.accounts), name); a != nil {
		a.by = k.reported(a.by, isFirst, r)
	}
	if !name.IsZero() {
		return
	}
	assumed := k.memory.accountsIn(s.assumed)
	for i := range assumed {
		if assumed[i].at == at {
			assumed[i].by = k.reported(assumed[i].by, true, r)
		}
	}
}

// findAccount returns the account of a name, nil if there is none.
func findAccount(accounts []account, name event.AccountHash) *account {
	for i := range accounts {
		if accounts[i].name == name {
			return &accounts[i]
		}
	}
	return nil
}

// noteMail notes who took a mail, before the mail itself is noted. Days do not matter, since
// mail proves only after some days.
func (k *knowledge) noteMail(s *source, r *event.Record) {
	by := k.reported(s.mailBy, s.mailDay == 0, r)
	if by.second() == 0 && by.then >= afterwards {
		return // on another day
	}
	s.mailBy = by
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
