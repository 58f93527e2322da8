package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
)

// AsJSON prints any answer of the daemon as one indented object.
func AsJSON(w io.Writer, v any) error { return writeJSON(w, v) }

// fewFindings is the number of findings on a screen.
const fewFindings = 8

// Status prints the state of the daemon for a person. The first line says whether it
// works and how many sources it has banned. Then come faults with their remedies, one
// line a log, and the latest findings.
func Status(w io.Writer, s control.Status, screen Screen) error {
	var b strings.Builder
	color := green
	if len(s.Troubles) > 0 {
		color = urgent
	}
	fmt.Fprintln(&b, screen.paint(color, statusLine(s)))
	for _, a := range s.BreakIns {
		text := fmt.Sprintf("! BREAK-IN? %s logged in at %s\n  after %s: csmail why %s", a.Value, moment(a.Last), plural(a.Count-1, "wrong password"), a.Value)
		fmt.Fprintln(&b, screen.paint(urgent, text))
	}
	troubles(&b, s, screen)
	logRows(&b, s.Sources)
	fmt.Fprintf(&b, "LAPI: %s%s\n", plural(int(s.Total.Delivered), "alert")+" delivered", since("; the last answer at ", s.LAPI.Reached))
	fmt.Fprintf(&b, "Alerts here: %d waiting%s, %d parked, %d held, %d dropped\n", s.Outbox.Pending, since(" since ", s.Outbox.Oldest), s.Outbox.Parked, s.Outbox.Held, s.Total.Dropped)
	fmt.Fprintf(&b, "%d lines read since %s, %d not understood\n", s.Total.Lines, moment(s.Total.Since), s.Total.Missed)
	fmt.Fprintf(&b, "%d addresses, networks and accounts tracked\n", s.Tracked)
	if s.Undecided > 0 {
		fmt.Fprintf(&b, "%s not decided: the guard waits for evidence (docs/safety.md)\n", plural(s.Undecided, "finding"))
	}
	for _, breaker := range s.Breakers {
		fmt.Fprintln(&b, wrapped("Held for now: "+inZone(breakerText(breaker), time.Local), cmp.Or(screen.Columns, defaultColumns)))
	}
	fmt.Fprintf(&b, "csmail %s, running since %s with %s\n", s.Version, moment(s.Started), s.Config)
	if len(s.Alerts) > 0 {
		b.WriteString("The latest findings\n")
		findingRows(&b, s.Alerts[:min(len(s.Alerts), fewFindings)], screen)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// heldFor says what is held while something of ours is not known to work, by the word
// with which a breaker begins.
var heldFor = map[string]string{
	"resolver": "names that do not resolve", "block-lists": "hits on block lists", "login": "failed logins", "user-database": "unknown recipients",
}

// breakerText says what a breaker keeps from a ban, and why.
func breakerText(breaker string) string {
	word, rest, _ := strings.Cut(breaker, " ")
	name, isBare := strings.CutSuffix(word, ":")
	what, known := heldFor[name]
	switch {
	case !known:
		return breaker
	case isBare:
		return what + " (" + rest + ")"
	}
	return what + " (" + breaker + ")"
}

// statusLine is the answer to how the daemon is doing.
func statusLine(s control.Status) string {
	line := "csmail works"
	if len(s.Troubles) > 0 {
		line = "csmail does NOT do its work"
	}
	line += fmt.Sprintf(": %d banned now, %d today, %d held", s.Bans.Now, s.Bans.Today, s.Outbox.Held)
	if s.Bans.Simulated > 0 {
		line += fmt.Sprintf(", %d simulated today", s.Bans.Simulated)
	}
	return line
}

// troubles prints faults, each with its remedy. A fault of a log, the LAPI or the state
// file is printed once, also before the daemon counts it as trouble.
func troubles(b *strings.Builder, s control.Status, screen Screen) {
	type problem struct{ about, text, hint string }
	problems := []problem{{"the last reload failed: ", s.Reload, s.ReloadHint}, {"the LAPI: ", s.LAPI.Error, s.LAPI.Hint}, {"the state file: ", s.State.Error, s.State.Hint}}
	for _, f := range s.Sources {
		problems = append(problems, problem{f.Name + ": ", f.Error, f.Hint})
	}
	for _, what := range s.Troubles {
		advice := ""
		problems = slices.DeleteFunc(problems, func(p problem) bool {
			same := p.text != "" && strings.HasSuffix(what, p.text)
			if same {
				advice = p.hint
			}
			return same
		})
		trouble(b, "", screen.paint(red, Printable(inZone(what, time.Local))), advice)
	}
	for _, p := range problems {
		if p.text != "" {
			trouble(b, "", screen.paint(red, Printable(p.about+p.text)), p.hint)
		}
	}
}

// logRows prints one line a log. Its name comes last, so it may have any length. For
// example:
//
//	State      Lines   Behind  Last line            Log
//	following  120034  0 bytes 2026-06-03 04:11:09  /var/log/mail.log
func logRows(b *strings.Builder, sources []control.Source) {
	rows := [][]string{{"State", "Lines", "Behind", "Last line", "Log"}}
	for _, f := range sources {
		name := Printable(f.Name)
		if lost := drops(f.Drops); len(lost) > 0 {
			name += ", lost: " + strings.Join(lost, ", ")
		}
		rows = append(rows, []string{f.State, fmt.Sprint(f.Lines), behind(f.Lag), moment(f.LastLine), name})
	}
	printRows(b, rows, 1, 2)
}

// findingRows prints one line a finding: its time, source, verdict and scenario.
func findingRows(b *strings.Builder, alerts []control.Alert, screen Screen) {
	longest := 0
	for _, a := range alerts {
		longest = max(longest, width(a.Value))
	}
	for _, a := range alerts {
		what := fmt.Sprintf("%-5s  %s, %s", stateText(a.Status), strings.TrimPrefix(Printable(a.Scenario), "csmail/"), plural(a.Count, "event"))
		if a.Reason != "" {
			what += ": " + inZone(Printable(a.Reason), time.Local)
		}
		line := dayTime(a.Last, time.Local) + "  " + pad(Printable(a.Value), min(longest, longestAddress), false) + "  " + what
		fmt.Fprintln(b, screen.paint(verdictColor(a.Status), clip(line, cmp.Or(screen.Columns, defaultColumns))))
	}
}

// trouble prints one fault. For example:
//
//	! the LAPI: lapi unreachable: connection refused
//	  hint: systemctl status crowdsec
func trouble(b *strings.Builder, about, problem, advice string) {
	if problem == "" {
		return
	}
	fmt.Fprintf(b, "! %s%s\n", about, problem)
	if advice != "" {
		fmt.Fprintf(b, "  hint: %s\n", advice)
	}
}

// since writes words and a time, and nothing for the zero time.
func since(words string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return words + moment(t)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// behind describes how far the reading is behind the log.
func behind(lag int64) string {
	if lag < 0 {
		return "?"
	}
	return fmt.Sprintf("%d bytes", lag)
}

// drops describes lost lines by reason. For example: "3 line too long".
func drops(counts map[string]int64) []string {
	var texts []string
	for reason, n := range counts {
		if n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, reason))
		}
	}
	slices.Sort(texts)
	return texts
}

// AlertList prints alerts of the daemon's lists for a person: one line each, and below it
// where the alert is and why.
func AlertList(w io.Writer, alerts []control.Alert, screen Screen) error {
	if len(alerts) == 0 {
		_, err := fmt.Fprintln(w, "No alerts")
		return err
	}
	rows, below := [][]string{{"Source", "ID", "Found by", "Events", "Last event"}}, []string{""}
	for _, a := range alerts {
		scenario := strings.TrimPrefix(Printable(a.Scenario), "csmail/")
		rows = append(rows, []string{Printable(a.Value), shortID(a.ID), clipName(scenario, heldScenario), fmt.Sprint(a.Count), dayTime(a.Last, time.Local)})
		text := stateText(a.Status)
		if a.Reason != "" {
			text += ": " + inZone(Printable(a.Reason), time.Local)
		}
		below = append(below, "  "+text)
	}
	var b strings.Builder
	printRowsWith(&b, rows, below, 3)
	_, err := io.WriteString(w, hanging(b.String(), cmp.Or(screen.Columns, defaultColumns)))
	return err
}
