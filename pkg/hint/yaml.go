package hint

import (
	"errors"
	"regexp"
	"strings"
)

// A scanner error of yaml.v3 (scannerc.go, parserc.go, v3.0.1) names a line, but for the
// first.
var syntaxLine = regexp.MustCompile(`^yaml: (line \d+: )?(.*)$`)

// syntaxes explain the errors of YAML's scanner, each with its remedy.
var syntaxes = []struct{ said, text, mend string }{
	{"found character that cannot start any token", "a tab, or a character such as @, ` or %, begins a value", "indent with spaces, and put a value with such a character in quotes: \"@x\""},
	{"found a tab character", "a tab stands where spaces are wanted", "indent with spaces"},
	{"did not find expected ',' or ']'", "a list that begins with [ is not closed", "close it with ]; a comma stands between its entries"},
	{"did not find expected ',' or '}'", "a group that begins with { is not closed", "close it with }; a comma stands between its entries"},
	{"mapping values are not allowed in this context", "a second colon, or a key that is indented too far", "put a text with a colon in quotes: \"a: b\""},
	{"found unexpected end of stream", "a text in quotes is not closed", "close it with the same quotes"},
	{"could not find expected ':'", "a colon is missing behind a key", "write key: value"},
	{"did not find expected key", "the indentation does not fit the lines above", "keys of one group begin in one column"},
	{"did not find expected node content", "a value is missing behind [, { or a comma", "complete it; a text with such a character belongs in quotes"},
	{"did not find expected '-' indicator", "the indentation does not fit the list above", "entries of one list begin in one column, each with a dash"},
	{"block sequence entries are not allowed in this context", "a list begins in the line of its key", "put the first dash on a line of its own, or write [a, b]"},
	{"unknown anchor", "a value begins with *", "put it in quotes: \"*\""},
	{"did not find expected alphabetic or numeric character", "a value begins with * or &", "put it in quotes: \"*\""},
	{"found unknown escape character", "a backslash in double quotes begins an escape that YAML does not know", "take single quotes"},
}

// YAML says in plain words why a text is no YAML, and where; the hint mends it. Other
// errors come back as they are. The new error holds nothing of the text, which may be a
// password.
func YAML(err error) error {
	m := syntaxLine.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	where := m[1]
	if where == "" && !strings.HasPrefix(m[2], "unknown anchor") { // which never has a line
		where = "line 1: "
	}
	for _, s := range syntaxes {
		if strings.Contains(m[2], s.said) {
			return Wrap(errors.New(where+s.text), "%s", s.mend)
		}
	}
	return Wrap(errors.New(where+m[2]), "each line is key: value; spaces, not tabs, make the levels")
}
