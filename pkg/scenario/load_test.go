package scenario

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"csmail/pkg/event"
)

func TestLoadErrors(t *testing.T) {
	const good = "type: leaky\nname: test/t\ndescription: test\nfilter: evt.Meta.kind == 'auth-failed'\ncapacity: 1\nleakspeed: 1m\n"
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	tests := map[string]struct{ text, want string }{
		"unknown key":            {good + "groupBy: evt.Meta.source_ip\n", `s.yaml:7: unknown key "groupBy"; did you mean "groupby"?`},
		"unknown key in scope":   {good + "scope:\n  typ: Range\n", `s.yaml:8: scope: unknown key "typ"; did you mean "type"?`},
		"repeated key":           {good + "capacity: 2\n", `s.yaml:7: the key "capacity" stands here twice`},
		"second document":        {good + "---\n" + change("leaky", "leeky"), `s.yaml:8: type: unknown type "leeky"; did you mean "leaky"?`},
		"no name":                {change("name: test/t\n", ""), `s.yaml:1: name: a scenario needs a name`},
		"no description":         {change("description: test\n", ""), `s.yaml:1: description: a scenario needs a description`},
		"no filter":              {"type: trigger\nname: a/b\ndescription: c\n", `s.yaml:1: filter: a scenario needs a filter`},
		"capacity of a leaky":    {change("capacity: 1", "capacity: 0"), `s.yaml:5: capacity: 0 is too small: a leaky scenario holds at least 1`},
		"capacity no number":     {change("capacity: 1", "capacity: many"), "s.yaml:5: capacity: cannot unmarshal !!str `many` into int"},
		"capacity of a trigger":  {change("leaky", "trigger"), `s.yaml:5: capacity: 1: a trigger has none`},
		"counter":                {change("leaky", "counter"), `s.yaml:5: capacity: 1: a counter has the capacity -1`},
		"bad duration":           {change("1m", "1 minute"), `s.yaml:6: leakspeed: "1 minute" is no duration; write it as 90s, 5m or 4h`},
		"endless":                {strings.Replace(change("capacity: 1", "capacity: 2000000"), "1m", "2000h", 1), `s.yaml:5: capacity: 2000000: at a leakspeed of 2000h the bucket would leak for centuries`},
		"no leakspeed":           {change("leakspeed: 1m\n", ""), `s.yaml:1: leakspeed: "": a leaky scenario needs a leakspeed`},
		"unknown helper":         {change("evt.Meta.kind ==", "Lowr(evt.Meta.kind) =="), `s.yaml:4: filter: "Lowr(evt.Meta.kind) == 'auth-failed'": unknown helper "Lowr"; did you mean "Lower"?`},
		"unsupported helper":     {change("evt.Meta.kind ==", "LookupHost(evt.Meta.kind) =="), `s.yaml:4: filter: "LookupHost(evt.Meta.kind) == 'auth-failed'": the helper "LookupHost" of CrowdSec is not supported`},
		"filter is no condition": {change("== 'auth-failed'", ""), `s.yaml:4: filter: "evt.Meta.kind": expected bool, but got string`},
		"unknown name":           {change("evt.Meta.kind", "event.Meta.kind"), `s.yaml:4: filter: "event.Meta.kind == 'auth-failed'": unknown name event (1:1)`},
		"queue in a filter":      {change("evt.Meta.kind == 'auth-failed'", "len(queue.Queue) > 1"), `s.yaml:4: filter: "len(queue.Queue) > 1": unknown name queue (1:5)`},
		"scope Ip":               {good + "scope: {type: Ip, expression: evt.Meta.source_ip}\n", `s.yaml:7: scope: "evt.Meta.source_ip": the scope Ip takes no expression`},
		"scope without value":    {good + "scope: {type: Rang}\n", `s.yaml:7: scope: the scope "Rang" needs an expression; did you mean "Range"?`},
		"data file not there":    {good + "data: [{dest_file: names.txt, type: string}]\n", `s.yaml:7: data: read data file "names.txt": open names.txt: file does not exist`},
		"data type":              {good + "data: [{dest_file: bad.txt, type: strin}]\n", `s.yaml:7: data: the type "strin" of a data file is not supported; did you mean "string"?`},
		"bad pattern":            {good + "data: [{dest_file: bad.txt, type: regexp}]\n", "s.yaml:7: data: data file \"bad.txt\": error parsing regexp: missing closing ): `(`"},
		"no mapping":             {"- a\n", `s.yaml:1: a scenario is a mapping of keys, not ""`},
		"no YAML":                {"type: leaky\n\tname: b\n", `s.yaml:2: no valid YAML: found a tab character that violates indentation`},
		"twice":                  {good + "---\n" + good, `s.yaml:9: name: the same scenario "test/t" stands in s.yaml:1 already`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(fstest.MapFS{"s.yaml": {Data: []byte(test.text)}, "bad.txt": {Data: []byte("(\n")}}, "s.yaml")
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if problem, ok := errors.AsType[*Problem](err); !ok || problem.Line == 0 {
				t.Errorf("%v is no Problem with a line", err)
			}
		})
	}
	if _, err := Load(fstest.MapFS{}, "absent"); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("absent: %v", err)
	}
}

func TestLoadFolder(t *testing.T) {
	const text = "type: trigger\nname: NAME\ndescription: d\nfilter: evt.Meta.kind == 'pregreet'\nreprocess: true\nlabels: {service: postfix, confidence: 2, " +
		"remediation: true, behavior: 'smtp:spam', classification: [attack.T1110]}\n"
	file := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.Replace(text, "NAME", name, 1))}
	}
	set, err := Load(fstest.MapFS{"a/2.yaml": file("x/two"), "a/sub/1.yml": file("x/one"), "a/readme.md": file("x/no"), "b.yaml": file("x/b")}, "a", "b.yaml", "a/2.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range set.Scenarios() {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"x/two", "x/one", "x/b"}) {
		t.Errorf("loaded %q", names)
	}
	s := set.Scenarios()[0]
	if s.File != "a/2.yaml" || s.Line != 1 || s.Scope != "Ip" || s.Labels.Confidence != 2 || !s.Labels.Remediation || s.Labels.Classification[0] != "attack.T1110" ||
		len(s.Notes) != 1 || !s.Kinds.Has(event.Pregreet) || s.Kinds.Has(event.AuthFailed) {
		t.Errorf("%+v", s)
	}
}

func TestDataFiles(t *testing.T) {
	set, err := Load(fstest.MapFS{
		"s/s.yaml": {Data: []byte("type: trigger\nname: t/t\ndescription: d\ngroupby: evt.Meta.source_ip\n" +
			"filter: any(File('names.txt'), {# == evt.Meta.username}) || RegexpInFile(evt.Meta.username, 'patterns.txt')\n" +
			"data:\n  - {source_url: 'https://example.org/names.txt', dest_file: names.txt, type: string}\n  - {dest_file: patterns.txt, type: regexp}\n")},
		"s/names.txt":  {Data: []byte("# names\nbob\n\nalice\r\n")},
		"patterns.txt": {Data: []byte("^adm.n$\n")},
	}, "s")
	if err != nil {
		t.Fatal(err)
	}
	e := New(set, Limits{})
	for user, want := range map[string]int{"bob": 1, "alice": 1, "admin": 1, "eve": 0, "# names": 0, "": 0} {
		if got := len(e.Pour(failure("192.0.2.1", user, 0))); got != want {
			t.Errorf("%q: %d overflows, want %d", user, got, want)
		}
	}
}

func TestNotesOnFields(t *testing.T) {
	set := load(t, "type: trigger\nname: t/t\ndescription: d\nfilter: evt.Meta.usernam == 'x' && evt.Parsed.http_path == ''\n").set
	want := []string{`csmail never sets evt.Meta.usernam; did you mean "username"?`, `csmail never sets evt.Parsed.http_path`}
	if got := set.Scenarios()[0].Notes; !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
}

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
		"newer":   {newer, "the state of the scenarios has version 9, this csmail reads version 2"},
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
	if before.words.taken == 0 || before.events.len() == 0 || after.words.taken != 0 || after.events.len() != 0 {
		t.Errorf("%d words and %d events, before %d and %d", after.words.taken, after.events.len(), before.words.taken, before.events.len())
	}
}
