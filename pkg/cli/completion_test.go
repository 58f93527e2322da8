package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completed is what cobra answers the shells: a value a line, and a directive at the end.
func completed(t *testing.T, words ...string) (values []string, directive string) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := Main(t.Context(), append([]string{cobra.ShellCompRequestCmd}, words...), Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); status != exitOK {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

func TestCompletionOfValues(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "csmail.yaml")
	if err := os.WriteFile(conf, []byte("scenarios: [strict]\nsocket: "+conf+".sock\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const noFiles = ":4"
	tests := map[string]struct {
		words     []string
		want      string // one of the values
		directive string
	}{
		"grouping":           {[]string{"scan", "--by", ""}, "country", noFiles},
		"order":              {[]string{"scan", "--sort", "l"}, "last", noFiles},
		"format of scan":     {[]string{"scan", "-o", ""}, "raw", noFiles},
		"format of report":   {[]string{"report", "-o", "h"}, "html", noFiles},
		"format of held":     {[]string{"held", "list", "-o", ""}, "json", noFiles},
		"scenario":           {[]string{"scan", "-s", "csmail/auth-s"}, "csmail/auth-spray", noFiles},
		"configured ones":    {[]string{"scan", "-c", conf, "-s", ""}, "csmail/strict-auth", noFiles},
		"ones that are read": {[]string{"scan", "--scenarios", "strict", "-s", ""}, "csmail/strict-auth", noFiles},
		"sets":               {[]string{"backtest", "--against", ""}, "strict", ":0"},
		"finding":            {[]string{"report", "--fail-on", "urg"}, "urgent", noFiles},
		"colour":             {[]string{"scan", "--color", ""}, "never", noFiles},
		"since":              {[]string{"scan", "--since", "y"}, "yesterday", noFiles},
		"scenario to show":   {[]string{"scenarios", "show", "auth-b"}, "auth-bf", noFiles},
		"logs of why":        {[]string{"why", "203.0.113.7", ""}, "", ":0"},
		"log of scan":        {[]string{"scan", ""}, "", ":0"},
		"no daemon":          {[]string{"held", "release", "-c", conf, ""}, "", noFiles},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			values, directive := completed(t, tt.words...)
			if directive != tt.directive {
				t.Errorf("got directive %s, want %s", directive, tt.directive)
			}
			if found := strings.Contains("\n"+strings.Join(values, "\n")+"\n", "\n"+tt.want+"\n"); tt.want != "" && !found {
				t.Errorf("got %q, want %q among them", values, tt.want)
			}
		})
	}
}

// Each format that a command offers is one that it takes: the help and the completion
// come from one text.
func TestFormatsAreTaken(t *testing.T) {
	var visit func(c *cobra.Command)
	formats := 0
	visit = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "output" {
				return
			}
			for _, format := range outputFormats(c) {
				formats++
				if strings.ContainsAny(format, " ,") || format == "" {
					t.Errorf("%s: %q of %q is no format", c.CommandPath(), format, f.Usage)
				}
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(Commands())
	if formats < 15 {
		t.Errorf("got %d formats, want those of all commands", formats)
	}
}
