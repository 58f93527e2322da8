package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
)

// AsJSON prints any answer of the daemon as one indented object.
func AsJSON(w io.Writer, v any) error { return writeJSON(w, v) }

// Status prints how the daemon is doing, for a person.
func Status(w io.Writer, s control.Status, screen Screen) error {
	var b strings.Builder
	fmt.Fprintf(&b, "csmail %s, running since %s with %s\n", s.Version, moment(s.Started), s.Config)
	for _, a := range s.BreakIns {
		fmt.Fprintf(&b, "! BREAK-IN? %s logged in at %s after %s: csmail why %s\n", a.Value, moment(a.Last), plural(a.Count-1, "wrong password"), a.Value)
	}
	for _, what := range s.Troubles {
		fmt.Fprintf(&b, "! %s\n", what)
	}
	trouble(&b, "the last reload failed: ", s.Reload, "")
	fmt.Fprintf(&b, "%d lines read, %d not understood; %d addresses, networks and accounts tracked\n", s.Lines, s.Missed, s.Tracked)
	fmt.Fprintf(&b, "outbox: %d waiting, %d parked, %d held, %d dropped%s\n", s.Outbox.Pending, s.Outbox.Parked, s.Outbox.Held, s.Outbox.Dropped, since("; the oldest since ", s.Outbox.Oldest))
	fmt.Fprintf(&b, "LAPI: %d alerts delivered%s\n", s.LAPI.Delivered, since(", the last one at ", s.LAPI.Reached))
	trouble(&b, "the LAPI: ", s.LAPI.Error, s.LAPI.Hint)
	trouble(&b, "the state file: ", s.State.Error, s.State.Hint)
	for _, breaker := range s.Breakers {
		fmt.Fprintf(&b, "holds bans back: %s\n", inZone(breaker, time.Local))
	}
	t := newGrid(screen, "Source", "State", "Lines", "Behind", "Last line", "Lost")
	for _, f := range s.Sources {
		t.add(f.Name, f.State, f.Lines, behind(f.Lag), moment(f.LastLine), drops(f.Drops))
	}
	fmt.Fprintln(&b, t)
	for _, f := range s.Sources {
		trouble(&b, f.Name+": ", f.Error, f.Hint)
	}
	if len(s.Alerts) > 0 {
		b.WriteString("The latest findings\n")
		alertTable(&b, s.Alerts, screen)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func trouble(b *strings.Builder, about, problem, advice string) {
	if problem == "" {
		return
	}
	fmt.Fprintf(b, "! %s%s\n", about, problem)
	if advice != "" {
		fmt.Fprintf(b, "  hint: %s\n", advice)
	}
}

// since tells of a time, and nothing of one that never was.
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

func behind(lag int64) string {
	if lag < 0 {
		return "?"
	}
	return fmt.Sprintf("%d bytes", lag)
}

func drops(counts map[string]int64) items {
	var texts items
	for reason, n := range counts {
		if n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, reason))
		}
	}
	slices.Sort(texts)
	return texts
}

// AlertList prints alerts of the daemon's lists for a person.
func AlertList(w io.Writer, alerts []control.Alert, screen Screen) error {
	if len(alerts) == 0 {
		_, err := fmt.Fprintln(w, "No alerts")
		return err
	}
	var b strings.Builder
	alertTable(&b, alerts, screen)
	_, err := io.WriteString(w, b.String())
	return err
}

func alertTable(b *strings.Builder, alerts []control.Alert, screen Screen) {
	t := newGrid(screen, "ID", "Scenario", "Value", "Events", "Last event", "Status", "Reason")
	for _, a := range alerts {
		t.add(a.ID[:min(8, len(a.ID))], a.Scenario, Printable(a.Value), a.Count, moment(a.Last), stateText(a.Status), inZone(Printable(a.Reason), time.Local))
	}
	fmt.Fprintln(b, t)
}
