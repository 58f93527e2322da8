package guard

import (
	"net/netip"
	"time"

	"csmail/pkg/event"
)

// Kinds is a set of event kinds. The zero set is that of every hostile and suspect kind.
type Kinds event.KindSet

// Has reports whether the set holds a kind.
func (s Kinds) Has(k event.Kind) bool {
	if s == 0 {
		return k.Class() == event.Hostile || k.Class() == event.Suspect
	}
	return event.KindSet(s).Has(k)
}

// Finding is an overflow of a scenario's bucket, with all that the guard must know about
// the scenario to check it.
type Finding struct {
	Scenario string
	Scope    event.Scope
	Addr     netip.Addr   // of ScopeIP
	Network  netip.Prefix // of ScopeRange
	Account  string       // of ScopeAccount
	Sources  []netip.Addr // of ScopeRange and ScopeAccount: the addresses that took part

	Kinds  Kinds // that the scenario counts
	Needed int   // number that makes a finding: capacity + 1, or the distinct count
	// Distinct reports whether Needed counts accounts, not attempts.
	Distinct bool
	// Addresses reports whether Needed counts addresses, not attempts.
	Addresses bool
	// Leak is the leakspeed of a leaky bucket; 0 if nothing leaks. Without the excused
	// attempts the rest must still overflow the bucket.
	Leak time.Duration

	First, Last time.Time // of the first and the last event that counted

	// Informational findings become alerts and never bans.
	Informational bool
}

// Rule is the reason of a verdict (docs/safety.md).
type Rule uint8

// The rules.
const (
	NoRule        Rule = iota // no reason against a ban
	NeverListed               // an address that is never banned
	Amnesty                   // a person has granted amnesty to the source
	Proven                    // a proven source, for kinds that honest hosts cause too
	MailTaken                 // most of its mail was taken on the same day
	Stale                     // a stale or mistyped password
	Typing                    // one account and few failures: wait for the right password
	FirstContact              // first seen just now: wait for a login
	LoginOutage               // the login service is in trouble
	Resolver                  // the resolver is not known to work
	BlockList                 // the block lists are not known to work
	UserDatabase              // the tables of recipients are in trouble
	EmptyVisits               // connections that asked for nothing
	SharedAddress             // many users log in from the address
	TooManyBans               // the cap on bans an hour
	TooManyGood               // the cap on bans of a day's successful clients
	Forgotten                 // the offences were dropped, or a proof may have been
	ruleCount
)

var ruleNames = [ruleCount]string{
	"none", "never", "amnesty", "proven", "mail-taken", "stale-password", "typing", "first-contact", "login-outage", "resolver",
	"block-list", "user-database", "empty-visits", "shared-address", "bans-per-hour", "successful-clients", "forgotten",
}

// String returns the rule's name, as in JSON, metrics and docs/safety.md.
func (r Rule) String() string { return ruleNames[r] }

// MarshalText writes the name.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Attempt is an attempt of a finding.
type Attempt struct {
	Kind    event.Kind
	Service event.Service
}

// Value is an account or an address that a finding counts once, however many attempts
// there are with it.
type Value struct {
	Account event.AccountHash // zero: the address counts
	Addr    netip.Addr        // zero: the account counts
	First   Attempt
	At      time.Time // of the first attempt, to the second
}

// Verdict is the answer to a finding, with its reason in words for a person.
type Verdict struct {
	Action Action
	Rule   Rule
	Reason string

	// Checks are the results of the rules, a line each. No line names a user.
	Checks []string

	// Proof is why the source of a Ban is known to be honest all the same, for example that it
	// logged in before; "" if it is not known.
	Proof string

	// Widen is the /64 to ban instead of a single IPv6 address, or the zero Prefix.
	Widen netip.Prefix

	// Pending reports whether a Hold waits for evidence. [Guard.Due] returns the final
	// verdict.
	Pending bool

	// Counted are the attempts that count, or may yet, of a Hold because they are too few,
	// the oldest first: their kinds and services, at most as many as are needed.
	Counted []Attempt

	// Values are the accounts or addresses of these attempts, if Needed counts those: each
	// with its first attempt, the oldest first. A guard remembers a bounded number of them.
	Values []Value

	wait  wait  // evidence and time that a pending one waits for
	basis basis // of a ban: the attempts that count
}
