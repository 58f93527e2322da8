package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// plainRooms are the packages whose comments are written in plain English. Add a
// package here once `go run ./tests/style FOLDER` shows its figures within the aims.
var plainRooms = []string{
	"pkg/clock", "pkg/control", "pkg/daemon", "pkg/decision", "pkg/delivery", "pkg/detect", "pkg/event",
	"pkg/geo", "pkg/grammar/dovecot", "pkg/grammar/pam", "pkg/grammar/postfix", "pkg/grammar/probe",
	"pkg/grammar/sshd", "pkg/health", "pkg/hint", "pkg/host", "pkg/ingest", "pkg/input",
	"pkg/input/archive", "pkg/input/file", "pkg/input/journal", "pkg/input/syslog", "pkg/lapi",
	"pkg/logline", "pkg/replay", "pkg/scenario", "pkg/scenario/check", "pkg/scenario/expression",
	"pkg/session", "pkg/state",
}

// riddles are the words that a reader has to solve, each with the plain way to say it.
var riddles = []struct {
	pattern *regexp.Regexp
	better  string
}{
	{regexp.MustCompile(`(?i)\btells? (?:whether|if)\b`), "reports whether"},
	{regexp.MustCompile(`^\w+ is (?:true|false) (?:if|for|unless)\b`), "reports whether"},
	{regexp.MustCompile(`\btold\b`), "report, log, send, count or distinguish"},
	{regexp.MustCompile(`(?i)\bof (?:ours|theirs|his|its own kind)\b`), "the owner's name: csmail's, Postfix's"},
	{regexp.MustCompile(`(?i)\b(?:that|which) (?:is|are|was) none\b|\bis none of\b`), "invalid, empty or unknown"},
	{regexp.MustCompile(`(?i)\bof before\b`), "older"},
	{regexp.MustCompile(`(?i)\bhas \S+(?: \S+)? looked at\b`), "schedules a look at"},
}

// riddlesIn returns the complaints about one comment.
func riddlesIn(text string) (complaints []string) {
	text = strings.Join(strings.Fields(text), " ")
	for _, r := range riddles {
		if found := r.pattern.FindString(text); found != "" {
			complaints = append(complaints, `"`+found+`", better: `+r.better)
		}
	}
	return complaints
}

func TestWording(t *testing.T) {
	for _, room := range plainRooms {
		paths, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Errorf("%s: got %d files (%v), want some", room, len(paths), err)
		}
		for _, path := range paths {
			if !strings.HasSuffix(path, "_test.go") {
				checkWording(t, path)
			}
		}
	}
}

func checkWording(t *testing.T, path string) {
	t.Helper()
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range docComments(tree) {
		for _, complaint := range riddlesIn(group.Text()) {
			t.Errorf("%s: got %s", files.Position(group.Pos()), complaint)
		}
	}
}

// docComments returns the comments of the package, its declarations and their fields.
func docComments(tree *ast.File) (groups []*ast.CommentGroup) {
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.File:
			groups = append(groups, n.Doc)
		case *ast.GenDecl:
			groups = append(groups, n.Doc)
		case *ast.FuncDecl:
			groups = append(groups, n.Doc)
		case *ast.TypeSpec:
			groups = append(groups, n.Doc, n.Comment)
		case *ast.ValueSpec:
			groups = append(groups, n.Doc, n.Comment)
		case *ast.Field:
			groups = append(groups, n.Doc, n.Comment)
		}
		return true
	})
	return slices.DeleteFunc(groups, func(g *ast.CommentGroup) bool { return g == nil })
}

func TestRiddlesAreFound(t *testing.T) {
	for text, want := range map[string]int{
		"isOpen reports whether the file is open.":                             0,
		"An error of the server ends it, and the outcome is the LAPI's.":       0,
		"isOpen tells whether the file is open.":                               1,
		"isOpen is true if the file is open.":                                  1,
		"told is an alert of ours that the LAPI has.":                          2,
		"An answer that\nis none comes from the LAPI.":                         1,
		"Files of before have their bans looked at; revive has it looked\nat.": 2,
	} {
		if got := riddlesIn(text); len(got) != want {
			t.Errorf("%q: got %d complaints %q, want %d", text, len(got), got, want)
		}
	}
}

// The table "Where is it decided?" names files for readers, so they must exist.
func TestArchitectureNamesFilesThatExist(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile("`((?:pkg|tests)/[^` ]*\\.go)`").FindAllSubmatch(text, -1)
	if len(paths) < 40 {
		t.Errorf("got %d files in docs/architecture.md, want at least 40", len(paths))
	}
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join("..", string(path[1]))); err != nil {
			t.Errorf("docs/architecture.md: got %v, want the file to exist", err)
		}
	}
}
