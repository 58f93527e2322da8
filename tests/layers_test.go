// Package tests checks the structure of the whole repository.
package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layer is one package: what of ours it may import, and whether it may do I/O.
type layer struct {
	imports []string
	io      bool
}

// layers is the whole table of docs/architecture.md. Data goes down the list.
var layers = map[string]layer{
	"hint":                {},
	"clock":               {},
	"event":               {},
	"logline":             {},
	"grammar/postfix":     {imports: []string{"event", "grammar/probe"}},
	"grammar/probe":       {},
	"grammar/pam":         {imports: []string{"event"}},
	"grammar/dovecot":     {imports: []string{"event", "grammar/pam"}},
	"grammar/sshd":        {imports: []string{"event", "grammar/pam", "grammar/probe"}},
	"session":             {imports: []string{"arena", "event", "wire"}},
	"wire":                {imports: []string{"event"}},
	"merge":               {imports: []string{"wire"}},
	"cluster":             {imports: []string{"hint", "merge", "wire"}, io: true},
	"cluster/plan":        {imports: []string{"cluster", "hint"}, io: true},
	"health":              {imports: []string{"event", "wire"}},
	"engine":              {imports: []string{"bucket", "wire", "grammar/dovecot", "event", "guard", "grammar/postfix", "scenario", "session", "grammar/sshd", "logline"}},
	"guard":               {imports: []string{"arena", "event", "health", "wire"}},
	"scenario/expression": {imports: []string{"event", "hint"}},
	"scenario":            {imports: []string{"event", "scenario/expression", "hint"}},
	"arena":               {},
	"bucket":              {imports: []string{"arena", "event", "scenario/expression", "scenario", "wire"}},
	"scenario/check":      {imports: []string{"bucket", "engine", "event", "scenario", "logline"}},
	"decision":            {imports: []string{"wire"}},
	"report/document":     {imports: []string{"engine", "event", "guard", "report", "report/daily", "wire"}},
	"render/page":         {imports: []string{"render", "report/daily", "report/document"}, io: true},
	"setup":               {imports: []string{"enforce/wiring", "hint"}, io: true},
	"geo":                 {imports: []string{"hint"}, io: true},
	"mailer":              {imports: []string{"hint"}, io: true},
	"report/daily":        {imports: []string{"arena", "event", "wire"}},
	"report":              {imports: []string{"arena", "engine", "event", "guard", "wire"}},
	"input":               {imports: []string{"hint"}, io: true},
	"input/archive":       {imports: []string{"hint", "input"}, io: true},
	"input/file":          {imports: []string{"hint", "input", "input/archive", "wire"}, io: true},
	"input/journal":       {imports: []string{"hint", "input", "input/archive", "wire"}, io: true},
	"input/syslog":        {imports: []string{"hint", "input"}, io: true},
	"ingest":              {imports: []string{"input/archive", "input/file", "input/journal", "input/syslog", "config", "engine", "event", "input", "hint", "logline", "wire"}, io: true},
	"replay":              {imports: []string{"input/archive", "engine", "event", "hint", "logline"}, io: true},
	"host":                {io: true},
	"config":              {imports: []string{"hint"}, io: true},
	"lapi":                {imports: []string{"clock", "event", "hint"}, io: true},
	"state":               {imports: []string{"event", "hint", "wire"}, io: true},
	"enforce":             {imports: []string{"decision", "event", "hint"}, io: true},
	"enforce/authpolicy":  {imports: []string{"enforce", "event"}, io: true},
	"enforce/policyd":     {imports: []string{"enforce", "event"}, io: true},
	"enforce/socketmap":   {imports: []string{"enforce", "event"}, io: true},
	"enforce/dnsbl":       {imports: []string{"enforce"}, io: true},
	"enforce/wiring":      {},
	"bouncer":             {imports: []string{"decision", "hint"}, io: true},
	"delivery":            {imports: []string{"clock", "event", "hint", "lapi", "state"}, io: true},
	"render":              {imports: []string{"bucket", "check", "control", "engine", "event", "scenario/expression", "guard", "lapi", "report", "scenario", "scenario/check"}, io: true},
	"daemon": {imports: []string{
		"cluster", "merge", "bouncer", "clock", "config", "control", "decision", "delivery", "enforce", "enforce/authpolicy", "enforce/dnsbl", "enforce/policyd", "enforce/socketmap", "engine", "event", "input", "geo", "guard", "hint", "host", "ingest", "lapi", "render/page", "report", "report/document", "detect", "scenario", "state", "wire",
	}, io: true},
	"check":   {imports: []string{"config", "control", "enforce/wiring", "engine", "event", "hint", "host", "logline", "scenario", "setup"}, io: true},
	"detect":  {imports: []string{"bucket", "config", "engine", "event", "guard", "hint", "host", "scenario"}, io: true},
	"control": {imports: []string{"hint", "report"}, io: true},
	"cli": {imports: []string{
		"input/archive", "bouncer", "bucket", "check", "config", "control", "daemon", "enforce/wiring", "engine", "event", "input", "geo", "guard", "hint", "host", "ingest", "lapi", "mailer", "render", "replay",
		"render/page", "report", "report/daily", "report/document", "detect", "scenario", "setup", "logline", "scenario/check",
	}, io: true},
}

// doorLayers is the part of the table about the doors of enforcement: its rooms, and what
// other rooms import of them.
var doorLayers = map[string]layer{
	"dyndns":          {io: true},
	"enforce/country": {imports: []string{"event", "wire"}, io: true},
	"enforce/probe":   {io: true},
	"detect":          {imports: []string{"dyndns"}},
	"daemon":          {imports: []string{"dyndns", "enforce/country", "enforce/probe"}},
	"cli":             {imports: []string{"enforce/probe", "cluster", "cluster/plan"}},
	"render":          {imports: []string{"cluster"}},
	"check":           {imports: []string{"cluster"}},
}

// layersOf returns the table as one.
func layersOf() map[string]layer {
	all := maps.Clone(layers)
	for name, more := range doorLayers {
		l := all[name]
		all[name] = layer{imports: slices.Concat(l.imports, more.imports), io: l.io || more.io}
	}
	return all
}

// ioPackages may stand only where the table says so. "time" is allowed for its
// types; a call of time.Now is found by its own check.
var ioPackages = []string{"os", "os/exec", "net", "net/http", "io", "bufio", "log", "log/slog", "syscall", "context", "sync"}

// tooLarge are packages that the product does without, since the cluster must not make it
// larger by more than 2 MB.
var tooLarge = []string{"github.com/nats-io/nats.go/jetstream", "github.com/nats-io/nats.go/micro"}

func TestLayers(t *testing.T) {
	seen, layers := map[string]bool{}, layersOf()
	for _, file := range sourceFiles(t) {
		name := roomOf(file.path)
		seen[name] = true
		allowed, listed := layers[name]
		if !listed {
			t.Errorf("%s: package %s is not in the table", file.path, name)
			continue
		}
		for _, spec := range file.tree.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if ours, ok := strings.CutPrefix(path, "csmail/pkg/"); ok && !slices.Contains(allowed.imports, ours) {
				t.Errorf("%s: %s must not import %s", file.path, name, ours)
			}
			if !allowed.io && slices.Contains(ioPackages, path) {
				t.Errorf("%s: %s does no I/O and must not import %s", file.path, name, path)
			}
			if slices.Contains(tooLarge, path) {
				t.Errorf("%s: %s makes the program larger by half a megabyte; see docs/dependencies.md", file.path, path)
			}
		}
		if !allowed.io && callsClock(file.tree) {
			t.Errorf("%s: %s must not read the clock", file.path, name)
		}
	}
	for name := range layers {
		if !seen[name] {
			t.Errorf("the table lists %s, which is not there", name)
		}
	}
}

func TestPackageComments(t *testing.T) {
	comments := map[string]bool{}
	for _, file := range sourceFiles(t) {
		dir := filepath.Dir(file.path)
		comments[dir] = comments[dir] || (file.tree.Doc != nil && strings.HasPrefix(file.tree.Doc.Text(), "Package "))
	}
	for dir, ok := range comments {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// roomOf is the folder of a file below pkg: "grammar/postfix" for "../pkg/grammar/postfix/smtpd.go".
func roomOf(path string) string {
	return strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../pkg/")
}

type source struct {
	path string
	tree *ast.File
}

func sourceFiles(t *testing.T) []source {
	t.Helper()
	var files []source
	err := filepath.WalkDir("../pkg", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		files = append(files, source{path, tree})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func callsClock(tree *ast.File) bool {
	found := false
	ast.Inspect(tree, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if ok {
			pkg, isName := selector.X.(*ast.Ident)
			found = found || (isName && pkg.Name == "time" && (selector.Sel.Name == "Now" || selector.Sel.Name == "Since"))
		}
		return true
	})
	return found
}

// textReads are the places where a room that goes by the facts of an event (its Phase
// and Cause) would read the daemon's words again, and so would have to know each new
// wording. What hashes, stores or cuts a text does not read it.
var textReads = regexp.MustCompile(`(HasPrefix|HasSuffix|Contains|Cut|Index)\w*\(\s*\w+(\.Event)?\.(Reason|Message)\b|\b(r|e)\.(Reason|Message) ==`)

// The grammars read the text of a line, and nobody after them. (moduleName in session
// takes the PAM module's name, which the grammar puts in front of the reason.)
func TestNoTextAfterTheGrammars(t *testing.T) {
	for _, room := range []string{"session", "guard", "health"} {
		files, err := filepath.Glob("../pkg/" + room + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", room, len(files), err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			code, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(code), "\n") {
				if textReads.MatchString(line) && !strings.Contains(line, `strings.Cut(r.Reason, "(")`) && !strings.Contains(line, `r.Message == ""`) &&
					!strings.Contains(line, "Connection lost to authentication server") { // event.NoAnswer says it
					t.Errorf("%s:%d reads log text: %s; have the grammar say it (event.Phase, event.Cause)", name, i+1, strings.TrimSpace(line))
				}
			}
		}
	}
}
