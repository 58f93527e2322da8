package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
)

const (
	// maxGroups is the number of groups that are counted apart. Clients choose login
	// names, and a guesser can invent one for each try. The tries of all other groups are
	// in OtherGroups.
	maxGroups = 100_000
	// maxMembers is the number of pairs of a group and a source, and of a group and a
	// login name. Beyond it the numbers of sources and names are too small; the tries
	// stay right.
	maxMembers = 1_000_000
)

// OtherGroups is the name of the group of all that are not counted apart.
const OtherGroups = "(others)"

// Group sums up the attempts that have something in common, for example a country, or a
// login name.
type Group struct {
	Name    string    `json:"name"` // "" if the log or the geo file does not name it
	Tries   int       `json:"tries"`
	Sources int       `json:"sources"`
	Banned  int       `json:"banned"` // number of sources with the verdict ban
	Users   int       `json:"users"`  // different login names
	First   time.Time `json:"first_seen"`
	Last    time.Time `json:"last_seen"`
}

// Groups counts attempts by one of their properties instead of by source. The selection
// of sources comes at the end, so that a sum of only the banned ones can be computed. Use
// it from one goroutine at a time.
type Groups struct {
	scope   Scope
	nameOf  func(*event.Event) string
	ids     map[string]uint32
	names   []string
	members map[member]*share
	users   map[groupUser]struct{}
	unnamed map[netip.Addr]unnamed // nil unless the groups are login names
}

// member is a source in a group.
type member struct {
	group uint32
	addr  netip.Addr
}

// share is the part of a source in a group.
type share struct {
	tries       int
	first, last time.Time
}

// groupUser is a login name, by its hash, that was tried in a group.
type groupUser struct {
	group uint32
	addr  netip.Addr
	user  uint32
}

// unnamed is the latest attempt of a source of which no line has named the user.
type unnamed struct {
	tries int
	at    time.Time
}

// NewGroups returns empty Groups. nameOf returns the group of an event; Groups copies the
// text.
func NewGroups(scope Scope, nameOf func(*event.Event) string) *Groups {
	return &Groups{scope: scope, nameOf: nameOf, ids: map[string]uint32{}, members: map[member]*share{}, users: map[groupUser]struct{}{}}
}

// NewUserGroups returns empty Groups by login name in lower case. The second line about
// an attempt may name the user when the first did not. For example, Postfix logs that a
// login failed, and then Dovecot logs the name.
func NewUserGroups(scope Scope) *Groups {
	g := NewGroups(scope, func(e *event.Event) string { return clipUser(strings.ToLower(e.User)) })
	g.unnamed = map[netip.Addr]unnamed{}
	return g
}

// Add takes the next result. A Collector with the same scope makes the sources.
func (g *Groups) Add(r *engine.Result) {
	g.takeBack(r.Excused())
	g.takeBack(r.Superseded())
	if r.Outcome != event.Noted || !r.Addr.IsValid() || !g.scope.Holds(&r.Event) {
		return
	}
	e := &r.Event
	switch class := e.Kind.Class(); {
	case !r.Counts():
		if r.Folded {
			g.nameUser(e)
		}
	case class == event.Hostile || class == event.Suspect:
		g.add(e, e.Attempts)
	}
}

func (g *Groups) add(e *event.Event, tries int) {
	id := g.id(g.nameOf(e))
	s := g.share(member{id, e.Addr})
	s.tries += tries
	widen(&s.first, &s.last, e.Time)
	g.noteUser(id, e)
	if g.unnamed == nil {
		return
	}
	delete(g.unnamed, e.Addr)
	if e.User == "" && e.Kind == event.AuthFailed && len(g.unnamed) < maxGroups {
		g.unnamed[e.Addr] = unnamed{tries, e.Time}
	}
}

func (g *Groups) noteUser(id uint32, e *event.Event) {
	if e.User != "" && len(g.users) < maxMembers {
		g.users[groupUser{id, e.Addr, nameHash(strings.ToLower(e.User))}] = struct{}{}
	}
}

// nameUser takes the user named by a later line about a known attempt. If the groups are
// login names, the source's latest attempt moves to that group.
func (g *Groups) nameUser(e *event.Event) {
	if e.User == "" {
		return
	}
	if id, known := g.ids[g.nameOf(e)]; known && g.members[member{id, e.Addr}] != nil {
		g.noteUser(id, e)
	}
	open, waits := g.unnamed[e.Addr]
	if !waits {
		return
	}
	nobody := g.ids[""]
	if s := g.members[member{nobody, e.Addr}]; s != nil {
		g.lessen(member{nobody, e.Addr}, s, open.tries)
	}
	g.add(e, open.tries)
}

func (g *Groups) takeBack(records []event.Record) {
	for i := range records {
		e := &records[i].Event
		if !e.Addr.IsValid() || !g.scope.Holds(e) {
			continue
		}
		delete(g.unnamed, e.Addr)
		id, known := g.ids[g.nameOf(e)]
		if s := g.members[member{id, e.Addr}]; known && s != nil {
			g.lessen(member{id, e.Addr}, s, e.Attempts)
		}
	}
}

func (g *Groups) lessen(of member, s *share, tries int) {
	if s.tries -= tries; s.tries <= 0 {
		delete(g.members, of)
	}
}

func (g *Groups) id(name string) uint32 {
	if id, known := g.ids[name]; known {
		return id
	}
	if len(g.names) >= maxGroups && name != OtherGroups {
		return g.id(OtherGroups)
	}
	name = strings.Clone(name)
	id := uint32(len(g.names))
	g.ids[name], g.names = id, append(g.names, name)
	return id
}

// share returns the source's part in a group. Beyond the limit all further sources share
// one part.
func (g *Groups) share(of member) *share {
	s := g.members[of]
	if s == nil && len(g.members) >= maxMembers {
		of.addr = netip.Addr{}
		s = g.members[of]
	}
	if s == nil {
		s = &share{}
		g.members[of] = s
	}
	return s
}

// Of returns the groups of the sources, those with the most tries first, equal ones by
// name.
func (g *Groups) Of(sources []*Source, isBanned func(*Source) bool) []Group {
	all := make([]Group, len(g.names))
	banned := make(map[netip.Addr]bool, len(sources))
	for _, s := range sources {
		banned[s.Addr] = isBanned(s)
	}
	for of, s := range g.members {
		isOut, wanted := banned[of.addr]
		if !wanted && of.addr.IsValid() {
			continue
		}
		to := &all[of.group]
		to.Tries += s.tries
		to.Sources++
		if isOut {
			to.Banned++
		}
		widen(&to.First, &to.Last, s.first)
		widen(&to.First, &to.Last, s.last)
	}
	g.countUsers(all, banned)
	for i := range all {
		all[i].Name = g.names[i]
	}
	all = slices.DeleteFunc(all, func(one Group) bool { return one.Tries == 0 })
	slices.SortFunc(all, func(a, b Group) int { return cmp.Or(b.Tries-a.Tries, strings.Compare(a.Name, b.Name)) })
	return all
}

// countUsers counts each login name once a group.
func (g *Groups) countUsers(all []Group, wanted map[netip.Addr]bool) {
	seen := make(map[groupUser]struct{}, len(g.users))
	for of := range g.users {
		if _, is := wanted[of.addr]; !is {
			continue
		}
		of.addr = netip.Addr{}
		if _, known := seen[of]; !known {
			seen[of] = struct{}{}
			all[of.group].Users++
		}
	}
}
