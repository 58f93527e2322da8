package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// BreakIn is the scenario of a source that guessed passwords and then logged in. No file
// holds it: the guard finds it, because such a login is no proof of innocence.
//
// Its finding bans nobody. A ban is for the guesses, and a person who mistypes a dozen
// times before the right password looks the same.
const BreakIn = "csmail/break-in"

const (
	// breakInAgain is the time after which the same break-in is reported again.
	breakInAgain = 24 * time.Hour
	// maxBreakIns is the number of break-ins that are remembered. They are rare; beyond
	// the limit one may be reported twice.
	maxBreakIns = 10_000
)

// brokenKey is a source and a login name, in lower case.
type brokenKey struct {
	addr netip.Addr
	user string
}

// breakIn adds the finding of a login that follows on guesses.
func (j *Judge) breakIn(r *event.Record, g guard.Guesses) {
	if j.guessed = g.N; g.N == 0 || !j.mayCount(&r.Event) {
		return
	}
	key := brokenKey{r.Addr, strings.ToLower(r.User)}
	if told, known := j.brokenIn[key]; known && r.Time.Sub(told) < breakInAgain {
		return
	}
	if len(j.brokenIn) >= maxBreakIns {
		clear(j.brokenIn)
	}
	key.user = strings.Clone(key.user)
	j.brokenIn[key] = r.Time
	// Postfix reports one login twice: with its user as a mail begins, and without at the
	// end of the session.
	j.brokenIn[brokenKey{addr: r.Addr}] = r.Time
	a := event.Alert{
		Scenario: BreakIn, Scope: event.ScopeIP, Source: r.Addr, Count: g.N + 1, First: g.First, Last: r.Time,
		Kinds:    []event.Count{{Name: event.AuthFailed.String(), N: g.N}, {Name: r.Kind.String(), N: 1}},
		Services: []string{r.Service.String()}, Informational: true,
	}
	if j.explains {
		a.Evidence = []event.Event{r.Event.Clone()}
	}
	reason := fmt.Sprintf("it logged in after %d wrong passwords, one of which may have been right in the end", g.N)
	j.add(a, guard.Verdict{Action: guard.Alert, Reason: reason}, 0, r.Time)
}

// breakInMessage names no user, as every message.
func breakInMessage(a event.Alert) string {
	return fmt.Sprintf("%s logged in on %s after %d wrong passwords within %s (%s)",
		a.Value(), strings.Join(a.Services, " and "), a.Count-1, span(a.Last.Sub(a.First)), a.Scenario)
}
