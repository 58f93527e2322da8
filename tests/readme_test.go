package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"csmail/pkg/cli"
)

// exampleBlock is a command of the README with what it prints.
var exampleBlock = regexp.MustCompile("(?s)```\n\\$ csmail ([^\n]+)\n(.*?)```\n")

var quoted = regexp.MustCompile(`'[^']*'|\S+`)

// took is what differs from run to run.
var took = regexp.MustCompile(`processed in \d+\.\d\d sec`)

// What the README and the guides say that csmail prints, csmail prints, on a screen of 80
// columns.
func TestReadme(t *testing.T) {
	t.Chdir("..")
	guides, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	atLeast := map[string]int{"README.md": 1, "docs/usage.md": 5}
	for _, path := range append(guides, "README.md") {
		t.Run(path, func(t *testing.T) {
			checkExamples(t, path, atLeast[path])
			checkWidth(t, path)
		})
	}
}

// shownLine begins a block of a command with what it prints.
var shownLine = regexp.MustCompile(`^\$ `)

// checkWidth finds lines of screens that are too wide for 80 columns, and screens of which
// no test knows whether csmail prints them. explain repeats the line that it was given.
func checkWidth(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(text), "```") {
		lines := strings.Split(strings.TrimPrefix(block, "\n"), "\n")
		if i%2 == 0 || !shownLine.MatchString(lines[0]) {
			continue
		}
		if !strings.HasPrefix(lines[0], "$ csmail ") {
			t.Errorf("%s: %q: only what csmail prints can be checked", path, lines[0])
		}
		for _, line := range lines[1:] {
			if utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "line 1: ") {
				t.Errorf("%s: %d columns: %s", path, utf8.RuneCountInString(line), line)
			}
		}
	}
}

func checkExamples(t *testing.T, path string, atLeast int) {
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // no Postfix or Dovecot of this host has a say
	t.Setenv("MAIL_CONFIG", t.TempDir())
	zone := time.Local
	time.Local = time.UTC
	defer func() { time.Local = zone }()
	examples := 0
	text := exampleBlock.ReplaceAllStringFunc(string(readme), func(block string) string {
		examples++
		parts := exampleBlock.FindStringSubmatch(block)
		args := quoted.FindAllString(parts[1], -1)
		for i := range args {
			args[i] = strings.Trim(args[i], "'")
		}
		var out bytes.Buffer
		if status := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out}); status != 0 {
			t.Errorf("csmail %s: status %d: %s", parts[1], status, out.String())
		}
		return "```\n$ csmail " + parts[1] + "\n" + took.ReplaceAllString(out.String(), "processed in 0.05 sec") + "```\n"
	})
	if examples < atLeast {
		t.Errorf("%s: got %d examples, want at least %d", path, examples, atLeast)
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i, line := range strings.Split(text, "\n") {
		if have := strings.Split(string(readme), "\n"); i >= len(have) || have[i] != line {
			t.Fatalf("%s, line %d: csmail prints %q; go test ./tests -run Readme -update", path, i+1, line)
		}
	}
}
