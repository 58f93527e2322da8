package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"csmail/pkg/hint"
)

var (
	unknownKey = regexp.MustCompile(`^(line \d+): field (\S+) not found in type \S+$`)
	wrongForm  = regexp.MustCompile("(?s)^(line \\d+): cannot unmarshal !!(\\w+)(?: `(.*)`)? into (\\S+)$")
)

// plain turns yaml's errors about types of Go into errors about keys, each with a remedy.
func plain(err error) error {
	typeErr, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return formHint(hint.YAML(err))
	}
	var texts []string
	advice := ""
	for _, fault := range typeErr.Errors {
		text, mend := plainFault(fault)
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
		if advice == "" {
			advice = mend
		}
	}
	return hint.Wrap(errors.New(strings.Join(texts, "; ")), "%s", advice)
}

// formHint leads to the forms of the keys where nothing better is known.
func formHint(err error) error {
	if hint.Of(err) != "" {
		return err
	}
	return hint.Wrap(err, "docs/configuration.md lists every key with its form; spaces, not tabs, make the levels")
}

// plainFault rewrites one fault of yaml in the configuration's words.
func plainFault(fault string) (text, mend string) {
	if m := unknownKey.FindStringSubmatch(fault); m != nil {
		return fmt.Sprintf("%s: unknown key %q", m[1], m[2]), keyHint(m[2])
	}
	m := wrongForm.FindStringSubmatch(fault)
	if m == nil {
		return fault, "docs/configuration.md lists every key with its form"
	}
	found := fmt.Sprintf("%q", m[3])
	switch m[2] {
	case "seq":
		found = "a list"
	case "map":
		found = "a group of keys"
	}
	wanted, mend := wantedForm(m[4], m[3])
	return fmt.Sprintf("%s: %s stands where %s is wanted", m[1], found, wanted), mend
}

// wantedForm returns the form of a value that a Go type stands for.
func wantedForm(goType, value string) (form, mend string) {
	mend = "docs/configuration.md lists every key with its form"
	switch {
	case strings.HasPrefix(goType, "[]") && value != "":
		return "a list", fmt.Sprintf("a list stands in brackets, also one of a single entry: [%s]", value)
	case strings.HasPrefix(goType, "[]"):
		return "a list", mend
	case goType == "bool":
		return "true or false", mend
	case goType == "string":
		return "a text", mend
	case strings.HasPrefix(goType, "config.") || strings.HasPrefix(goType, "map["):
		return "a group of keys", mend
	}
	return "a number", mend
}

// keyHint names the key that may have been meant.
func keyHint(unknown string) string {
	var paths, names []string
	for _, k := range Keys() {
		paths = append(paths, k.Path)
		names = append(names, k.Path[strings.LastIndexByte(k.Path, '.')+1:])
	}
	if best := hint.Nearest(unknown, names, 2); best != "" {
		return fmt.Sprintf("did you mean %s?", paths[slices.Index(names, best)])
	}
	return "docs/configuration.md lists every key"
}
