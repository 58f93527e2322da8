package guard

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// Guard watches the events and answers for findings. Use it from one goroutine
// at a time: its answers depend on the order of what it was told, and on nothing
// else.
type Guard struct {
	never    []rule
	matcher  matcher // of never, for every connection
	limits   limits
	key      event.HashKey // of account names
	now      uint32        // the latest event, in seconds since 1970
	memory   memory        // of the sources
	sites    *health.Sites // what of our own worked when, by host
	waiting  waiting       // findings without a last word
	good     goodClients
	bans     [60]uint16 // a minute each
	banned   uint32     // the minute of the latest ban
	gateway  gateway
	evicted  evictions
	forgiven []forgiven // networks

	room    room // for the judgement at hand
	left    []offence
	guessed Guesses // before the login that was observed last
	broken  broken

	idle string // the check where no rule excuses anything
	mute bool   // verdicts go without their checks
}

const never = ^uint32(0) // later than any event

// New returns a Guard that has seen nothing. It knows the facts and the networks
// that stand for no client on the Internet.
func New(f Facts, o Options) *Guard {
	g := &Guard{memory: newMemory(o.HashKey), waiting: newWaiting(), key: o.HashKey}
	g.limits = o.limits()
	g.SetFacts(f)
	g.sites = health.NewSites(g.limits.health())
	g.idle = idleRules(new([ruleCount]int))
	return g
}

// SetFacts replaces the facts, as after a reload. What was observed stays.
func (g *Guard) SetFacts(f Facts) {
	g.never = rules(f)
	g.matcher = newMatcher(g.never)
}

// Explain says whether verdicts name what was looked at, in their Checks. They
// do until it is called.
func (g *Guard) Explain(on bool) { g.mute = !on }

// Observe takes the next witness or event of the log, in the order of the log
// and before a scenario sees it. folded says that an earlier line told of the
// same attempt. The record is only lent.
func (g *Guard) Observe(r *event.Record, folded bool) {
	at := stamp(r.Time)
	g.now = max(g.now, at)
	g.guessed = Guesses{}
	if !r.Addr.IsValid() {
		if r.Kind.Class() == event.Fault {
			g.site(r, at).Fault(r.Kind, r.Service, health.Client{Cause: cause(r)}, at)
		}
		return
	}
	if r.Testimony == event.Connected {
		g.connected(r, at)
		return
	}
	class := r.Kind.Class()
	if r.Withdrawn > 0 {
		g.withdraw(keyOf(r.Addr), r.Withdrawn)
	}
	if class == event.NoClass && r.Testimony != event.MailAccepted {
		return
	}
	if g.matcher.has(r.Addr) {
		if class == event.Fault { // of a friend: as if it named no client
			g.site(r, at).Fault(r.Kind, r.Service, health.Client{Cause: cause(r)}, at)
		}
		return
	}
	key := keyOf(r.Addr)
	switch class {
	case event.NoClass:
		g.accepted(r, key, at)
	case event.Success:
		g.loggedIn(r, key, at)
	case event.Fault:
		g.fault(r, key, at)
	case event.Hostile, event.Suspect:
		if folded {
			g.nameAccount(r, key, at)
			return
		}
		g.offence(r, key, at)
	}
}

// site returns what is known of the host that logged a record.
func (g *Guard) site(r *event.Record, at uint32) *health.Site {
	return g.sites.Note(health.HostOf(r), r.Host, at)
}

// stamp turns a time into seconds since 1970; times before that are 0.
func stamp(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), int64(never-1)))
}
