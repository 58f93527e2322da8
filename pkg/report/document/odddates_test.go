package document

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// oddLines returns n lines of a host from a time on, one a minute, that count nothing but
// themselves.
func oddLines(host string, at time.Time, n int) []string {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf("%s %s postfix/master[1]: reload -- version 3.7.11, configuration /etc/postfix", at.Add(time.Duration(i)*time.Minute).Format("2006-01-02T15:04:05Z07:00"), host))
	}
	return lines
}

// woven puts one of some lines behind every third of others.
func woven(lines, among []string) []string {
	var all []string
	for i, line := range lines {
		if all = append(all, line); i%3 == 0 && i/3 < len(among) {
			all = append(all, among[i/3])
		}
	}
	return all
}

// Lines with a wrong date change nothing in the reports of the other days, wherever they
// stand, and also if csmail was restarted meanwhile.
func TestLinesWithAWrongDate(t *testing.T) {
	lines := dayLines(4)
	half := len(lines) / 2
	future, past := time.Date(2029, 5, 6, 7, 0, 0, 0, time.UTC), time.Date(2024, 5, 6, 7, 0, 0, 0, time.UTC)
	soon := time.Date(2026, 12, 9, 7, 0, 0, 0, time.UTC)
	tests := map[string][]string{
		"a line of a later year":                  slices.Insert(slices.Clone(lines), half, oddLines("mx1", future, 1)...),
		"a clock that was ahead for a while":      slices.Insert(slices.Clone(lines), half, oddLines("mx1", future, 300)...),
		"a clock that was ahead for some days":    slices.Insert(slices.Clone(lines), half, oddLines("mx1", soon, 300)...),
		"a clock that was ahead at the start":     slices.Insert(slices.Clone(lines), 0, oddLines("mx1", future, 300)...),
		"a first line that is ahead":              slices.Insert(slices.Clone(lines), 0, oddLines("mx1", soon, 1)...),
		"a first line of 1970":                    slices.Insert(slices.Clone(lines), 0, oddLines("mx1", time.Unix(60, 0).UTC(), 1)...),
		"an old file that is read meanwhile":      slices.Insert(slices.Clone(lines), half, oddLines("mx1", past, 2000)...),
		"a clock that was behind for a while":     slices.Insert(slices.Clone(lines), half, oddLines("mx1", past, 300)...),
		"one host of several is years ahead":      woven(lines, oddLines("mx9", future, len(lines)/3)),
		"one host of several is years behind":     woven(lines, oddLines("mx9", past, len(lines)/3)),
		"ahead, behind, and ahead again":          slices.Insert(slices.Clone(lines), half, slices.Concat(oddLines("mx1", future, 60), oddLines("mx1", past, 60), oddLines("mx1", soon, 60))...),
		"honest: a log that goes on a year later": append(slices.Clone(lines), oddLines("mx1", future, 100)...),
	}
	var want []string
	windows := []string{"2026-11-28", "2026-11-29"}
	for _, date := range windows {
		since, until := day(date)
		want = append(want, ofWindow(t, lines, since, until))
	}
	for name, log := range tests {
		t.Run(name, func(t *testing.T) {
			k, r := newKeeper(t), newReader()
			for i, text := range log {
				if k.read(r, text); i%500 == 499 {
					k.restart()
				}
			}
			for i, date := range windows {
				since, until := day(date)
				if diff := cmp.Diff(want[i], asText(t, k.report(since, until))); diff != "" {
					t.Errorf("%s (-without the odd lines +with them):\n%.3000s", date, diff)
				}
			}
		})
	}
}

// The clock says which dates are wrong: hours are whole from the present on, and close on
// time.
func TestTheClockEndsWrongDates(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 30, 0, 0, time.UTC)
	k, r := newKeeper(t), newReader()
	for _, line := range oddLines("mx1", now.AddDate(3, 0, 0), 5) {
		k.read(r, line)
	}
	k.restart()
	if k.days.CloseBefore(now); !k.days.First().Equal(now) || !k.days.Latest().Equal(now) {
		t.Errorf("the hours are whole from %s on, and the newest line is of %s; want %s", k.days.First(), k.days.Latest(), now)
	}
	for _, line := range oddLines("mx1", now, 200) {
		k.read(r, line)
	}
	k.store()
	if k.kept["2026-11-28T13:00Z"] == nil || k.kept["2026-11-28T15:00Z"] != nil {
		t.Errorf("at a quarter to four these hours are over: %q, want those up to that of one o'clock", slices.Sorted(maps.Keys(k.kept)))
	}
	if k.days.CloseBefore(now.AddDate(0, 0, 1)); !k.days.First().Equal(now) {
		t.Errorf("a day later the hours are whole from %s on, want %s as before", k.days.First(), now)
	}
}

// A date that is ahead does not make csmail forget from where the accounts log in.
func TestHabitsOutliveAWrongDate(t *testing.T) {
	k, r := newKeeper(t), newReader()
	login := "%sT10:00:00Z mx1 dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=%s, lip=192.0.2.1, mpid=7, TLS, session=<s>"
	for day := 1; day <= 9; day++ {
		k.read(r, fmt.Sprintf(login, fmt.Sprintf("2026-11-%02d", day), "198.51.100.7"))
	}
	for day := range 4 {
		k.read(r, fmt.Sprintf(login, fmt.Sprintf("2029-05-%02d", 1+day), "192.0.2.77"))
	}
	for day := 10; day < 13; day++ {
		k.read(r, fmt.Sprintf(login, fmt.Sprintf("2026-11-%02d", day), "198.51.100.7"))
	}
	k.days.CloseBefore(time.Date(2026, 11, 12, 13, 0, 0, 0, time.UTC))
	known, _, _, ok := k.days.habits.Accounts["alice"].before("2026-11-13")
	if !ok || len(known) != 1 || known[0].String() != "198.51.100.7" || k.days.habits.Since != "2026-11-01" {
		t.Errorf("alice is known from %v, and the accounts since %s; want 198.51.100.7, 2026-11-01", known, k.days.habits.Since)
	}
}
