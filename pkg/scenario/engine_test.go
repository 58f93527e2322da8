package scenario

import (
	"net/netip"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"csmail/pkg/event"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
}

// load makes an engine of scenario documents.
func load(t failer, text string) *Engine {
	t.Helper()
	set, err := Load(fstest.MapFS{"s.yaml": {Data: []byte(text)}}, "s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return New(set, Limits{Texts: 32})
}

func failure(addr, user string, after time.Duration) *event.Event {
	return &event.Event{
		Time: start.Add(after), Service: event.Postfix, Program: "postfix/smtpd", Kind: event.AuthFailed, Attempts: 1,
		Addr: netip.MustParseAddr(addr), User: user,
		Message: "warning: unknown[" + addr + "]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
	}
}

const bruteForce = `
type: leaky
name: test/bf
description: test
filter: evt.Meta.kind == 'auth-failed'
groupby: evt.Meta.source_block
capacity: 2
leakspeed: 10s
blackhole: 1m
`

func TestShippedScenariosLoad(t *testing.T) {
	set, err := Load(os.DirFS("../../scenarios"), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range set.Scenarios() {
		t.Logf("%-28s %b rest %d facts %v events %v notes %q", s.Name, s.Kinds, len(s.rest), s.keepFacts, s.keepEvents, s.Notes)
	}
}

func TestSmoke(t *testing.T) {
	e := load(t, bruteForce)
	var got []Overflow
	for i := range 3 {
		got = e.Pour(failure("192.0.2.1", "bob", time.Duration(i)*time.Second))
		t.Log(e.Levels(failure("192.0.2.1", "bob", time.Duration(i)*time.Second)))
	}
	if len(got) != 1 {
		t.Fatal(got)
	}
	t.Logf("%+v", got[0])
}
