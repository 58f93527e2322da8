package report

import (
	"fmt"
	"net/netip"
	"testing"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
	"csmail/pkg/session"
	"csmail/pkg/wire"
)

// Of long names fewer are kept, and a source that is taken back makes room.
func TestBoundedNames(t *testing.T) {
	c := NewBoundedCollector(Scope{})
	r := result(0, "192.0.2.1", "", event.AuthFailed, 1)
	for i := range 2 * maxNameText / maxUserName {
		r.Addr = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		r.User = fmt.Sprintf("%0*d", maxUserName, i)
		c.Add(r)
	}
	text := 0
	for _, s := range c.Sources() {
		for _, name := range s.Users {
			text += len(name)
		}
	}
	if text < maxNameText || text >= maxNameText+maxUserName {
		t.Errorf("got %d bytes of names, want %d", text, maxNameText)
	}
	first := *r
	first.Addr, first.User = netip.MustParseAddr("10.0.0.0"), fmt.Sprintf("%0*d", maxUserName, 0)
	taken := first
	taken.Record = &event.Record{}
	taken.Earlier = &session.Earlier{Superseded: []event.Record{*first.Record}}
	room := c.nameText
	c.Add(&taken)
	if c.nameText != room-maxUserName {
		t.Errorf("got %d bytes of names after a source was taken back, want %d", c.nameText, room-maxUserName)
	}
}

// A flood from more sources than there is room for: the first ones have their rows, and
// all attempts count.
func TestBoundedCollector(t *testing.T) {
	const flood = maxSources + 1000
	c := NewBoundedCollector(Scope{})
	r := result(0, "192.0.2.1", "", event.AuthFailed, 2)
	for i := range flood {
		r.Addr = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		for user := range 4 {
			r.User = fmt.Sprint("u", i, user)
			c.Add(r)
		}
	}
	check := func(what string, c *Collector) {
		t.Helper()
		attempts, names := 0, 0
		sources := c.Sources()
		for _, s := range sources {
			attempts += s.Count
			names += len(s.Users)
		}
		if len(sources) != maxSources || names > maxNames || names < maxNames-4 {
			t.Errorf("%s: %d sources that tried %d names, want %d and %d", what, len(sources), names, maxSources, maxNames)
		}
		if got := attempts + c.Others().Attempts; got != 8*flood || c.Others().Attempts != 8000 {
			t.Errorf("%s: %d attempts, %d of others; want %d and 8000", what, got, c.Others().Attempts, 8*flood)
		}
	}
	check("counted", c)
	merged := NewBoundedCollector(Scope{})
	merged.Merge(c.State())
	check("merged", merged)
	var text []byte
	frames := wire.NewFrames(func(part []byte) { text = append(text, part...) })
	merged.Write(frames)
	frames.Close()
	stored := NewBoundedCollector(Scope{})
	next, err := wire.Whole(text)()
	if err != nil {
		t.Fatal(err)
	}
	if err := wire.ReadFrames(next, func(kind uint8, c *wire.Codec) { stored.Entry(kind, c) }); err != nil {
		t.Fatal(err)
	}
	check("stored", stored)

	r.User, r.Attempts = "", 3
	c.Add(r)
	taken := *r
	taken.Record = &event.Record{}
	taken.Earlier = &session.Earlier{Superseded: []event.Record{*r.Record}}
	c.Add(&taken)
	check("taken back", c)
}

// Of more findings than there is room for, the first have their rows, and what comes about
// them later belongs to these.
func TestBoundedFindings(t *testing.T) {
	c := NewBoundedCollector(Scope{})
	f := finding("csmail/auth-bf", "192.0.2.1", 60, guard.Ban)
	for range 2 {
		for i := range maxFindings + 10 {
			f.Alert.Source = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			c.AddFindings([]engine.Finding{f})
		}
	}
	if got := len(c.findings.order); got != maxFindings || c.Others().Findings != 20 {
		t.Errorf("got %d findings and %d of others, want %d and 20", got, c.Others().Findings, maxFindings)
	}
}
