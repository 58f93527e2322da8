package render

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"csmail/pkg/control"
	"csmail/pkg/lapi"
	"csmail/pkg/report"
	"csmail/pkg/scenario/check"
)

// Each screen fits 80 columns, whatever is on it, and shows all of what it should.
func TestScreensFit(t *testing.T) {
	at := time.Date(2026, 11, 29, 13, 0, 0, 0, time.UTC)
	const long = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
	sentence := strings.Repeat("of its attempts are excused by the rule login-outage ", 3) + strings.Repeat("x", 120)
	alerts := []control.Alert{
		{ID: "5f0c81aa", Scenario: "csmail/auth-bf", Scope: "Ip", Value: "203.0.113.7", Count: 6, Last: at, Status: "held", Reason: "login-outage: " + sentence},
		{ID: "6f0c81aa", Scenario: "csmail/a-scenario-with-a-name-that-is-much-too-long", Scope: "Range", Value: long + "/64", Count: 60000, Last: at, Status: "outbox"},
		{ID: "7f0c81aa", Scenario: "csmail/auth-bf", Scope: "username", Value: strings.Repeat("account", 20) + "@example.org", Count: 6, Last: at, Status: "parked"},
	}
	enforcement := &control.Enforcement{
		Decisions: 15000, LastPull: at,
		Doors: []control.Door{
			{Name: "auth-policy", Places: []string{"127.0.0.1:10043"}, Asked: 123456789, Refused: 1234567, Errors: 12345, LastAsked: at},
			{Name: "policy", Places: []string{"127.0.0.1:10040", "/var/spool/postfix/csmail/policy.sock", "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:10040"}},
		},
		Refused: []control.Refused{
			{At: at, Addr: long, Door: "auth-policy", Service: "submission", ID: 123456789, Type: "captcha", Origin: "lists:a-list-with-a-name", DryRun: true},
			{At: at, Addr: "203.0.113.7", Door: "auth-policy", Service: "imap", Origin: "csmail-country"},
		},
		Countries: &control.Countries{Mode: "refuse", Logins: 1, Accounts: 20000, Abroad: []control.Abroad{{At: at, Addr: long, Country: "FR", Account: sentence}}},
	}
	why := Answer{Why: report.Why{
		Addr:     netip.MustParseAddr(long),
		Alerts:   []report.Alert{{Scenario: "csmail/auth-bf", Scope: "Ip", Value: long, Verdict: "hold", Reason: sentence, Checks: []string{sentence}}},
		Evidence: []report.Evidence{{Time: at, Kind: "auth-failed", Line: sentence}},
		History:  []string{sentence}, Enforced: []string{sentence},
	}, LAPI: []lapi.Known{{Scenario: "csmail/auth-bf", Value: long, Message: sentence}}}
	for name, c := range map[string]struct {
		print func(*bytes.Buffer, Screen) error
		want  []string
	}{
		"outbox list":    {func(b *bytes.Buffer, s Screen) error { return AlertList(b, alerts, s) }, []string{"203.0.113.7", long, "5f0c81aa", "held: login-outage: of its", "waits for the LAPI"}},
		"enforce status": {func(b *bytes.Buffer, s Screen) error { return Enforcement(b, enforcement, s) }, []string{"/var/spool/postfix/csmail/policy.sock", "new country", "(dry run)", long}},
		"why -v":         {func(b *bytes.Buffer, s Screen) error { return Why(b, why, time.UTC, true, s) }, []string{"auth-failed", "What the LAPI has"}},
		"why":            {func(b *bytes.Buffer, s Screen) error { return Why(b, why, time.UTC, false, s) }, []string{"-v shows all lines"}},
		"scenarios test": {func(b *bytes.Buffer, s Screen) error {
			return Trials(b, []check.Run{{Scenario: "csmail/x", Log: "x/over.log", Wants: true}, {Scenario: "mine/" + strings.Repeat("y", 90), Log: "z/over.log", Wants: true, Overflows: 1}}, s)
		}, []string{"FAILED      0       0          0  some    x/over.log", "2 logs, 1 failed"}},
	} {
		for _, screen := range []Screen{{}, {Terminal: true, Columns: 80}, {Terminal: true, Columns: 80, Color: true}} {
			var b bytes.Buffer
			if err := c.print(&b, screen); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := text.StringWidthWithoutEscSequences(strings.TrimSuffix(line, "\n")); n > 80 {
					t.Errorf("csmail %s, %+v: got a line of %d columns, want 80 at the most: %s", name, screen, n, line)
				}
			}
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("csmail %s, %+v: got\n%swant %q in it", name, screen, b.String(), want)
				}
			}
		}
	}
}
