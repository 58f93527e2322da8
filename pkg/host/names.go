package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// deepest is how far includes may be nested; Dovecot's own limit is of this order.
const deepest = 8

// mayName reports whether a configuration file of Postfix or Dovecot, or one that it
// includes (Dovecot: "!include PATTERN", "!include_try PATTERN"), names one of the
// settings outside of a comment. If not, they have their defaults and the program need
// not be run. That matters for Dovecot, because doveconf takes longer than csmail needs
// for a day's log. For a file that cannot be read it reports true.
func mayName(file string, settings []string, depth int) bool {
	text, err := os.ReadFile(file)
	if err != nil || depth > deepest {
		return true
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if slices.ContainsFunc(settings, func(name string) bool { return strings.Contains(line, name) }) {
			return true
		}
		if directive, pattern, ok := strings.Cut(line, " "); ok && strings.HasPrefix(directive, "!include") {
			if includesNamed(file, strings.TrimSpace(pattern), settings, depth) {
				return true
			}
		}
	}
	return false
}

func includesNamed(file, pattern string, settings []string, depth int) bool {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(file), pattern)
	}
	included, err := filepath.Glob(pattern)
	if err != nil {
		return true
	}
	return slices.ContainsFunc(included, func(file string) bool { return mayName(file, settings, depth+1) })
}
