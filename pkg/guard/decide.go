package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"csmail/pkg/event"
)

// Decide returns the verdict on a finding; now is the time of the event that made it. A
// ban counts towards the caps, and a pending verdict is kept for [Guard.Due], so Decide
// must be called once for each finding. If too many findings wait already, the verdict is
// a final Hold.
func (g *Guard) Decide(f Finding, now time.Time) Verdict {
	g.now = max(g.now, stamp(now))
	v := g.decide(f)
	v.Pending = v.Pending && g.wait(f, v)
	return v
}

// decide returns the verdict and applies the caps.
func (g *Guard) decide(f Finding) Verdict {
	var v Verdict
	if f.Scope == event.ScopeRange {
		v = g.decideRange(f)
	} else {
		v = g.decideSources(f)
	}
	switch {
	case v.Action != Ban:
		return v
	case f.Informational || f.Scope == event.ScopeAccount:
		v.Action, v.Reason, v.Widen = Alert, v.Reason+"; for information only", netip.Prefix{}
		return v
	}
	return g.capped(f, v)
}

// decideRange checks the whole network first, because its ban hits every client inside.
func (g *Guard) decideRange(f Finding) Verdict {
	network := f.Network.Masked()
	if reason, held := g.Touches(network); held {
		return hold(NeverListed, "the network holds an address that is never banned: "+reason)
	}
	if f, ok := g.isForgiven(network); ok {
		return hold(Amnesty, fmt.Sprintf("%s was forgiven by a person until %s", f.network, clock(f.until)))
	}
	proven := 0
	for s := range g.memory.within(network) {
		if g.isProven(s.key, s, g.now) || g.now < s.amnesty || g.isOwn(s) {
			proven++
		}
	}
	if proven > 0 {
		return hold(Proven, fmt.Sprintf("the network holds %s that proved to be honest or were forgiven", count(proven, "source")))
	}
	v := g.decideSources(f)
	v.Checks = append([]string{"never banned: nothing in the network", "proven sources: none in the network"}, v.Checks...)
	return v
}

// decideSources takes out the attempts that a rule excuses, and judges the rest.
func (g *Guard) decideSources(f Finding) Verdict {
	addrs := f.Sources
	if f.Scope == event.ScopeIP || f.Scope == "" {
		addrs = []netip.Addr{f.Addr}
	}
	var t tally
	t.left, t.accounts = g.left[:0], g.accounts[:0]
	var seen map[uint64]int // place in t.parties, if the finding counts addresses; -1: none
	if len(addrs) > 1 {
		seen = make(map[uint64]int, len(addrs))
	}
	for _, addr := range addrs {
		if reason, held := g.Never(addr); held {
			if len(addrs) == 1 {
				return hold(NeverListed, "never banned: "+reason)
			}
			continue
		}
		key := keyOf(addr)
		if at, twice := seen[key]; twice {
			t.addToParty(at, addr)
			continue
		}
		s, place := g.memory.find(key), len(t.parties)
		if s == nil {
			place = -1
		}
		if seen != nil {
			seen[key] = place
		}
		if s == nil {
			continue
		}
		if g.isOwn(s) && f.Scope != event.ScopeAccount {
			return hold(NeverListed, "never banned: Dovecot names it as the address of its own host")
		}
		if g.now < s.amnesty && f.Scope != event.ScopeAccount {
			return hold(Amnesty, "forgiven by a person until "+clock(s.amnesty))
		}
		left, open := len(t.left), len(t.open)
		g.weigh(&f, s, &t)
		if f.Addresses {
			t.addParty(addr, left, open)
		}
	}
	v := g.sum(f, &t)
	g.left, g.accounts = t.left, t.accounts
	return v
}

// sum turns the counted and the excused attempts into a verdict.
func (g *Guard) sum(f Finding, t *tally) Verdict {
	v := Verdict{Checks: t.checks(g)}
	if t.total() == 0 {
		return nothingKnown(f, v)
	}
	if !t.reaches(f) {
		v.Action, v.Rule = Hold, t.dominant()
		v.Counted, v.Values = t.attempts(f.Needed), t.values(&f, true)
		v.Pending = t.notYet > 0 && t.counted+t.notYet >= min(f.Needed, t.total())
		v.wait = t.wait
		v.Reason = t.shortfall(f) + ": " + t.reason(v.Rule, g)
		return v
	}
	if f.Scope == event.ScopeIP || f.Scope == "" {
		if rule, until, reason := g.patience(f, t); rule != NoRule {
			v.Action, v.Rule, v.Reason, v.Pending, v.wait = Hold, rule, reason, true, wait{until: until}
			return v
		}
		v.Widen = g.widen(f.Addr)
	}
	if s := g.sharedAmong(f); s != nil {
		return hold(SharedAddress, fmt.Sprintf("%s log in from here, since %s: a ban would lock them out. If it is a webmail or a gateway, add it to guard.relays",
			count(g.usersAt(s, g.now), "account"), date(s.shared)))
	}
	if v, ok := g.isRoaming(f, t); ok {
		return v
	}
	v.Action, v.Proof = Ban, t.proof
	v.basis = basis{t.guesses, t.counted - t.guesses, distinct(t.accounts, manyAccounts)}
	v.Reason = strconv.Itoa(t.counted) + " attempts count, " + strconv.Itoa(f.Needed) + " are enough"
	if f.Distinct {
		v.Reason = fmt.Sprintf("%d accounts count, %d are enough", distinctNames(t.accounts, len(t.accounts)), f.Needed)
	}
	return v
}

// nothingKnown answers for a finding of which the guard has no offences. It holds it,
// because it cannot check whether a rule excuses them.
func nothingKnown(f Finding, v Verdict) Verdict {
	if f.Informational || f.Scope == event.ScopeAccount {
		v.Action, v.Reason = Ban, "nothing speaks against it" // becomes an alert
		return v
	}
	v.Action, v.Rule, v.Reason = Hold, Forgotten, "nothing is known any more of what it did"
	return v
}

// patience delays a ban while the source may still turn out to be a person, who mistypes
// a password or is about to log in for the first time.
func (k *knowledge) patience(f Finding, t *tally) (rule Rule, until uint32, reason string) {
	until = t.last + k.limits.typingTime
	if t.isTyping(k.limits.typing) && k.now < until {
		return Typing, until, fmt.Sprintf("%s on one account: waiting until %s for the right password",
			count(t.guesses, "failed login"), clock(until))
	}
	s := k.memory.find(keyOf(f.Addr))
	if s == nil || t.hostile {
		return NoRule, 0, ""
	}
	if until = s.contact + k.limits.firstContact; k.now < until {
		return FirstContact, until, "first seen just now, doing what honest hosts do too: waiting until " + clock(until) + " for a login"
	}
	return NoRule, 0, ""
}

// widen returns the /64 of an IPv6 address, unless part of it is never banned.
func (k *knowledge) widen(addr netip.Addr) netip.Prefix {
	if !addr.Is6() || addr.Is4In6() {
		return netip.Prefix{}
	}
	network := netip.PrefixFrom(addr, 64).Masked()
	if _, held := k.Touches(network); held {
		return netip.Prefix{}
	}
	return network
}

// proof returns why a source is proven at a time, "" if it is not.
func (k *knowledge) proof(key uint64, s *source, at uint32) string {
	switch {
	case s != nil && isWithin(s.login, at, k.limits.login):
		return "it logged in on " + date(s.login)
	case s != nil && s.mailedDays(at) >= k.limits.mailDays:
		return fmt.Sprintf("its mail was taken on %d of the last 30 days", s.mailedDays(at))
	case s != nil && isWithin(s.provider, at, 30*day):
		return "it has a name of guard.provider_names"
	case k.evicted.strengthAt(key, at) > noProof:
		return "it was proven before the guard had to forget it"
	}
	return ""
}

// isProven reports whether proof has a reason.
func (k *knowledge) isProven(key uint64, s *source, at uint32) bool {
	return s != nil && (isWithin(s.login, at, k.limits.login) || s.mailedDays(at) >= k.limits.mailDays ||
		isWithin(s.provider, at, 30*day)) || k.evicted.strengthAt(key, at) > noProof
}

// hold returns a Hold for one reason.
func hold(rule Rule, reason string) Verdict {
	return Verdict{Action: Hold, Rule: rule, Reason: reason, Checks: []string{reason}}
}

func clock(at uint32) string { return time.Unix(int64(at), 0).UTC().Format("2006-01-02 15:04:05 UTC") }
func date(at uint32) string  { return time.Unix(int64(at), 0).UTC().Format(time.DateOnly) }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// mostIn returns the largest number of attempts within any stretch of so many seconds. It
// sorts the offences by time.
func mostIn(offences []offence, stretch uint32) int {
	inOrder(offences)
	most, sum, from := 0, 0, 0
	for _, o := range offences {
		sum += int(o.n)
		for offences[from].at+stretch <= o.at {
			sum -= int(offences[from].n)
			from++
		}
		most = max(most, sum)
	}
	return most
}

// inOrder sorts by time. Offences are mostly in order already.
func inOrder(offences []offence) {
	for i := 1; i < len(offences); i++ {
		if offences[i].at < offences[i-1].at {
			slices.SortStableFunc(offences, func(a, b offence) int { return int(int64(a.at) - int64(b.at)) })
			return
		}
	}
}
