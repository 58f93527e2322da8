package bucket

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRestoreErrors(t *testing.T) {
	e := load(t, several)
	e.Pour(failure("192.0.2.1", "bob", 0))
	whole := e.AppendSnapshot(nil)
	bad := slices.Clone(whole)
	bad[len(bad)/2] ^= 1
	newer := slices.Clone(whole)
	newer[len(snapshotMagic)-1] = 9
	for name, test := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing": {nil, "not a state of the scenarios"},
		"another": {[]byte("something that is quite another thing"), "not a state of the scenarios"},
		"cut":     {whole[:len(whole)-9], "the state of the scenarios is damaged"},
		"changed": {bad, "the state of the scenarios is damaged"},
		"newer":   {newer, "the state of the scenarios has version 9, this csmail reads version 3"},
	} {
		if err := e.Restore(test.b); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e.Stats().Sources == 0 {
		t.Error("a failed restore emptied the engine")
	}
}

// TestChangedScenarioStartsEmpty restores into a set in which one scenario has
// another capacity, one stands elsewhere, and one has another text only.
func TestChangedScenarioStartsEmpty(t *testing.T) {
	doc := func(name, rest string) string {
		return "---\ntype: leaky\nname: " + name + "\nfilter: evt.Meta.kind == 'auth-failed'\ngroupby: evt.Meta.source_ip\nleakspeed: 1h\n" + rest
	}
	before := load(t, doc("t/a", "capacity: 5\ndescription: d\n")+doc("t/b", "capacity: 5\ndescription: d\n"))
	before.Pour(failure("192.0.2.1", "bob", 0))
	after := load(t, doc("t/b", "capacity: 5\ndescription: other words\n")+doc("t/a", "capacity: 6\ndescription: d\n"))
	if err := after.Restore(before.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	levels := after.LevelsOf(netip.MustParseAddr("192.0.2.1"))
	if len(levels) != 1 || levels[0].Scenario.Name != "t/b" || levels[0].Total != 1 {
		t.Errorf("%+v", levels)
	}
}

// A scenario that is no more leaves nothing behind when its state is read.
func TestDroppedScenarioTakesNoRoom(t *testing.T) {
	const text = "type: leaky\nname: t/gone\nfilter: evt.Meta.kind == 'auth-failed'\ngroupby: evt.Meta.source_range\ndistinct: evt.Meta.username\n" +
		"leakspeed: 1h\ncapacity: 5\ndescription: d\nscope: {type: host, expression: evt.Meta.machine}\n"
	before := load(t, text)
	for i := range 3 {
		before.Pour(failure(fmt.Sprintf("192.0.2.%d", i), fmt.Sprint("u", i), time.Duration(i)*time.Second))
	}
	after := load(t, strings.Replace(text, "capacity: 5", "capacity: 6", 1))
	if err := after.Restore(before.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	if before.words.Taken() == 0 || before.events.Len() == 0 || after.words.Taken() != 0 || after.events.Len() != 0 {
		t.Errorf("%d words and %d events, before %d and %d", after.words.Taken(), after.events.Len(), before.words.Taken(), before.events.Len())
	}
}
