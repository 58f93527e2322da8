package guard

import (
	"fmt"
	"slices"

	"csmail/pkg/event"
)

// goodClients counts the clients that logged in or brought mail on a day, and the bans of
// such clients. A ban that hits many of them is more likely a mistake than a botnet.
type goodClients struct {
	today          uint32 // days since 1970
	count0, count1 int    // today and yesterday
	banned         int    // clients banned today
}

// roll begins a day.
func (c *goodClients) roll(today uint32) {
	if today <= c.today {
		return
	}
	c.count1 = c.count0
	if today > c.today+1 {
		c.count1 = 0
	}
	c.today, c.count0, c.banned = today, 0, 0
}

// count adds a client that got in at a time.
func (c *goodClients) count(s *source, at uint32) {
	today := at / day
	c.roll(today)
	if s.goodDay < today && today == c.today {
		s.goodDay = today
		c.count0++
	}
}

// isGood reports whether a source got in today or yesterday.
func (c *goodClients) isGood(s *source) bool { return s.goodDay != 0 && s.goodDay+1 >= c.today }

// caps bound how many sources are banned, so that a mistake of ours hits few.
type caps struct {
	knowledge
	good   goodClients
	bans   [60]uint16 // a minute each
	banned uint32     // the minute of the latest ban
}

// capped holds a ban beyond the caps, and counts any other. Several findings about one
// source within an hour are one ban.
func (c *caps) capped(f Finding, v Verdict) Verdict {
	c.rollBans()
	s := c.banOf(f)
	if s != nil && isWithin(s.banned, c.now, hour) {
		return v
	}
	if c.bansWithinHour() >= c.limits.bans {
		v.Action, v.Rule = Hold, TooManyBans
		v.Reason = fmt.Sprintf("%d bans within the hour are the cap", c.limits.bans)
		return v
	}
	c.good.roll(c.now / day)
	hit := c.goodHit(f, v.basis)
	clients := max(c.good.count0, c.good.count1)
	allowed := max(1, clients*c.limits.share/100)
	if hit > 0 && c.good.banned+hit > allowed {
		v.Action, v.Rule = Hold, TooManyGood
		v.Reason = fmt.Sprintf("%d of %d clients that got in today would be banned, %d are the cap", c.good.banned+hit, clients, allowed)
		return v
	}
	c.good.banned += hit
	c.bans[c.banned%60]++
	if s != nil {
		s.banned = c.now
	}
	return v
}

// banOf returns the source that a finding would ban, nil if it is a network.
func (c *caps) banOf(f Finding) *source {
	if f.Scope == event.ScopeRange {
		return nil
	}
	return c.memory.find(keyOf(f.Addr))
}

func (c *caps) bansWithinHour() int {
	total := 0
	for _, n := range c.bans {
		total += int(n)
	}
	return total
}

// basis describes the attempts that count for a ban.
type basis struct {
	guesses  int // failed logins and their consequences, for example a connection cut after AUTH
	others   int // all other attempts
	accounts int // accounts that were tried, up to manyAccounts
}

// manyAccounts is the number of strange accounts from which on a client is taken to guess
// other people's passwords. Users of one client that fail at once because of a mistake of
// the mail server fail on no more accounts than they have.
const manyAccounts = 3

// isGuessing reports whether all that counts is guesses at other people's accounts. The
// cap holds bans that may be due to a mistake of the mail server, and such guesses are
// not.
func (b basis) isGuessing() bool { return b.others == 0 && b.accounts >= manyAccounts }

// goodHit counts the day's successful clients that a ban would hit for the first time on
// that day. If the ban is for guesses at passwords, only clients that logged in count:
// mail that was taken from a client says nothing about its logins.
func (c *caps) goodHit(f Finding, b basis) int {
	isGood := c.good.isGood
	if b.guesses > 0 && b.others == 0 {
		isGood = func(s *source) bool { return c.good.isGood(s) && s.login != 0 && s.login/day+1 >= c.good.today }
	}
	if f.Scope != event.ScopeRange {
		s := c.banOf(f)
		if s != nil && isGood(s) && !b.isGuessing() && (s.banned == 0 || s.banned/day != c.now/day) {
			return 1
		}
		return 0
	}
	hit := 0
	for s := range c.memory.within(f.Network) {
		if isGood(s) || c.good.isGood(s) && !hasGuessed(c.memory.offencesOf(s)) {
			hit++
		}
	}
	return hit
}

// hasGuessed reports whether a failed login is among the offences of a source.
func hasGuessed(offences []offence) bool {
	return slices.ContainsFunc(offences, func(o offence) bool { return o.kind == event.AuthFailed })
}

func (c *caps) rollBans() {
	current := c.now / minute
	if current <= c.banned {
		return
	}
	for m := c.banned + 1; m <= current && m <= c.banned+60; m++ {
		c.bans[m%60] = 0
	}
	c.banned = current
}
