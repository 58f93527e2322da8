package render

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"csmail/pkg/guard"
	"csmail/pkg/report"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// With colours the screens say the same as without, and what a client wrote brings no
// colour along.
func TestColors(t *testing.T) {
	inUTC(t)
	banned := source("203.0.113.7", 12, "2026-06-03T04:11:09Z", "a\x1b[32mb")
	banned.Verdict, banned.By = guard.Verdict{Action: guard.Ban}, "csmail/auth-bf"
	held := source("203.0.113.8", 9, "2026-06-03T04:12:00Z")
	held.Verdict = guard.Verdict{Action: guard.Hold, Rule: guard.LoginOutage}
	breakIn := report.BreakIn{Addr: banned.Addr, User: "e\x1b[32mve", Guesses: 40, At: banned.Last}
	broken := status()
	broken.Troubles = []string{"mail.log is not read: \x1b[32mno"}
	addr := netip.MustParseAddr("203.0.113.7")
	answer := Answer{Why: report.Why{Addr: addr, Alerts: []report.Alert{{Verdict: "ban", Scenario: "x\x1b[32my", Count: 6}}}}
	screens := map[string]struct {
		print func(*bytes.Buffer, Screen) error
		want  []string // what is coloured
	}{
		"scan": {func(b *bytes.Buffer, s Screen) error {
			return Sources(b, []*report.Source{banned, held}, Overview{Zone: time.UTC, BreakIns: []report.BreakIn{breakIn}}, s)
		}, []string{urgent + "! BREAK-IN? 203.0.113.7 logged in as e?[32mve", red + "ban auth-bf" + plain, yellow + "hold login-outage" + plain}},
		"status that is well": {func(b *bytes.Buffer, s Screen) error { return Status(b, status(), s) }, []string{green + "csmail works", red + "Jun  3 05:00  203.0.113.7"}},
		"status that is not":  {func(b *bytes.Buffer, s Screen) error { return Status(b, broken, s) }, []string{urgent + "csmail does NOT", red + "mail.log is not read: ?[32mno" + plain}},
		"why":                 {func(b *bytes.Buffer, s Screen) error { return Why(b, answer, time.UTC, false, s) }, []string{red + "203.0.113.7 is to be banned"}},
	}
	for name, tt := range screens {
		t.Run(name, func(t *testing.T) {
			var bare, coloured bytes.Buffer
			if err := tt.print(&bare, Screen{}); err != nil {
				t.Fatal(err)
			}
			if err := tt.print(&coloured, Screen{Color: true}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(bare.String(), "\x1b") || strings.Contains(coloured.String(), "\x1b[32me") {
				t.Errorf("colours of a client in %q", bare.String())
			}
			if got := escapes.ReplaceAllString(coloured.String(), ""); got != bare.String() {
				t.Errorf("got\n%swant\n%s", got, bare.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(coloured.String(), want) {
					t.Errorf("got\n%q\nwant %q in it", coloured.String(), want)
				}
			}
		})
	}
}
