package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"csmail/pkg/cli"
)

const manFiles = `.SH FILES
.TP
.I /etc/csmail/csmail.yaml
the configuration; a file of the same name with
.I .local
behind it is laid over it
.TP
.I /etc/csmail/lapi_credentials.yaml
how to reach CrowdSec's Local API, as
.B cscli machines add
writes it
.TP
.I /var/lib/csmail/csmail.db
what
.B csmail run
keeps
.TP
.I /run/csmail/csmail.sock
where the other commands ask it
`

// Each command has its manual page, docs/man/csmail-COMMAND.1, which says what its
// --help says; a packager installs docs/man/*.1 as they are.
func TestManualPages(t *testing.T) {
	root := cli.Commands()
	pages := map[string]string{"csmail.1": manualOf(root)}
	for _, c := range documented(root) {
		pages[manName(c)+".1"] = manualOf(c)
	}
	if len(pages) < 10 {
		t.Fatalf("only %d pages", len(pages))
	}
	there, err := filepath.Glob("../docs/man/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if pages[filepath.Base(path)] != "" {
			continue
		}
		if !*update {
			t.Errorf("%s is the page of no command", path)
		} else if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
	for name, text := range pages {
		checkDocument(t, "../docs/man/"+name, text)
	}
}

// Text that roff would take for a request or an escape stays text.
func TestManualText(t *testing.T) {
	for text, want := range map[string]string{
		"a-b":                       ".PP\na\\-b\n",
		`c:\new`:                    ".PP\nc:\\enew\n",
		".PP is text":               ".PP\n\\&.PP is text\n",
		"'quoted'":                  ".PP\n\\&'quoted'\n",
		"one\ntwo\n\nthree":         ".PP\none\ntwo\n.PP\nthree\n",
		"see:\n\n  run -t\n\nthere": ".PP\nsee:\n.PP\n.nf\n  run \\-t\n.fi\n.PP\nthere\n",
	} {
		if got := manText(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// documented are the commands but help, which is what a page is for.
func documented(root *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(root.Commands()), func(c *cobra.Command) bool { return c.Name() == "help" })
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func manualOf(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".\\\" Written by go test ./tests -update from the help of the command.\n")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"csmail %s\" \"csmail\"\n", roff(strings.ToUpper(manName(c))), cli.Release)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(c)), roff(c.Short))
	b.WriteString(".SH SYNOPSIS\n" + synopsis(c))
	b.WriteString(".SH DESCRIPTION\n" + manText(describe(c)))
	b.WriteString(manOptions(c, ".SH OPTIONS\n"))
	if c.HasParent() {
		b.WriteString(subcommands(c))
	} else {
		b.WriteString(manFiles)
	}
	b.WriteString(".SH SEE ALSO\n" + manSeeAlso(c))
	return b.String()
}

func describe(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short
}

func synopsis(c *cobra.Command) string {
	rest := strings.TrimPrefix(c.UseLine(), c.CommandPath())
	return fmt.Sprintf(".B %s\n%s\n", roff(c.CommandPath()), roff(strings.TrimSpace(rest)))
}

// subcommands describes those of a command in its own page.
func subcommands(c *cobra.Command) string {
	if !c.HasAvailableSubCommands() {
		return ""
	}
	var b strings.Builder
	b.WriteString(".SH COMMANDS\n")
	for _, sub := range c.Commands() {
		fmt.Fprintf(&b, ".SS %s\n", roff(sub.CommandPath()))
		b.WriteString(synopsis(sub) + manText(describe(sub)) + manOptions(sub, ""))
	}
	return b.String()
}

// manOptions lists the flags of a command and those it has from csmail itself.
func manOptions(c *cobra.Command, heading string) string {
	c.InitDefaultHelpFlag()
	var b strings.Builder
	b.WriteString(heading)
	add := func(f *pflag.Flag) {
		if f.Hidden || c.Parent() != c.Root() && c.HasParent() && f.Name == "config" {
			return // csmail's own stand above, those of a group with the group
		}
		value, usage := pflag.UnquoteUsage(f)
		name := `\fB\-\-` + roff(f.Name) + `\fR`
		if f.Shorthand != "" {
			name = `\fB\-` + f.Shorthand + `\fR, ` + name
		}
		if value != "" {
			name += ` \fI` + roff(value) + `\fR`
		}
		if !slices.Contains([]string{"", "false", "[]"}, f.DefValue) {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(&b, ".TP\n%s\n%s\n", name, roff(usage))
	}
	c.LocalFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	return b.String()
}

func manSeeAlso(c *cobra.Command) string {
	var pages []string
	if c.HasParent() {
		pages = append(pages, "csmail")
	}
	for _, other := range documented(c.Root()) {
		if other != c {
			pages = append(pages, manName(other))
		}
	}
	var b strings.Builder
	for i, page := range pages {
		comma := ","
		if i == len(pages)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, ".BR %s (1)%s\n", roff(page), comma)
	}
	return b.String()
}

// manText sets paragraphs, and leaves those with indented lines as they are.
func manText(text string) string {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(strings.Trim(paragraph, "\n"), "\n")
		verbatim := slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "  ") || strings.HasPrefix(l, "\t") })
		b.WriteString(".PP\n")
		if verbatim {
			b.WriteString(".nf\n")
		}
		for _, line := range lines {
			b.WriteString(roff(line) + "\n")
		}
		if verbatim {
			b.WriteString(".fi\n")
		}
	}
	return b.String()
}

// roff keeps text from being read as requests and escapes (groff(7)).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
