package render

import (
	"strings"
	"testing"

	"csmail/pkg/check"
)

// someChecks hold one result of each level. A text of a client's making stands in none,
// but an error text may hold "|" and control characters.
var someChecks = []check.Result{
	{Name: "service", Text: "csmail 1.0 runs since 2026-11-29 08:00 UTC", Findings: []check.Finding{{Level: check.Note, Problem: "advice", Mend: "do it"}}},
	{Name: "logs", Level: check.Warning, Text: "a|b\nc\x1b", Findings: []check.Finding{{Level: check.Warning, Problem: "a|b\nc\x1b", Mend: "sh -c 'x | y'"}}},
	{
		Name: "lapi", Level: check.Critical, Text: strings.Repeat("word ", 19) + "word",
		Findings: []check.Finding{{Level: check.Critical, Problem: strings.Repeat("word ", 19) + "word"}, {Level: check.Warning, Problem: "and this"}},
	},
}

func TestCheck(t *testing.T) {
	const want = `3 checks: 1 ok, 1 warning, 1 critical
ok        service    csmail 1.0 runs since 2026-11-29 08:00 UTC
    note: advice
    mend: do it
warning   logs       a|b; c?
    mend: sh -c 'x | y'
critical  lapi       word word word word word word word word word word word word
                     word word word word word word word word
    warning: and this
`
	var b strings.Builder
	if err := Check(&b, someChecks); err != nil || b.String() != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, b.String(), want)
	}
}

func TestNagios(t *testing.T) {
	for name, tt := range map[string]struct {
		results []check.Result
		want    string // the first line
	}{
		"ok":       {someChecks[:1], "CSMAIL OK - 1 check | checks=1 warning=0 critical=0"},
		"warning":  {someChecks[:2], `CSMAIL WARNING - logs: a/b; c? | checks=2 warning=1 critical=0`},
		"critical": {someChecks, "CSMAIL CRITICAL - lapi: " + strings.Repeat("word ", 19) + "word" + `; logs: a/b; c? | checks=3 warning=1 critical=1`},
	} {
		var b strings.Builder
		err := Nagios(&b, tt.results)
		first, rest, _ := strings.Cut(b.String(), "\n")
		if err != nil || first != tt.want {
			t.Errorf("%s: got %v, %q, want %q", name, err, first, tt.want)
		}
		if strings.Contains(rest, "|") {
			t.Errorf("%s: got a | in the long output %q, at which a monitor begins the figures", name, rest)
		}
	}
}
