package guard

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// isProtocol reports whether a hostile kind is about how a client speaks or what it
// asks for, and not a guess at a password. Mail programs and hosts that are set up
// wrongly do all of it: who did it decides, and not only what was done.
func isProtocol(k event.Kind) bool { return k.Class() == event.Hostile && k != event.AuthFailed }

// isOfMailPrograms reports whether a mail program may do this in the session, or
// just before the session, in which it logs in: with a PC's name as HELO, TLS where
// STARTTLS is wanted, mail sent before it has logged in.
func isOfMailPrograms(k event.Kind) bool {
	switch k {
	case event.Pipelining, event.NonSMTP, event.HeloRejected, event.AccessDenied, event.RelayDenied:
		return true
	}
	return false
}

// mostSlips is how many offences of a mail program a newcomer may have who is about
// to log in for the first time.
const mostSlips = 2

// isSuspicion reports whether an offence says nothing against a source that proved
// itself.
func (o offence) isSuspicion() bool {
	return o.kind.Class() == event.Suspect || o.area() != loginArea && isProtocol(o.kind)
}

// isOfMail reports whether an offence is about mail that a client wanted to bring.
func (o offence) isOfMail() bool {
	return o.area() != loginArea && o.area() != visitArea && o.service() != event.SSHD
}

// isProvenFor reports whether the source is proven as far as an offence is concerned:
// mail that was taken says nothing about whose passwords a client knows.
func (j *judgement) isProvenFor(o offence) bool {
	if o.area() == loginArea {
		return j.k.hasLoggedIn(j.key, j.s, o.at)
	}
	return j.k.isProven(j.key, j.s, o.at)
}

// hasLoggedIn reports whether a source is proven by a login.
func (k *knowledge) hasLoggedIn(key uint64, s *source, at uint32) bool {
	return s != nil && isWithin(s.login, at, k.limits.login) || k.evicted.strengthAt(key, at) >= loginProof
}

// wasMostlyTaken reports whether more of the source's mail was taken than refused on
// the day of at and the days beside it: a day may end between the two. It speaks for
// a provider of which a few customers send spam, from its first day on.
func (j *judgement) wasMostlyTaken(at uint32) bool {
	today := at / day
	if j.mailDay == today+1 {
		return j.mostlyTaken
	}
	taken := j.s.takenAround(today)
	j.mailDay, j.mostlyTaken = today+1, taken > 0 && taken > j.refusedAround(today)
	return j.mostlyTaken
}

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

// refusedAround counts what the source's mail was refused for, and whatever there was
// no more room for.
func (j *judgement) refusedAround(today uint32) int {
	refused := 0
	for _, o := range j.offences {
		if o.isOfMail() && isNextTo(o.at/day, today) {
			refused += int(o.n)
		}
	}
	if j.s.lost > 0 && isNextTo(j.s.lostAt/day, today) {
		refused += int(j.s.lost)
	}
	return refused
}

func isNextTo(a, b uint32) bool { return a <= b+1 && b <= a+1 }

// heavyGuessing is from how many failures within a day on a login is no proof of
// innocence. Who mistypes has found the right password by then.
const heavyGuessing = 11

// Guesses are the wrong passwords of a source before a login that may be a break-in.
type Guesses struct {
	N     int       // 0: the login is none
	First time.Time // of them
}

// Guessed returns what came before the login that was observed last, if that login may
// be a break-in. It is the one rule for it.
func (g *Guard) Guessed() Guesses { return g.guessed }

// breakIn returns the guesses on which a login follows, if they are so many, within
// a day, that it may be one of them that was right; else none. An account that logged in there
// before is no guess; behind an address where others logged in, only the failures on
// the account itself are. What our own trouble excuses does not count.
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
