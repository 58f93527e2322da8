package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// measures are what the code of some folders comes to.
type measures struct {
	lines, commentLines       int
	words                     int
	found                     map[string]int // by row of rows
	exported, documented      int
	functions                 []int // lines of each
	methods                   map[string]int
	failures, failuresWantGot int
	places                    map[string][]string
}

// row is a kind of word that is counted in comments, for each 1000 words.
type row struct {
	name    string
	pattern *regexp.Regexp
	aim     string
}

var rows = []row{
	{"who, whom, whose, which, what", regexp.MustCompile(`(?i)\b(who|whom|whose|which|what)\b`), "under 6"},
	{"told, tell, tells", regexp.MustCompile(`(?i)\b(told|tells?)\b`), "under 0.5"},
	{"nobody, somebody, everybody, whoever", regexp.MustCompile(`(?i)\b(nobody|somebody|everybody|whoever)\b`), "under 0.5"},
	{"for example, e.g.", regexp.MustCompile(`(?i)\b(for example|for instance|e\.g\.)`), "above 0.5"},
}

var word = regexp.MustCompile(`[A-Za-z']+`)

// measure reads the Go files of folders; without any, those of the product.
func measure(dirs []string) (*measures, error) {
	if len(dirs) == 0 {
		dirs = []string{"cmd", "pkg"}
	}
	m := &measures{found: map[string]int{}, methods: map[string]int{}, places: map[string][]string{}}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			return m.file(path)
		})
		if err != nil {
			return nil, fmt.Errorf("measuring %s: %w", dir, err)
		}
	}
	return m, nil
}

func (m *measures) file(path string) error {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, "_test.go") {
		m.failuresOf(tree)
		return nil
	}
	m.lines += files.File(tree.Pos()).LineCount()
	for _, group := range tree.Comments {
		m.commentLines += files.Position(group.End()).Line - files.Position(group.Pos()).Line + 1
		m.comment(group.Text(), fmt.Sprintf("%s:%d", path, files.Position(group.Pos()).Line))
	}
	for _, declaration := range tree.Decls {
		m.declaration(files, path, tree.Name.Name, declaration)
	}
	return nil
}

func (m *measures) comment(text, place string) {
	m.words += len(word.FindAllString(text, -1))
	for _, r := range rows {
		if n := len(r.pattern.FindAllString(text, -1)); n > 0 {
			m.found[r.name] += n
			m.places[r.name] = append(m.places[r.name], place)
		}
	}
}

func (m *measures) declaration(files *token.FileSet, path, pkg string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		lines := files.Position(d.End()).Line - files.Position(d.Pos()).Line + 1
		m.functions = append(m.functions, lines)
		if d.Recv != nil {
			m.methods[pkg+"."+receiver(d)]++
		}
		if ast.IsExported(d.Name.Name) && (d.Recv == nil || ast.IsExported(receiver(d))) {
			m.export(d.Doc, fmt.Sprintf("%s:%d %s", path, files.Position(d.Pos()).Line, d.Name.Name))
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && ast.IsExported(s.Name.Name) {
				m.export(cmp.Or(s.Doc, d.Doc), fmt.Sprintf("%s:%d %s", path, files.Position(s.Pos()).Line, s.Name.Name))
			}
		}
	}
}

func receiver(d *ast.FuncDecl) string {
	expr := d.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	if index, ok := expr.(*ast.IndexExpr); ok {
		expr = index.X
	}
	if name, ok := expr.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

func (m *measures) export(doc *ast.CommentGroup, place string) {
	m.exported++
	if doc != nil {
		m.documented++
		return
	}
	m.places["undocumented"] = append(m.places["undocumented"], place)
}

var wantOrGot = regexp.MustCompile(`(?i)\b(want|got|expected)\b`)

// failuresOf counts messages of t.Errorf and t.Fatalf.
func (m *measures) failuresOf(tree *ast.File) {
	ast.Inspect(tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || selector.Sel.Name != "Errorf" && selector.Sel.Name != "Fatalf" {
			return true
		}
		if text, ok := call.Args[0].(*ast.BasicLit); ok && len(call.Args) > 1 {
			m.failures++
			if wantOrGot.MatchString(text.Value) {
				m.failuresWantGot++
			}
		}
		return true
	})
}

// perThousand is a count for each 1000 words of comments.
func (m *measures) perThousand(name string) float64 {
	return 1000 * float64(m.found[name]) / float64(max(m.words, 1))
}

// quantile is the length that a share of the functions does not pass.
func (m *measures) quantile(q float64) int {
	if len(m.functions) == 0 {
		return 0
	}
	slices.Sort(m.functions)
	return m.functions[int(q*float64(len(m.functions)-1))]
}

// mostMethods is the type with the most methods.
func (m *measures) mostMethods() (string, int) {
	best, most := "", 0
	for _, name := range slices.Sorted(maps.Keys(m.methods)) {
		if m.methods[name] > most {
			best, most = name, m.methods[name]
		}
	}
	return best, most
}

func (m *measures) print(w io.Writer, worst int) {
	line := func(name, value, aim string) { fmt.Fprintf(w, "%-44s %12s   %s\n", name, value, aim) }
	line("source lines", fmt.Sprint(m.lines), "")
	line("comment lines", fmt.Sprintf("%.1f %%", percent(m.commentLines, m.lines)), "14 to 18")
	line("exported names with a comment", fmt.Sprintf("%.1f %%", percent(m.documented, m.exported)), "99")
	line("function lines, median, p90, longest", fmt.Sprintf("%d %d %d", m.quantile(0.5), m.quantile(0.9), m.quantile(1)), "p90 under 25")
	name, most := m.mostMethods()
	line("most methods of a type", fmt.Sprintf("%d", most), "at most 40: "+name)
	line("failure messages with want or got", fmt.Sprintf("%.0f %%", percent(m.failuresWantGot, m.failures)), "at least 60")
	for _, r := range rows {
		line(r.name+", a 1000 words", fmt.Sprintf("%.2f", m.perThousand(r.name)), r.aim)
	}
	for _, kind := range slices.Sorted(maps.Keys(m.places)) {
		places := m.places[kind]
		for _, place := range places[:min(worst, len(places))] {
			fmt.Fprintf(w, "  %s: %s\n", kind, place)
		}
	}
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(whole, 1)) }
