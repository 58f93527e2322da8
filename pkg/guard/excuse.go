package guard

import (
	"slices"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// judgement holds the properties of one source that decide about each of its offences.
type judgement struct {
	k        *knowledge
	key      uint64
	s        *source
	offences []offence
	accounts []account // that logged in
	assumed  []account // see source
	proof    string
	named    int // strange accounts that it failed on within a day and never logged in to, up to the number that matters
	perHour  int // most failures on them within an hour; if many users share the source, on one of them
	unnamed  int // most failures without a user name within an hour
	visiting int // most empty visits within an hour

	isSurveyed bool // the four above are known

	mailDay     uint32 // day of mostlyTaken plus one; 0: not computed yet
	mostlyTaken bool
}

func (k *knowledge) judgement(s *source) judgement {
	m := &k.memory
	return judgement{
		k: k, key: s.key, s: s, proof: k.proof(s.key, s, k.now),
		offences: m.offencesOf(s), accounts: m.accountsIn(s.accounts), assumed: m.accountsIn(s.assumed),
	}
}

// survey counts what the rules for logins and for visits compare with. Findings about
// anything else need none of it, so it is done when the first of them asks.
func (j *judgement) survey() {
	if j.isSurveyed {
		return
	}
	j.isSurveyed = true
	k := j.k
	strange, unnamed, visits, names := k.room.strange[:0], k.room.unnamed[:0], k.room.visits[:0], k.room.names[:0]
	for i := range j.offences {
		o := &j.offences[i]
		switch o.area() {
		case visitArea:
			visits = append(visits, *o)
		case loginArea:
			switch {
			case o.account.IsZero() && o.at > j.sourceLogin(*o):
				unnamed = append(unnamed, *o)
			case o.account.IsZero() || !isWithin(o.at, k.now, day) || j.loginFor(*o) != 0 || j.madeGood(*o):
			default:
				strange = append(strange, *o)
				if latest(j.assumed, o.account) == 0 {
					names = append(names, o.account)
				}
			}
		}
	}
	j.named = distinct(names, max(k.limits.sprayed, 2+len(j.accounts)/usersPerTypist))
	j.perHour, j.unnamed, j.visiting = mostIn(strange, hour), mostIn(unnamed, hour), mostIn(visits, hour)
	if j.perHour > k.limits.stale && k.usersAt(j.s, k.now) >= k.limits.shared {
		// An office has several devices with old passwords. Each sends as many as one alone.
		j.perHour = mostOfOne(strange)
	}
	k.room = room{strange, unnamed, visits, names}
}

// mostOfOne returns the most failures on one account within an hour.
func mostOfOne(offences []offence) int {
	most := 0
	var one []offence
	for i, o := range offences {
		isSame := func(other offence) bool { return other.account == o.account }
		if slices.ContainsFunc(offences[:i], isSame) {
			continue
		}
		one = one[:0]
		for _, other := range offences[i:] {
			if isSame(other) {
				one = append(one, other)
			}
		}
		most = max(most, mostIn(one, hour))
	}
	return most
}

// madeGood reports whether an assumed login makes good a failure shortly before it.
func (j *judgement) madeGood(o offence) bool {
	return slices.ContainsFunc(j.assumed, func(a account) bool {
		return a.name.Is(o.account) && o.at <= a.at && isWithin(o.at, a.at, mistyped)
	})
}

// room is the scratch memory of a judgement.
type room struct {
	strange, unnamed, visits []offence
	names                    []event.AccountHash
}

// excuse returns the rule that excuses an offence, NoRule if it counts. If until is not
// 0, the offence may yet count: evidence may come until then.
func (j *judgement) excuse(o offence) (rule Rule, until uint32) {
	switch {
	case o.isSuspicion() && j.isProvenFor(o):
		return Proven, 0
	case o.isOfMail() && j.k.weighs(j.s.mailBy, o.host) && j.wasMostlyTaken(o.at):
		return MailTaken, 0
	}
	switch o.area() {
	case loginArea:
		return j.login(o)
	case resolverArea:
		return j.resolver(o)
	case listArea:
		return j.list(o)
	case recipientArea:
		return j.trouble(UserDatabase, o, j.site(o).Recipient(j.asked(o)))
	case visitArea:
		if j.survey(); j.visiting < j.k.limits.visits {
			return EmptyVisits, 0
		}
	}
	return NoRule, 0
}

// usersPerTypist is the number of known accounts of a source for which one strange
// account a day is accepted: a new user, or a mistyped name.
const usersPerTypist = 5

// login decides about an offence at the login service.
func (j *judgement) login(o offence) (rule Rule, until uint32) {
	j.survey()
	l := &j.k.limits
	if !o.account.IsZero() || j.unnamed <= l.unnamed {
		if isWithin(j.loginFor(o), o.at, l.login) {
			return Stale, 0
		}
	}
	if j.madeGood(o) || j.isStaleElsewhere(o) {
		return Stale, 0
	}
	if j.perHour <= l.stale && isWithin(latest(j.assumed, o.account), o.at, l.login) && !o.account.IsZero() {
		return Stale, 0
	}
	if j.named <= 1+len(j.accounts)/usersPerTypist && j.perHour <= l.stale && !o.account.IsZero() && j.isProvenFor(o) {
		return Stale, 0
	}
	if j.named >= l.sprayed {
		return NoRule, 0
	}
	return j.trouble(LoginOutage, o, j.site(o).Login(j.asked(o)))
}

// trouble turns the answer about an outage into a rule. A doubted outage holds until
// faultQuiet has passed.
func (j *judgement) trouble(rule Rule, o offence, excuse health.Excuse) (Rule, uint32) {
	switch excuse {
	case health.Excused:
		return rule, 0
	case health.Doubted:
		return rule, o.at + j.k.limits.faultQuiet + 1
	}
	return NoRule, 0
}

func (j *judgement) site(o offence) *health.Site { return j.k.sites.Of(o.host) }

func (j *judgement) asked(o offence) health.Offence {
	return health.Offence{Service: o.service(), Key: j.key, At: o.at, Met: o.met(), Now: j.k.now}
}

// resolver decides about an offence that depends on DNS. A source whose mail was taken
// before had a name then, by the same rules.
func (j *judgement) resolver(o offence) (rule Rule, until uint32) {
	if j.s.mailedDays(o.at) > 0 && j.k.weighs(j.s.mailBy, o.host) {
		return Proven, 0
	}
	switch j.site(o).Resolver(j.key, o.at, j.k.now) {
	case health.Works:
		return NoRule, 0
	case health.NotYet:
		return Resolver, j.site(o).ResolverLapses()
	}
	return Resolver, 0
}

// list decides about a listing in a block list.
func (j *judgement) list(o offence) (rule Rule, until uint32) {
	if j.site(o).ListsRefused(o.at) {
		return BlockList, 0
	}
	switch j.site(o).Lists(j.key, o.at, j.k.now) {
	case health.Works:
		return NoRule, 0
	case health.NotYet:
		return BlockList, j.site(o).ListsLapse()
	}
	return BlockList, 0
}
