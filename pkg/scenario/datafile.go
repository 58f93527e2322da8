package scenario

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"csmail/pkg/scenario/expression"
)

// readDataFile reads a file of the type string or regexp when a scenario is
// loaded; source_url is never fetched. The file lies beside the scenario or
// at the top of fsys. Empty lines and those that begin with # are left out
// (pkg/exprhelpers/helpers.go, FileInit).
func readDataFile(d *expression.DataFiles, fsys fs.FS, folder, name, kind string) error {
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
		d.Texts[name] = lines
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
	d.Patterns[name] = patterns
	return nil
}
