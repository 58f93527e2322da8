package daily

import (
	"fmt"
	"testing"
	"time"

	"csmail/pkg/event"
)

// A login through a Dovecot proxy counts once where the proxy and the server behind it
// log to one place.
func TestLoginsThroughAProxy(t *testing.T) {
	front := func(session string) string {
		return "front dovecot: imap-login: proxy(bob,198.51.100.5:143): Started proxying to remote host (4.027 secs): user=<bob>, method=PLAIN, rip=203.0.113.10, lip=198.51.100.1, session=<" + session + ">"
	}
	old := func(session string) string {
		return "front dovecot: imap-login: proxy(bob): started proxying to 198.51.100.5:143: user=<bob>, method=PLAIN, rip=203.0.113.10, lip=198.51.100.1, session=<" + session + ">"
	}
	back := func(session string) string {
		return "back dovecot: imap-login: Logged in: user=<bob>, method=PLAIN, rip=203.0.113.10, lip=198.51.100.1, mpid=82, secured, session=<" + session + ">"
	}
	for name, tt := range map[string]struct {
		lines []string
		want  int
	}{
		"the server first":            {[]string{back("a"), front("a")}, 1},
		"the proxy first":             {[]string{old("a"), back("a")}, 1},
		"one after the other":         {[]string{front("a"), back("a"), back("b"), front("b"), front("c"), back("c")}, 3},
		"one amid the other":          {[]string{front("a"), front("b"), back("b"), back("a")}, 2},
		"the proxy alone":             {[]string{front("a"), front("b")}, 2},
		"the server alone":            {[]string{back("a"), back("b"), back("b")}, 3},
		"a session without its other": {[]string{front("a"), back("b")}, 2},
		"twice":                       {[]string{front("a"), back("a"), front("a"), back("a")}, 2},
	} {
		var lines []string
		for i, line := range tt.lines {
			lines = append(lines, fmt.Sprintf("2026-11-28T09:00:%02d+00:00 %s", i, line))
		}
		figures := NewFigures()
		count(t, lines, func(time.Time) *Figures { return figures })
		if figures.LoginsOK != tt.want || len(figures.Users) != 1 {
			t.Errorf("%s: got %d logins of %d accounts, want %d of 1", name, figures.LoginsOK, len(figures.Users), tt.want)
		}
	}
}

// One with a line on each side of the end of a window counts in one of two windows.
func TestLoginOverTheEndOfAWindow(t *testing.T) {
	lines := []string{
		"2026-11-28T23:59:59+00:00 back dovecot: imap-login: Logged in: user=<bob>, method=PLAIN, rip=203.0.113.10, lip=198.51.100.1, mpid=82, secured, session=<a>",
		"2026-11-29T00:00:00+00:00 front dovecot: imap-login: proxy(bob,198.51.100.5:143): Started proxying to remote host (4.027 secs): user=<bob>, method=PLAIN, rip=203.0.113.10, lip=198.51.100.1, session=<a>",
	}
	late := NewFigures()
	count(t, lines, func(at time.Time) *Figures {
		if at.Hour() == 0 {
			return late
		}
		return nil
	})
	if late.LoginsOK != 0 {
		t.Errorf("got %d logins after midnight, want 0", late.LoginsOK)
	}
}

// Other logins may come between the two lines about one, but not any number of them.
func TestLoginsAreForgotten(t *testing.T) {
	for others, want := range map[int]int{20: 21, 100_000: 100_002} {
		figures := NewFigures()
		logins := NewLogins(Options{At: func(time.Time) *Figures { return figures }})
		add := func(session string, cause event.Cause) {
			logins.Add(&event.Record{Event: event.Event{Kind: event.LoginOK, Service: event.Dovecot, Session: session, Cause: cause}})
		}
		add("a", event.Relayed)
		for i := range others {
			add(fmt.Sprint(i), event.NoCause)
		}
		if add("a", event.NoCause); figures.LoginsOK != want {
			t.Errorf("with %d others: got %d logins, want %d", others, figures.LoginsOK, want)
		}
	}
}
