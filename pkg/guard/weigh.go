package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	n := 0
	for i, a := range accounts {
		if n >= most {
			break
		}
		if !slices.Contains(accounts[:i], a) {
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
		return distinct(t.accounts, needed) >= needed
	}
	if t.counted+t.lost*t.counted/seen < needed {
		return false
	}
	return f.Leak <= 0 || seen < f.Needed || t.counted == seen || t.overflows(f)
}

// shortfall describes how much is missing for a ban. Without the excused attempts the
// rest may be enough in number, but spread over too long a time.
func (t *tally) shortfall(f Finding) string {
	if f.Distinct && len(t.accounts) > 0 {
		return fmt.Sprintf("%s count, %d are needed", count(distinct(t.accounts, len(t.accounts)), "account"), f.Needed)
	}
	text := strconv.Itoa(t.counted) + " of " + strconv.Itoa(t.total()) + " attempts count, " + strconv.Itoa(f.Needed) + " are needed"
	if t.counted >= f.Needed {
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

// ruleWords describe the results of the rules, for a person.
var ruleWords = [ruleCount]string{
	Proven:       "a source that proved itself may do this",
	MailTaken:    "more of its mail was taken on these days than was refused",
	Stale:        "a stale or mistyped password",
	LoginOutage:  "our login service had trouble",
	Resolver:     "our resolver is not known to have worked",
	BlockList:    "our block lists are not known to have worked",
	UserDatabase: "our tables of recipients had trouble",
	EmptyVisits:  "connections that asked for nothing",
}

// reason returns the reason of a verdict by a rule.
func (t *tally) reason(rule Rule, g *Guard) string {
	switch {
	case rule == Proven && t.proof != "":
		return t.proof + ", and honest hosts do this too"
	case rule == Resolver:
		return fmt.Sprintf("no other client with a verified name connected within %s before and after",
			time.Duration(t.gap[rule])*time.Second)
	case rule == BlockList:
		return fmt.Sprintf("no mail of others was taken within %s before and after", time.Duration(t.gap[rule])*time.Second)
	}
	return ruleWords[rule]
}

// checks returns the lines of Verdict.Checks: one for each rule that excused something,
// and one for all others.
func (t *tally) checks(g *Guard) []string {
	if g.mute {
		return nil
	}
	proof := "proof: none"
	if t.proof != "" {
		proof = "proof: " + t.proof
	}
	all := append(make([]string, 0, 8), "never banned: no", "amnesty: none", proof)
	idle := g.idle
	for rule, n := range t.excused {
		if n > 0 {
			all = append(all, ruleName(Rule(rule))+": "+count(n, "attempt")+" excused ("+ruleWords[rule]+")")
			idle = ""
		}
	}
	if idle == "" {
		idle = idleRules(&t.excused)
	}
	return append(all, idle, "counts: "+count(t.counted, "attempt"))
}

// idleRules returns the line for the rules that excused nothing.
func idleRules(excused *[ruleCount]int) string {
	var names []string
	for rule := Proven; rule <= EmptyVisits; rule++ {
		if ruleWords[rule] != "" && excused[rule] == 0 {
			names = append(names, ruleName(rule))
		}
	}
	return "excused nothing: " + strings.Join(names, ", ")
}

func ruleName(rule Rule) string { return strings.ReplaceAll(rule.String(), "-", " ") }
