package scenario

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"csmail/pkg/event"
	"csmail/pkg/scenario/expression"
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
		"capacity below all":     {strings.NewReplacer("leaky", "conditional", "capacity: 1", "capacity: -2").Replace(good) + "condition: len(queue.Queue) > 1\n", `s.yaml:5: capacity: invalid capacity -2 (use -1 for unlimited)`},
		"bayesian keys":          {good + "bayesian_threshold: 0.5\n", `s.yaml:1: type: "leaky": only a bayesian scenario has bayesian_prior, bayesian_threshold and bayesian_conditions`},
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
		"no YAML":                {"type: leaky\n\tname: b\n", `s.yaml:2: no valid YAML: a tab stands where spaces are wanted`},
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
		t.Errorf("absent: %v, want an error containing \"absent\"", err)
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
		t.Errorf("loaded %q, want names %q", names, []string{"x/two", "x/one", "x/b"})
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
	filter := set.scenarios[0].filter
	for user, want := range map[string]bool{"bob": true, "alice": true, "admin": true, "eve": false, "# names": false, "": false} {
		m := expression.Machine{In: &expression.Input{Event: &event.Event{Service: event.Postfix, User: user}}}
		if got, ok := m.Decide(filter); got != want || !ok {
			t.Errorf("%q: %v, %v, want %v", user, got, ok, want)
		}
	}
}

func TestNotes(t *testing.T) {
	const head = "type: trigger\nname: t/t\ndescription: d\n"
	for text, want := range map[string][]string{
		"filter: evt.Meta.usernam == 'x' && evt.Parsed.http_path == ''\n": {
			`csmail never sets evt.Meta.usernam; did you mean "username"?`, `csmail never sets evt.Parsed.http_path`,
		},
		"filter: \"true\"\noverflow_filter: evt.Meta.kind == 'x'\n": {
			"overflow_filter: there is no evt when a bucket overflows; an expression that reads it fails, and drops nothing",
		},
	} {
		set, err := Load(fstest.MapFS{"s.yaml": {Data: []byte(head + text)}}, "s.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if got := set.Scenarios()[0].Notes; !slices.Equal(got, want) {
			t.Errorf("%s: notes %q, want %q", text, got, want)
		}
	}
}

func TestShippedScenariosLoad(t *testing.T) {
	set, err := Load(os.DirFS("../../scenarios"), "csmail")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range set.Scenarios() {
		if len(s.Notes) > 0 || s.Kinds == 0 || s.Labels.Label == "" || s.KeepEvents {
			t.Errorf("%s: kinds %b, notes %q, labels %+v, keeps whole events: %v, want no Notes, Kinds other than 0, some Label, KeepEvents false",
				s.Name, s.Kinds, s.Notes, s.Labels, s.KeepEvents)
		}
	}
}
