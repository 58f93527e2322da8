package document

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"csmail/pkg/report"
)

// guessesAt is the log of an address that tries as many accounts.
func guessesAt(at time.Duration, addr string, accounts int) []string {
	var lines []string
	for i := range accounts {
		lines = append(lines, lineAt(at+time.Duration(i)*20*second, "dovecot", "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<u%d>, method=PLAIN, rip=%s, lip=192.0.2.1, TLS, session=<q%d>", i, addr, i))
	}
	return lines
}

// A ban of somebody who got in before needs a person, wherever the day was cut: it is an
// office of which one computer guesses, or a thief.
func TestBanOfSomebodyWhoGotIn(t *testing.T) {
	const value = "203.0.113.50"
	for name, tt := range map[string]struct {
		lines []string
		want  string // severity, subject; "" for none
	}{
		"a login, then guesses":      {append([]string{loginAt(minute, value)}, guessesAt(3*hour, value, 40)...), "warn " + value},
		"guesses only":               {guessesAt(3*hour, value, 40), ""},
		"a login from a neighbour":   {append([]string{loginAt(minute, "203.0.113.51")}, guessesAt(3*hour, value, 40)...), ""},
		"a login, and typing errors": {append([]string{loginAt(minute, value)}, guessesAt(3*hour, value, 2)...), ""},
		"guesses, then a login":      {append(guessesAt(3*hour, value, 40), loginAt(4*hour, value)), ""},
	} {
		k, r := newKeeper(t), newReader()
		for i, line := range tt.lines {
			if k.read(r, line); i%9 == 8 {
				k.restart()
			}
		}
		since, until := day("2026-11-28")
		ofLog := Maker{Zone: time.UTC}.Of(windowOf(tt.lines, report.Scope{Since: since, Until: until}), Surroundings{Since: since, Until: until})
		for source, d := range map[string]*Document{"the log": ofLog, "the daemon": k.report(since, until)} {
			got := ""
			for _, f := range d.Findings {
				if f.ID == "banned-after-login" {
					got += fmt.Sprint(f.Severity, " ", f.Subjects[0])
				}
			}
			if got != tt.want {
				t.Errorf("%s, of %s: got %q, want %q", name, source, got, tt.want)
			}
		}
	}
	if !slices.Contains(FindingIDs, "banned-after-login") {
		t.Error("banned-after-login is not listed, so --fail-on refuses it")
	}
}
