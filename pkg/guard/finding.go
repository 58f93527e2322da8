package guard

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// Kinds is a set of event kinds. The zero set stands for every hostile and
// suspect kind.
type Kinds event.KindSet

// Has tells whether the set holds a kind.
func (s Kinds) Has(k event.Kind) bool {
	if s == 0 {
		return k.Class() == event.Hostile || k.Class() == event.Suspect
	}
	return event.KindSet(s).Has(k)
}

// Finding is what a scenario has against somebody when its bucket overflows.
type Finding struct {
	Scenario string
	Scope    event.Scope
	Addr     netip.Addr   // of ScopeIP
	Network  netip.Prefix // of ScopeRange
	Account  string       // of ScopeAccount
	Sources  []netip.Addr // who took part, of ScopeRange and ScopeAccount

	Kinds  Kinds // what the scenario counts
	Needed int   // how much of it makes a finding: capacity + 1, or the distinct count
	// Distinct says that Needed counts accounts and not attempts.
	Distinct bool
	// Leak is the leakspeed of a leaky bucket: what is left when the excused
	// attempts are taken out must still overflow it. Zero: nothing leaks.
	Leak time.Duration

	First, Last time.Time // of the first and the last event that counted

	// Informational findings tell a person and ban nobody.
	Informational bool
}

// Rule names why a verdict is what it is.
type Rule uint8

// The rules.
const (
	NoRule       Rule = iota // nothing speaks against a ban
	NeverListed              // an address that is never banned
	Amnesty                  // a person has forgiven the source
	Proven                   // a source that proved itself does what honest hosts do too
	MailTaken                // most of its mail was taken on the same day
	Stale                    // a stale or mistyped password
	Typing                   // may be somebody who mistypes: wait for the right password
	FirstContact             // first seen just now: wait for a login
	LoginOutage              // our login service is in trouble
	Resolver                 // our resolver is not known to work
	BlockList                // our block lists are not known to work
	UserDatabase             // our tables of recipients are in trouble
	EmptyVisits              // connections that asked for nothing
	TooManyBans              // the cap on bans an hour
	TooManyGood              // the cap on bans of a day's successful clients
	Forgotten                // the guard had to forget what spoke for the source
	ruleCount
)

var ruleNames = [ruleCount]string{
	"none", "never", "amnesty", "proven", "mail-taken", "stale-password", "typing", "first-contact", "login-outage", "resolver",
	"block-list", "user-database", "empty-visits", "bans-per-hour", "successful-clients", "forgotten",
}

// String returns the rule's name, for JSON, metrics and docs/safety.md.
func (r Rule) String() string { return ruleNames[r] }

// MarshalText writes the name.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Verdict is what may be done about a finding, with its reason in words for a
// person.
type Verdict struct {
	Action Action
	Rule   Rule
	Reason string

	// Checks says of each rule that was looked at what it found. No check names a
	// user.
	Checks []string

	// Widen is the /64 to ban instead of a single IPv6 address; else the zero
	// Prefix.
	Widen netip.Prefix

	// Pending says that a Hold waits for evidence: [Guard.Due] will give the final
	// word.
	Pending bool

	wait  wait  // of a pending one
	basis basis // of a ban
}
