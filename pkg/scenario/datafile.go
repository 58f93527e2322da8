package scenario

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// dataFiles are the files of the "data" sections, by their dest_file. A data
// file is read when the scenario is loaded; source_url is never fetched.
type dataFiles struct {
	texts    map[string][]string
	patterns map[string][]*regexp.Regexp
}

func newDataFiles() *dataFiles {
	return &dataFiles{texts: map[string][]string{}, patterns: map[string][]*regexp.Regexp{}}
}

func (d *dataFiles) lines(name string) []string {
	if lines, ok := d.texts[name]; ok {
		return lines
	}
	return []string{}
}

func (d *dataFiles) matches(text, name string) bool {
	for _, re := range d.patterns[name] {
		if re.MatchString(text) {
			return true
		}
	}
	return false
}

// load reads a file of the type string or regexp. It lies beside the scenario or
// at the top of fsys. Empty lines and those that begin with # are left out
// (pkg/exprhelpers/helpers.go, FileInit).
func (d *dataFiles) load(fsys fs.FS, folder, name, kind string) error {
	text, err := fs.ReadFile(fsys, path.Join(folder, name))
	if err != nil {
		if text, err = fs.ReadFile(fsys, path.Clean(name)); err != nil {
			return fmt.Errorf("read data file %q: %w", name, err)
		}
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if kind == "string" {
		d.texts[name] = lines
		return nil
	}
	var patterns []*regexp.Regexp
	for _, line := range lines {
		re, err := regexp.Compile(line)
		if err != nil {
			return fmt.Errorf("data file %q: %w", name, err)
		}
		patterns = append(patterns, re)
	}
	d.patterns[name] = patterns
	return nil
}
