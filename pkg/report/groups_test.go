package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/session"
)

// both adds a result to the sources and to the groups.
func both(c *Collector, g *Groups, r *engine.Result) {
	c.Add(r)
	g.Add(r)
}

func folded(second int, addr, user string) *engine.Result {
	r := result(second, addr, user, event.AuthFailed, 0)
	r.Folded = true
	return r
}

func nobodyBanned(*Source) bool { return false }

// An attempt is in the group of the login name that any of its lines names, and in one
// group only.
func TestUserGroups(t *testing.T) {
	c, g := NewCollector(Scope{}), NewUserGroups(Scope{})
	both(c, g, result(0, "192.0.2.1", "Bob", event.AuthFailed, 2))
	both(c, g, result(1, "192.0.2.2", "bob", event.AuthFailed, 1))
	both(c, g, result(2, "192.0.2.3", "", event.AuthFailed, 1))
	both(c, g, folded(3, "192.0.2.3", "eve")) // the second line of that attempt names her
	both(c, g, folded(4, "192.0.2.3", "eve")) // and the third once more
	both(c, g, result(5, "192.0.2.3", "", event.RelayDenied, 4))
	both(c, g, folded(6, "192.0.2.3", "mallory")) // the relay attempts have no user
	both(c, g, result(7, "192.0.2.4", "bob", event.LoginOK, 1))
	want := []Group{
		{Name: "", Tries: 4, Sources: 1, First: at(5), Last: at(5)},
		{Name: "bob", Tries: 3, Sources: 2, Banned: 1, Users: 1, First: at(0), Last: at(1)},
		{Name: "eve", Tries: 1, Sources: 1, Users: 1, First: at(3), Last: at(3)},
	}
	got := g.Of(c.Sources(), func(s *Source) bool { return s.Addr.String() == "192.0.2.2" })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func at(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }

// The tries of the groups are those of the sources, also after some were taken back, and
// for some of the sources only.
func TestGroupsAddUp(t *testing.T) {
	c, g := NewCollector(Scope{}), NewGroups(Scope{}, func(e *event.Event) string { return e.Kind.String() })
	both(c, g, result(0, "192.0.2.1", "a", event.AuthFailed, 3))
	both(c, g, result(1, "192.0.2.2", "b", event.AuthFailed, 1))
	both(c, g, result(2, "192.0.2.2", "", event.NoHostname, 2))
	back := result(3, "192.0.2.1", "", event.LoginOK, 1)
	back.Earlier = &session.Earlier{Superseded: []event.Record{*result(0, "192.0.2.1", "a", event.AuthFailed, 2).Record}}
	both(c, g, back)
	all := c.Sources()
	if got := sum(g.Of(all, nobodyBanned)); got != sumOf(all) || got != 4 {
		t.Errorf("all: got %d tries, want %d", got, sumOf(all))
	}
	for _, one := range all {
		if got := sum(g.Of([]*Source{one}, nobodyBanned)); got != one.Count {
			t.Errorf("%s: got %d tries, want %d", one.Addr, got, one.Count)
		}
	}
}

func sum(groups []Group) (tries int) {
	for _, g := range groups {
		tries += g.Tries
	}
	return tries
}

func sumOf(sources []*Source) (tries int) {
	for _, s := range sources {
		tries += s.Count
	}
	return tries
}

// A guesser who makes up a name for each try fills no memory, and none of his tries is
// lost.
func TestManyNames(t *testing.T) {
	c, g := NewCollector(Scope{}), NewUserGroups(Scope{})
	const tries = maxGroups + 500
	for i := range tries {
		both(c, g, result(i, "192.0.2.1", fmt.Sprint("user", i), event.AuthFailed, 1))
	}
	groups := g.Of(c.Sources(), nobodyBanned)
	if got := sum(groups); got != tries {
		t.Errorf("got %d tries, want %d", got, tries)
	}
	if len(groups) != maxGroups+1 || groups[0].Name != OtherGroups || groups[0].Tries != 500 {
		t.Errorf("got %d groups, the first %+v, want %d and 500 tries of %s", len(groups), groups[0], maxGroups+1, OtherGroups)
	}
}
