package guard

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// tally adds up the attempts of a finding: those that count, and for each rule those that
// it excuses.
type tally struct {
	counted  int                 // attempts that count
	guesses  int                 // of these, the ones at the login service
	failed   int                 // of these, failed logins
	others   int                 // hostile attempts elsewhere
	lost     int                 // attempts of dropped offences
	slips    int                 // hostile attempts
	hostile  bool                // there are more of them than a mail program causes before it logs in
	accounts []event.AccountHash // accounts of the guesses that count, one entry for each guess
	last     uint32              // time of the last attempt that counts
	notYet   int                 // attempts that are excused only until there is evidence
	wait     wait                // the evidence that these wait for
	gap      [ruleCount]uint32   // for Resolver and BlockList: the longest gap without evidence, in seconds, that counts as usual
	excused  [ruleCount]int
	proof    string
	parties  []party   // the addresses, if the finding counts addresses
	left     []offence // offences that count
	open     []offence // that are excused only until there is evidence
}

// total returns all attempts, counted and excused.
func (t *tally) total() int {
	n := t.counted
	for _, excused := range t.excused {
		n += excused
	}
	return n
}

// weigh adds the offences of one source that the scenario counts.
func (k *knowledge) weigh(f *Finding, s *source, t *tally) {
	j := k.judgement(s)
	from, to := stamp(f.First), stamp(f.Last)
	if f.Last.IsZero() {
		to = k.now
	}
	if s.lost > 0 && s.lostAt >= from {
		t.lost += int(s.lost)
	}
	wanted := k.key.Account(f.Account)
	visits := 0
	for i, o := range j.offences {
		if o.at < from || o.at > to || !f.Kinds.Has(o.kind) || f.Account != "" && !o.account.Is(wanted) {
			continue
		}
		rule, until := j.excuse(o)
		switch {
		case rule == EmptyVisits:
			visits += int(o.n)
			t.left = append(t.left, o)
		case rule != NoRule:
			t.excused[rule] += int(o.n)
			if until != 0 {
				t.awaits(o, until)
			}
			t.noteGap(rule, j.site(o))
		default:
			again := repeats(j.offences, i)
			t.excused[Stale] += again
			if o.n -= uint16(again); o.n > 0 {
				t.count(o)
			}
		}
	}
	// Empty visits count only together with other offences.
	if visits > 0 && t.counted == 0 {
		t.excused[EmptyVisits] += visits
		t.left = slices.DeleteFunc(t.left, func(o offence) bool { return o.area() == visitArea })
	} else {
		t.counted += visits
	}
	if t.proof == "" {
		t.proof = j.proof
	}
}

// awaits adds an offence that may yet count, and the time until which it may.
func (t *tally) awaits(o offence, until uint32) {
	if t.notYet == 0 {
		t.wait.until = until
	}
	t.notYet += int(o.n)
	t.open = append(t.open, o)
	t.wait.until = min(t.wait.until, until)
	switch o.area() {
	case loginArea:
		t.wait.wants |= ofLogins
	case resolverArea:
		t.wait.wants |= ofResolver
	case recipientArea:
		t.wait.wants |= ofTables
	default:
		t.wait.wants |= ofLists
	}
}

// noteGap notes the longest gap without evidence that a rule accepts.
func (t *tally) noteGap(rule Rule, site *health.Site) {
	switch rule {
	case Resolver:
		t.gap[rule] = max(t.gap[rule], site.ResolverGap())
	case BlockList:
		t.gap[rule] = max(t.gap[rule], site.ListGap())
	}
}

// distinct returns the number of different accounts, at most most.
func distinct(accounts []event.AccountHash, most int) int {
	return different(accounts, most, func(a, b event.AccountHash) bool { return a == b })
}

// distinctNames does what distinct does, where the forms of a name (bob, bob@example.org)
// are one.
func distinctNames(accounts []event.AccountHash, most int) int {
	return different(accounts, most, func(a, b event.AccountHash) bool { return a.Name == b.Name })
}

func different(accounts []event.AccountHash, most int, same func(a, b event.AccountHash) bool) int {
	n := 0
	for i, a := range accounts {
		if n >= most {
			break
		}
		if !slices.ContainsFunc(accounts[:i], func(b event.AccountHash) bool { return same(a, b) }) {
			n++
		}
	}
	return n
}

// count adds an offence that counts.
func (t *tally) count(o offence) {
	t.counted += int(o.n)
	t.last = max(t.last, o.at)
	if o.kind.Class() == event.Hostile {
		t.slips += int(o.n)
		t.hostile = t.hostile || t.slips > mostSlips || !isOfMailPrograms(o.kind)
	}
	t.left = append(t.left, o)
	if o.area() != loginArea {
		if o.kind.Class() == event.Hostile {
			t.others += int(o.n)
		}
		return
	}
	t.guesses += int(o.n)
	if o.kind == event.AuthFailed {
		t.failed += int(o.n)
	}
	if !o.account.IsZero() {
		t.accounts = append(t.accounts, o.account)
	}
}

// isTyping reports whether the attempts may be those of a person who mistypes the
// password of one account, with the connections that were lost or cut over it.
func (t *tally) isTyping(most int) bool {
	return t.guesses > 0 && t.others == 0 && t.failed <= most && t.guesses <= 3*most && isOneAccount(t.accounts)
}

// isOneAccount reports whether all names may be of one account. For example, a mail
// program that is being set up tries bob@example.org and bob by turns.
func isOneAccount(accounts []event.AccountHash) bool {
	for i, a := range accounts {
		for _, b := range accounts[:i] {
			if !a.Is(b) {
				return false
			}
		}
	}
	return true
}

// reaches reports whether the attempts that count would still have made the finding.
// Dropped attempts are assumed to count in the same proportion. If nothing was excused,
// the scenario's own count decides: a finding about a network names only the sources that
// were in the bucket when it overflowed.
func (t *tally) reaches(f Finding) bool {
	seen := t.total()
	if t.counted == 0 || seen == 0 {
		return false
	}
	needed := min(f.Needed, seen+t.lost)
	if f.Distinct && len(t.accounts) > 0 {
		return distinctNames(t.accounts, needed) >= needed && (t.counted == seen || t.valuesOverflow(&f, needed))
	}
	if f.Addresses && t.counted != seen {
		return t.valuesOverflow(&f, needed)
	}
	if t.counted+t.lost*t.counted/seen < needed {
		return false
	}
	return f.Leak <= 0 || seen < f.Needed || t.counted == seen || t.overflows(f)
}

// shortfall describes how much is missing for a ban. Without the excused attempts the
// rest may be enough in number, but spread over too long a time.
func (t *tally) shortfall(f Finding) string {
	counted, text := t.counted, ""
	switch {
	case f.Distinct && len(t.accounts) > 0:
		counted = distinctNames(t.accounts, len(t.accounts))
		text = fmt.Sprintf("%s count, %d are needed", count(counted, "account"), f.Needed)
	case f.Addresses:
		counted = len(t.values(&f, false))
		text = fmt.Sprintf("%d of %d attempts count, from %s, %d are needed", t.counted, t.total(), addresses(counted), f.Needed)
	default:
		text = strconv.Itoa(t.counted) + " of " + strconv.Itoa(t.total()) + " attempts count, " + strconv.Itoa(f.Needed) + " are needed"
	}
	if counted >= f.Needed {
		text += " within a shorter time"
	}
	return text
}

// overflows pours the attempts that count into the finding's bucket again. Times are
// whole seconds here, so it accepts two seconds more.
func (t *tally) overflows(f Finding) bool {
	inOrder(t.left)
	var level time.Duration
	var before uint32
	for _, o := range t.left {
		if before != 0 {
			level = max(0, level-time.Duration(o.at-before)*time.Second)
		}
		level += time.Duration(min(o.n, 1000)) * f.Leak
		before = o.at
		if level+2*time.Second > time.Duration(f.Needed-1)*f.Leak {
			return true
		}
	}
	return false
}

// attempts returns the newest attempts that count or may yet, at most so many.
func (t *tally) attempts(most int) []Attempt {
	if t.counted+t.notYet == 0 {
		return nil
	}
	all := append(t.left, t.open...)
	inOrder(all)
	list := make([]Attempt, 0, min(t.counted+t.notYet, most))
	for _, o := range slices.Backward(all) {
		for range min(int(o.n), most-len(list)) {
			list = append(list, Attempt{o.kind, o.service()})
		}
	}
	slices.Reverse(list)
	return list
}

// dominant returns the rule that excuses most attempts.
func (t *tally) dominant() Rule {
	best := NoRule
	for rule, n := range t.excused {
		if n > t.excused[best] {
			best = Rule(rule)
		}
	}
	return best
}
