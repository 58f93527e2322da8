package guard

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// isProtocol reports whether a hostile kind is about the client's way to speak SMTP or
// its requests, not about a password. Mail programs and misconfigured hosts cause all
// such kinds, so the source decides, not only the kind.
func isProtocol(k event.Kind) bool { return k.Class() == event.Hostile && k != event.AuthFailed }

// isOfMailPrograms reports whether a mail program may cause the kind in the session in
// which it logs in, or just before it. For example, it says EHLO with the PC's name,
// speaks TLS where STARTTLS is expected, or sends mail before it has logged in.
func isOfMailPrograms(k event.Kind) bool {
	switch k {
	case event.Pipelining, event.NonSMTP, event.HeloRejected, event.AccessDenied, event.RelayDenied:
		return true
	}
	return false
}

// mostSlips is the number of such offences that a new client may have before its first
// login.
const mostSlips = 2

// isSuspicion reports whether the offence does not count against a proven source.
func (o offence) isSuspicion() bool {
	return o.kind.Class() == event.Suspect || o.area() != loginArea && isProtocol(o.kind)
}

// isOfMail reports whether the offence is about mail that the client wanted to bring.
func (o offence) isOfMail() bool {
	return o.area() != loginArea && o.area() != visitArea && o.service() != event.SSHD
}

// isProvenFor reports whether the source is proven with respect to an offence: mail that
// was taken is no proof for logins.
func (j *judgement) isProvenFor(o offence) bool {
	k, s, strength := j.k, j.s, j.k.evicted.strengthAt(j.key, o.at)
	hasLoggedIn := s != nil && isWithin(j.sourceLogin(o), o.at, k.limits.login)
	if o.area() == loginArea {
		return hasLoggedIn || strength >= loginProof
	}
	return hasLoggedIn || strength > noProof ||
		s != nil && (s.mailedDays(o.at) >= k.limits.mailDays && k.weighs(s.mailBy, o.host) || isWithin(s.provider, o.at, 30*day) && k.weighs(s.providerBy, o.host))
}

// wasMostlyTaken reports whether more of the source's mail was taken than refused on the
// day of at and the days beside it, since a day may end between the two. It is a proof of
// a provider from its first day on, even if a few of its customers send spam.
func (j *judgement) wasMostlyTaken(at uint32) bool {
	today := at / day
	if j.mailDay == today+1 {
		return j.mostlyTaken
	}
	taken := j.s.takenAround(today)
	refused, early := j.refusedAround(today)
	j.mailDay, j.mostlyTaken = today+1, taken > refused && taken >= refused+early
	return j.mostlyTaken
}

// takenAround returns the number of mails taken on a day and the days beside it.
func (s *source) takenAround(today uint32) int {
	taken := 0
	if isNextTo(s.mailDay, today) {
		taken += int(s.mails)
	}
	if s.mailDay > 0 && isNextTo(s.mailDay-1, today) {
		taken += int(s.mailsBefore)
	}
	return taken
}

// refusedAround returns the number of refusals of mail on a day and the days beside it, and
// the number of sessions with commands that came too early. These may have been taken all
// the same: by default Postfix only logs them. Dropped offences count as refusals.
func (j *judgement) refusedAround(today uint32) (refused, early int) {
	for _, o := range j.offences {
		switch {
		case !o.isOfMail() || o.hasPassed() || !isNextTo(o.at/day, today):
		case o.kind == event.Pipelining:
			early += int(o.n)
		default:
			refused += int(o.n)
		}
	}
	if j.s.lost > 0 && isNextTo(j.s.lostAt/day, today) {
		refused += int(j.s.lost)
	}
	return refused, early
}

// isNextTo reports whether two days are the same or follow one another.
func isNextTo(a, b uint32) bool { return a <= b+1 && b <= a+1 }

// heavyGuessing is the number of failures within a day from which on a login is no proof
// of innocence, because a person who mistypes has found the right password by then.
const heavyGuessing = 11

// Guesses are the wrong passwords of a source before a login that may be a break-in.
type Guesses struct {
	N     int       // 0: the login is no break-in
	First time.Time // time of the first of them
}

// Guessed returns the guesses before the login that was observed last, if it may be a
// break-in.
func (g *Guard) Guessed() Guesses { return g.guessed }

// breakIn returns the guesses before a login, if they are so many within a day that one
// of them may have been right. An account that logged in from here before is no guess.
// Behind an address with logins of others only failures on the account itself are
// guesses. Failures during an outage do not count.
func (k *knowledge) breakIn(s *source, name event.AccountHash, at uint32) Guesses {
	shared := isWithin(s.login, at, k.limits.login)
	accounts := k.memory.accountsIn(s.accounts)
	if isWithin(latest(accounts, name), at, k.limits.login) || shared && (name.IsZero() || s.crowded) {
		return Guesses{}
	}
	guesses, first, j := 0, at, &judgement{k: k, key: s.key, s: s}
	offences := k.memory.offencesOf(s)
	for i, o := range offences {
		switch {
		case o.kind != event.AuthFailed || !isWithin(o.at, at, day):
		case shared && !o.account.Is(name), latest(accounts, o.account) != 0:
		case j.site(o).Login(j.asked(o)) != health.NoExcuse:
		default:
			guesses += int(o.n) - repeats(offences, i)
			first = min(first, o.at)
		}
	}
	if guesses < heavyGuessing {
		return Guesses{}
	}
	return Guesses{guesses, moment(first)}
}
