// Package report sums up the engine's results of a log: one row a source, with the
// scenarios that found it and the guard's verdict. It is synchronous, copies the texts
// that it keeps, bounds the memory of each source, decides nothing, and prints nothing.
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
	// maxUsers is the number of names that are kept of one source. A spraying source
	// tries thousands, and more than these are of no use to a reader.
	maxUsers = 64

	// maxUserName is the number of bytes that are kept of each name, because clients may
	// choose names as long as a line.
	maxUserName = 96
)

// Scope selects the lines of a log. The zero value selects all.
type Scope struct {
	Since, Until time.Time      // zero: no bound; Until is not included
	Only         []netip.Prefix // empty: every source
}

// Source sums up one address. The fields that each event changes come first.
type Source struct {
	Addr     netip.Addr
	Count    int          // attempts of hostile and suspect kinds
	Hostile  int          // attempts of hostile kinds
	kinds    [4]kindCount // most sources cause few kinds
	First    time.Time
	Last     time.Time
	named    []uint32 // hashes of the names in Users
	Users    []string // that it tried, in lower case; at most 64, and the first 96 bytes of each
	services event.ServiceSet
	triedIt  bool // it tried the name given to Seek
	more     []kindCount

	Kinds    []event.Count
	Services []string

	Country string // ISO 3166-1 code, "" if unknown; set by the caller
	AS      string // network operator, like "AS64496 Example Hosting"

	// Scenarios are those that overflowed for the source or its network, by name. Verdict
	// is the guard's gravest verdict on them, and By the scenario of that verdict.
	Scenarios []string
	Verdict   guard.Verdict
	By        string
}

type kindCount struct {
	kind event.Kind
	n    uint32 // attempts
}

// Collector collects results. Use it from one goroutine at a time.
type Collector struct {
	scope    Scope
	sources  sourceTable
	latest   *Source // lines of one source often follow each other; nil at first
	findings merged
	breakIns []BreakIn
	events   int
	sought   string // a login name in lower case

	bounded  bool
	names    int // of all sources together
	nameText int // bytes of them
	others   Others
}

// Seek makes the collector note which sources try a login name, even if they try more
// names than are kept. A name without a domain stands for that name in each domain. Call
// it before the first result.
func (c *Collector) Seek(user string) { c.sought = strings.ToLower(user) }

// KeepEvidence makes the collector keep the evidence of findings, several kilobytes each,
// for a caller that pushes them. Call it before the first result.
func (c *Collector) KeepEvidence() { c.findings.evidence = true }

// Tried reports whether the source tried the name given to Seek.
func (s *Source) Tried() bool { return s.triedIt }

// seek notes whether a name is the one given to Seek.
func (c *Collector) seek(s *Source, name string) {
	if c.sought == "" || s.triedIt {
		return
	}
	name = strings.ToLower(name)
	local, _, _ := strings.Cut(name, "@")
	s.triedIt = name == c.sought || local == c.sought
}

// NewCollector returns an empty Collector.
func NewCollector(scope Scope) *Collector {
	return &Collector{scope: scope, sources: newSourceTable(), findings: newMerged()}
}

// Events returns the number of events in the scope, without folded ones.
func (c *Collector) Events() int { return c.events }

// Add takes the next result. It copies the texts that it keeps.
func (c *Collector) Add(r *engine.Result) {
	c.AddFindings(r.Findings)
	if r.Guessed > 0 && c.scope.Holds(&r.Event) {
		c.breakIns = addBreakIn(c.breakIns, r)
	}
	c.takeBack(r.Excused())
	c.takeBack(r.Superseded())
	if r.Outcome != event.Noted || !c.scope.Holds(&r.Event) {
		return
	}
	if !r.Counts() {
		if r.Folded {
			c.nameUser(&r.Event)
		}
		return
	}
	c.events++
	if class := r.Kind.Class(); r.Addr.IsValid() && (class == event.Hostile || class == event.Suspect) {
		s := c.source(r.Addr)
		if s == nil {
			c.others.Attempts += r.Attempts
			return
		}
		s.offence(&r.Event)
		c.nameUserOf(s, r.User)
		c.seek(s, r.User)
	}
}

// takeBack subtracts events that no longer count. A source without other events is
// dropped.
func (c *Collector) takeBack(records []event.Record) {
	for i := range records {
		e := &records[i].Event
		s := c.sources.find(e.Addr)
		if s == nil && c.others.Attempts == 0 || !c.scope.Holds(e) {
			continue
		}
		c.events--
		if s == nil {
			c.others.Attempts -= min(e.Attempts, c.others.Attempts)
			continue
		}
		if s.takeBack(e); s.Count <= 0 {
			c.forgetNames(s)
			c.sources.drop(e.Addr)
			c.latest = nil
		}
	}
}

// AddFindings takes findings that no line caused.
func (c *Collector) AddFindings(findings []engine.Finding) {
	for i := range findings {
		c.addFinding(&findings[i], findings[i].At)
	}
}

// Findings returns the findings, one for each scenario and value, those of one source
// together, with the last verdict.
func (c *Collector) Findings() []engine.Finding { return c.findings.list() }

// nameUser keeps the user named by a line about a known attempt, because the first line
// may have named none.
func (c *Collector) nameUser(e *event.Event) {
	if e.User == "" {
		return
	}
	if s := c.sources.find(e.Addr); s != nil {
		c.nameUserOf(s, e.User)
		c.seek(s, e.User)
	}
}

// Holds reports whether the scope selects an event.
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

// source returns the row of an address, a new one if there is none; nil if there is no
// room for it.
func (c *Collector) source(addr netip.Addr) *Source {
	if c.latest != nil && c.latest.Addr == addr {
		return c.latest
	}
	s := c.sources.find(addr)
	if s == nil {
		if !c.hasRoom() {
			return nil
		}
		s = c.sources.add(addr)
	}
	c.latest = s
	return s
}

// Sources returns the sources with a hostile or suspect event and their findings, those
// with the most events first, equal ones by address.
func (c *Collector) Sources() []*Source {
	w := newWords()
	for s := range c.sources.all {
		w.sum(s)
	}
	c.findings.judge(&c.sources)
	return c.sources.byAddress(func(s *Source) int { return -s.Count })
}

// nameUser adds a name in lower case.
func (s *Source) nameUser(name string) {
	if len(s.Users) >= maxUsers {
		return
	}
	name = strings.ToLower(name)
	hash := nameHash(name) // of the whole name, since long names may begin alike
	name = clipUser(name)
	for i, known := range s.named {
		if known == hash && s.Users[i] == name {
			return
		}
	}
	s.named = append(s.named, hash)
	s.Users = append(s.Users, strings.Clone(name))
}

// clipUser shortens a login name to the part that is kept.
func clipUser(name string) string {
	if len(name) <= maxUserName {
		return name
	}
	return strings.ToValidUTF8(name[:maxUserName], "")
}

// nameHash is FNV-1a over eight bytes at a time.
func nameHash(name string) uint32 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for ; len(name) >= 8; name = name[8:] {
		word := uint64(name[0]) | uint64(name[1])<<8 | uint64(name[2])<<16 | uint64(name[3])<<24 |
			uint64(name[4])<<32 | uint64(name[5])<<40 | uint64(name[6])<<48 | uint64(name[7])<<56
		h = (h ^ word) * prime
		h ^= h >> 32 // a product moves no bit downwards
	}
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * prime
	}
	return uint32(h ^ h>>32)
}

// offence counts an event of the source.
func (s *Source) offence(e *event.Event) {
	s.Count += e.Attempts
	s.countKind(e.Kind, e.Attempts)
	s.services = s.services.With(e.Service)
	widen(&s.First, &s.Last, e.Time)
	if e.Kind.Class() == event.Hostile {
		s.Hostile += e.Attempts
	}
}

// takeBack subtracts an event of the source.
func (s *Source) takeBack(e *event.Event) {
	s.Count -= e.Attempts
	if e.Kind.Class() == event.Hostile {
		s.Hostile -= e.Attempts
	}
	n := uint32(min(max(e.Attempts, 0), 1<<16))
	for i := range s.kinds {
		if k := &s.kinds[i]; k.kind == e.Kind {
			k.n -= min(k.n, n)
			return
		}
	}
	for i := range s.more {
		if k := &s.more[i]; k.kind == e.Kind {
			k.n -= min(k.n, n)
			return
		}
	}
}

func (s *Source) countKind(kind event.Kind, attempts int) {
	s.addKind(kind, uint32(min(max(attempts, 0), 1<<16)))
}

func (s *Source) addKind(kind event.Kind, n uint32) {
	for i := range s.kinds {
		switch k := &s.kinds[i]; k.kind {
		case kind:
			k.n += n
			return
		case event.NoKind:
			*k = kindCount{kind, n}
			return
		}
	}
	for i := range s.more {
		if s.more[i].kind == kind {
			s.more[i].n += n
			return
		}
	}
	s.more = append(s.more, kindCount{kind, n})
}

// words writes what was counted of sources in words. Most sources do few kinds of things
// at few services, so their lists share memory; nobody may write to them.
type words struct {
	services map[event.ServiceSet][]string
	room     []event.Count
}

func newWords() words { return words{services: map[event.ServiceSet][]string{}} }

func (w *words) sum(s *Source) {
	most := len(s.kinds) + len(s.more)
	if cap(w.room)-len(w.room) < most {
		w.room = make([]event.Count, 0, max(256, most))
	}
	from := len(w.room)
	for _, kinds := range [...][]kindCount{s.kinds[:], s.more} {
		for _, k := range kinds {
			if k.kind != event.NoKind && k.n > 0 {
				w.room = append(w.room, event.Count{Name: k.kind.String(), N: int(k.n)})
			}
		}
	}
	s.Kinds = w.room[from:len(w.room):len(w.room)]
	services, known := w.services[s.services]
	if !known {
		for _, service := range event.Services() {
			if s.services.Has(service) {
				services = append(services, service.String())
			}
		}
		w.services[s.services] = services
	}
	s.Services = services
}

func widen(first, last *time.Time, t time.Time) {
	if first.IsZero() || t.Before(*first) {
		*first = t
	}
	if t.After(*last) {
		*last = t
	}
}
