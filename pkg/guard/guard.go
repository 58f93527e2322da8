package guard

import (
	"time"

	"csmail/pkg/event"
	"csmail/pkg/health"
)

// Guard watches the events and decides about findings. Its answers depend on the order
// of the records that it was given, and on nothing else. Use it from one goroutine at a
// time.
//
// It is built in layers, each of which knows only those below it: memory (the sources and
// their offences), knowledge (what speaks for and against a source), caps (how many may
// be banned), and the Guard: it observes, decides, and keeps the pending findings.
type Guard struct {
	caps
	waiting waiting // pending findings
	gateway gateway
	guessed Guesses // guesses before the login that was observed last

	left     []offence           // memory for the tally of a finding
	accounts []event.AccountHash // the same
	idle     string              // the line of Checks if no rule excuses anything
	mute     bool                // leave Verdict.Checks empty
}

const never = ^uint32(0) // later than any event

// New returns a Guard without observations. It knows the facts and the special-purpose
// networks.
func New(f Facts, o Options) *Guard {
	g := &Guard{waiting: newWaiting()}
	g.memory, g.key, g.limits = newMemory(o.HashKey), o.HashKey, o.limits()
	g.logins = logins{}
	g.SetFacts(f)
	g.sites = health.NewSites(g.limits.health())
	g.idle = idleRules(new([ruleCount]int))
	return g
}

// SetFacts replaces the facts, for example after a reload. Observations stay.
func (g *Guard) SetFacts(f Facts) {
	g.never = rules(f)
	g.matcher = newMatcher(g.never)
}

// Explain sets whether verdicts have Checks. By default they do.
func (g *Guard) Explain(on bool) { g.mute = !on }

// Observe takes the next witness or event of the log, in the order of the log and before
// the scenarios. folded reports whether an earlier line reported the same attempt. The
// record may change after the call.
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
		if class == event.Fault { // of a friend: counted as if it named no client
			g.site(r, at).Fault(r.Kind, r.Service, health.Client{Cause: cause(r)}, at)
		}
		return
	}
	key := keyOf(r.Addr)
	if r.Testimony == event.OwnAddress && r.Origin.Edge == 0 { // an edge declares its own addresses, few of them
		g.source(key, at).own = at
	}
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

// site returns the health of the host that logged a record.
func (k *knowledge) site(r *event.Record, at uint32) *health.Site {
	return k.sites.Note(health.HostOf(r), r.Host, at)
}

// stamp returns a time in seconds since 1970; earlier times are 0.
func stamp(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), int64(never-1)))
}
