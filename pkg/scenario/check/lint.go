// Package check checks scenario files before a person uses them or sends them to
// CrowdSec's hub.
//
// [File] checks one file as the hub's linter does (hublint and the taxonomy of
// crowdsecurity/hub): names, descriptions, labels. Faults that make a file unusable come
// from package scenario.
//
// [Logs] runs a scenario over its test logs, as the hub's hubtest does. A folder TESTS/NAME
// holds the logs. With those named over… the scenario must overflow, with those named
// under… it must not. A log is read and joined as by the other commands and poured into
// the scenario. The guard is not asked, because a test is about the threshold.
//
// The package reads through the given fs.FS, changes no file, and makes no decision about
// a source.
package check

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"csmail/pkg/scenario"
)

// Finding is one fault of a file.
type Finding struct {
	File string `json:"file"`
	Line int    `json:"line"` // 1-based, 0 for the file as a whole
	Text string `json:"text"`
}

// String returns the finding as one line of output.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Files returns the scenario files under name: the file of that name, or every *.yaml
// and *.yml below the folder, sorted.
func Files(fsys fs.FS, name string) ([]string, error) {
	var files []string
	err := fs.WalkDir(fsys, name, func(found string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		isYAML := strings.HasSuffix(found, ".yaml") || strings.HasSuffix(found, ".yml")
		if !entry.IsDir() && (isYAML || found == name) {
			files = append(files, found)
		}
		return nil
	})
	return files, err
}

// File checks one file of fsys and returns the findings sorted by line. name is its path
// in fsys. full is its path for messages, and its last two parts must agree with the
// scenario's name.
func File(fsys fs.FS, name, full string) ([]Finding, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read scenario file: %w", err)
	}
	f := &file{name: full}
	f.load(fsys, name)
	f.documents(text)
	slices.SortStableFunc(f.findings, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return slices.CompactFunc(f.findings, func(a, b Finding) bool { return a == b }), nil
}

// file is a file under examination.
type file struct {
	name     string
	findings []Finding
}

func (f *file) say(line int, format string, args ...any) {
	f.findings = append(f.findings, Finding{f.name, line, fmt.Sprintf(format, args...)})
}

// load loads the file with package scenario, and notes the fault that stops it.
func (f *file) load(fsys fs.FS, name string) {
	set, err := scenario.Load(fsys, name)
	if problem, ok := errors.AsType[*scenario.Problem](err); ok {
		// The faults that the hub's linter also checks are reported below, in its words.
		key := ""
		if problem.Key != "" {
			key = problem.Key + ": "
		}
		f.say(problem.Line, "%s%v", key, problem.Err)
		return
	}
	if err != nil {
		f.say(0, "%v", err)
		return
	}
	if len(set.Scenarios()) == 0 {
		f.say(0, "the file holds no scenario")
	}
	for _, s := range set.Scenarios() {
		for _, note := range s.Notes {
			f.say(s.Line, "%s: %s", s.Name, note)
		}
	}
}

// documents checks the hub's demands beyond those of CrowdSec itself.
func (f *file) documents(text []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for first := true; ; {
		var node yaml.Node
		if err := decoder.Decode(&node); err != nil {
			return // the end, or a fault that load has reported
		}
		if len(node.Content) == 1 && node.Content[0].Kind == yaml.MappingNode {
			f.document(node.Content[0], first)
			first = false
		}
	}
}

// keys are the values of a mapping by their keys.
func keys(node *yaml.Node) map[string]*yaml.Node {
	found := map[string]*yaml.Node{}
	if node == nil || node.Kind != yaml.MappingNode {
		return found
	}
	for i := 0; i < len(node.Content); i += 2 {
		found[node.Content[i].Value] = node.Content[i+1]
	}
	return found
}

func (f *file) document(node *yaml.Node, first bool) {
	d := keys(node)
	switch name := d["name"]; {
	case name == nil || name.Value == "":
		f.say(node.Line, "name: each document needs one, AUTHOR/FILE")
	default:
		f.nameOf(name, first)
	}
	if description := d["description"]; description == nil || description.Value == "" {
		f.say(node.Line, "description: each document needs one")
	}
	labels := d["labels"]
	if labels == nil || labels.Kind != yaml.MappingNode {
		f.say(node.Line, "labels: each document needs them: service, behavior, label, confidence, spoofable, classification, remediation")
		return
	}
	f.labels(labels)
}

// nameOf checks author-match-key of hublint: scenarios/AUTHOR/BASENAME.yaml. The
// file is named after its first document.
func (f *file) nameOf(name *yaml.Node, first bool) {
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.name), ".yaml"), ".yml")
	author, own, isPath := strings.Cut(name.Value, "/")
	switch folder := path.Base(path.Dir(f.name)); {
	case !isPath || author == "" || own == "":
		f.say(name.Line, "name: %q is not AUTHOR/FILE, as %q would be", name.Value, authorOf(folder)+"/"+base)
	case first && own != base:
		f.say(name.Line, "name: %q does not go with the file %q; the hub wants %q", name.Value, path.Base(f.name), author+"/"+base)
	case folder != "." && folder != "/" && folder != author:
		f.say(name.Line, "name: %q lies in the folder %q; the hub wants %q", name.Value, folder, author)
	}
}

func authorOf(folder string) string {
	if folder == "." || folder == "/" {
		return "AUTHOR"
	}
	return folder
}
