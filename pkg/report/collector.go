// Package report gathers what the engine made of a log into one row a source.
// It is synchronous, keeps nothing of the text it was given, bounds what it
// keeps of each source, and prints nothing.
package report

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

const (
	// maxUsers bounds the names kept of one source; a spraying source tries
	// thousands, and nobody reads more.
	maxUsers = 64
	// maxEvidence bounds the events kept of one source: the first three show
	// how it began, the rest how it goes on.
	maxEvidence  = 10
	keepEvidence = 3
	// faultLasts is how long after a complaint of our login service a failed
	// login may be its doing. A database that is down is complained of at each.
	faultLasts = time.Minute
)

// Scope is what of a log is looked at. The zero value looks at everything.
type Scope struct {
	Since, Until time.Time      // zero: no bound; Until is not included
	Only         []netip.Prefix // empty: every source
	Evidence     bool           // keep events as evidence
}

// Source is what one address did.
type Source struct {
	Addr     netip.Addr
	Count    int // attempts of hostile and suspect kinds
	Hostile  int // attempts of hostile kinds
	Kinds    []event.Count
	Services []string
	Users    []string // as tried, in lower case; at most 64
	First    time.Time
	Last     time.Time

	// FirstHostile and LastHostile bound what counts towards a ban.
	FirstHostile, LastHostile time.Time

	Evidence []event.Event // only with Scope.Evidence

	accounts    map[string]*account // by the name as tried, in lower case
	failing     int                 // accounts with failed logins that are counted
	duringFault int                 // failed logins while our login service had trouble
}

// account is what a source did with one login name.
type account struct {
	failed   int
	loggedIn bool
	named    bool // it stands in Users
}

// Conduct returns what the guard needs to know about the source.
func (s *Source) Conduct() guard.Conduct {
	c := guard.Conduct{Addr: s.Addr, Hostile: s.Hostile, DuringFault: s.duringFault, Accounts: s.failing}
	c.FailedLogins, c.LoggedIn = make(map[string]int), make(map[string]struct{})
	for name, a := range s.accounts {
		if a.failed > 0 {
			c.FailedLogins[name] = a.failed
		}
		if a.loggedIn {
			c.LoggedIn[name] = struct{}{}
		}
	}
	return c
}

// Collector gathers results. Use it from one goroutine at a time.
type Collector struct {
	scope   Scope
	sources map[netip.Addr]*Source
	faults  map[string]time.Time // the last trouble of the login service, by host
	events  int
}

// NewCollector returns an empty Collector.
func NewCollector(scope Scope) *Collector {
	return &Collector{scope: scope, sources: make(map[netip.Addr]*Source), faults: make(map[string]time.Time)}
}

// Events returns how many events were looked at, folded ones left out.
func (c *Collector) Events() int { return c.events }

// Add takes the next result. It keeps no string of it without a copy.
func (c *Collector) Add(r engine.Result) {
	if r.Outcome != event.Noted {
		return
	}
	if r.Folded {
		c.nameUser(&r.Event)
		return
	}
	if r.Kind == event.AuthFault {
		// An assignment replaces the key of a string map even if it is there, and
		// the key would hold the whole block that it points into.
		c.faults[strings.Clone(r.Host)] = r.Time
	}
	// A login speaks for its source whenever it was.
	if r.Kind.Class() == event.Success && r.Addr.IsValid() {
		c.source(r.Addr).login(&r.Event)
	}
	if !c.scope.Holds(&r.Event) {
		return
	}
	c.events++
	if class := r.Kind.Class(); r.Addr.IsValid() && (class == event.Hostile || class == event.Suspect) {
		s := c.source(r.Addr)
		s.offence(&r.Event, c.scope.Evidence)
		if r.Kind == event.AuthFailed && c.isTroubled(r) {
			s.duringFault += r.Attempts
		}
	}
}

// nameUser keeps the user of a line that told of a known attempt: the first line
// may have named none.
func (c *Collector) nameUser(e *event.Event) {
	if s, known := c.sources[e.Addr]; known && e.User != "" && c.scope.Holds(e) {
		s.nameUser(strings.ToLower(e.User))
	}
}

// isTroubled tells whether our login service complained shortly before. Postfix
// and Dovecot log a login that such trouble fails like one with a wrong
// password.
func (c *Collector) isTroubled(r engine.Result) bool {
	fault, ok := c.faults[r.Host]
	return ok && r.Time.Sub(fault).Abs() <= faultLasts
}

// Holds tells whether an event is looked at.
func (s Scope) Holds(e *event.Event) bool {
	if !s.Since.IsZero() && e.Time.Before(s.Since) {
		return false
	}
	if !s.Until.IsZero() && !e.Time.Before(s.Until) {
		return false
	}
	if len(s.Only) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Only, func(p netip.Prefix) bool { return p.Contains(e.Addr) })
}

func (c *Collector) source(addr netip.Addr) *Source {
	s, ok := c.sources[addr]
	if !ok {
		s = &Source{Addr: addr}
		c.sources[addr] = s
	}
	return s
}

// Sources returns the sources with a hostile or suspect event, those with the
// most events first, equals by address.
func (c *Collector) Sources() []*Source {
	var all []*Source
	for _, s := range c.sources {
		if s.Count > 0 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *Source) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return a.Addr.Compare(b.Addr)
	})
	return all
}

func (s *Source) login(e *event.Event) { s.account(strings.ToLower(e.User)).loggedIn = true }

// account returns the account of a name, a new one if there is none.
func (s *Source) account(name string) *account {
	a := s.accounts[name]
	if a == nil {
		if s.accounts == nil {
			s.accounts = make(map[string]*account, 1)
		}
		a = &account{}
		s.accounts[strings.Clone(name)] = a
	}
	return a
}

func (s *Source) nameUser(name string) {
	if a := s.accounts[name]; a != nil && a.named || len(s.Users) >= maxUsers {
		return
	}
	s.account(name).named = true
	s.Users = append(s.Users, strings.Clone(name))
}

func (s *Source) offence(e *event.Event, evidence bool) {
	s.Count += e.Attempts
	s.countKind(e.Kind.String(), e.Attempts)
	s.Services = addName(s.Services, e.Service.String(), 8)
	user := strings.ToLower(e.User)
	if user != "" {
		s.nameUser(user)
	}
	widen(&s.First, &s.Last, e.Time)
	if e.Kind.Class() == event.Hostile {
		s.Hostile += e.Attempts
		widen(&s.FirstHostile, &s.LastHostile, e.Time)
	}
	if e.Kind == event.AuthFailed {
		s.failedLogin(user, e.Attempts)
	}
	if evidence {
		s.keep(e)
	}
}

// failedLogin counts by account. A source with more accounts than are kept is
// no mistyping user; what goes uncounted there is not forgiven, but for accounts
// that it logged in to, as an office behind one address does.
func (s *Source) failedLogin(user string, attempts int) {
	a := s.accounts[user]
	isNew := a == nil || a.failed == 0
	if isNew && s.failing >= maxUsers && (a == nil || !a.loggedIn) {
		return
	}
	if isNew {
		s.failing++
	}
	s.account(user).failed += attempts
}

func (s *Source) countKind(name string, n int) {
	i := slices.IndexFunc(s.Kinds, func(k event.Count) bool { return k.Name == name })
	if i < 0 {
		s.Kinds = append(s.Kinds, event.Count{Name: name, N: n})
		return
	}
	s.Kinds[i].N += n
}

// keep holds the first events and the latest ones.
func (s *Source) keep(e *event.Event) {
	if len(s.Evidence) == maxEvidence {
		copy(s.Evidence[keepEvidence:], s.Evidence[keepEvidence+1:])
		s.Evidence = s.Evidence[:maxEvidence-1]
	}
	s.Evidence = append(s.Evidence, e.Clone())
}

func addName(names []string, name string, most int) []string {
	if len(names) >= most || slices.Contains(names, name) {
		return names
	}
	return append(names, strings.Clone(name))
}

func widen(first, last *time.Time, t time.Time) {
	if first.IsZero() || t.Before(*first) {
		*first = t
	}
	if t.After(*last) {
		*last = t
	}
}
