package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"csmail/pkg/control"
	"csmail/pkg/engine"
	"csmail/pkg/guard"
	"csmail/pkg/lapi"
	"csmail/pkg/report"
)

// Answer is the result of csmail why.
type Answer struct {
	report.Why
	LAPI    []lapi.Known `json:"lapi"`
	LAPIErr string       `json:"lapi_error,omitempty"` // why the LAPI was not asked
	NoLAPI  bool         `json:"-"`                    // the person did not want it
	Advice  string       `json:"lapi_hint,omitempty"`  // the remedy for LAPIErr
	Place   string       `json:"place,omitempty"`      // country and network operator, if they are known
}

// WhyJSON prints it as one object.
func WhyJSON(w io.Writer, a Answer) error { return writeJSON(w, a) }

// fewLines is the number of log lines, and of findings, in the short answer.
const fewLines = 5

// Why prints the answer for a person. The first line says whether the address is banned
// and why. Then come commands that change it and the newest log lines. With verbose it
// prints all that is known.
func Why(w io.Writer, a Answer, zone *time.Location, verbose bool, screen Screen) error {
	var top, b strings.Builder
	fmt.Fprintln(&top, screen.paint(a.color(), wrapped(printableLines(inZone(a.verdictLine(zone), zone)), cmp.Or(screen.Columns, defaultColumns))))
	for _, t := range a.Alerts {
		if t.Scenario == engine.BreakIn {
			text := fmt.Sprintf("! BREAK-IN? It logged in at %s after %s: change the password", dayTime(t.Last, zone), plural(t.Count-1, "wrong password"))
			fmt.Fprintln(&top, screen.paint(urgent, text))
		}
	}
	if a.Place != "" {
		fmt.Fprintln(&b, "From: "+a.Place)
	}
	switch {
	case verbose:
		all(&b, a, zone)
	case !a.IsUnknown() || len(a.LAPI) > 0:
		remedy(&b, a)
		brief(&b, a, zone)
	}
	rest := hanging(printableLines(b.String()), cmp.Or(screen.Columns, defaultColumns))
	_, err := io.WriteString(w, top.String()+rest)
	return err
}

// wrapped breaks a sentence that is too long for the screen.
func wrapped(line string, columns int) string {
	parts := strings.Split(text.WrapSoft(line, columns-2), "\n")
	for i := range parts {
		parts[i] = strings.TrimRight(parts[i], " ")
	}
	return strings.Join(parts, "\n  ")
}

// hanging breaks lines that are too long for the screen at a space, or anywhere in a word
// that is too long by itself. Continuations are indented by four columns more than the line.
func hanging(lines string, columns int) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		rest := []rune(strings.TrimSuffix(line, "\n"))
		indent := strings.Repeat(" ", len(rest)-len([]rune(strings.TrimLeft(string(rest), " ")))+4)
		for room := columns; len(rest) > room; room = columns - len(indent) {
			cut := lastSpace(rest[:room+1])
			if cut <= len(indent) {
				cut = room
			}
			b.WriteString(strings.TrimRight(string(rest[:cut]), " ") + "\n" + indent)
			rest = []rune(strings.TrimLeft(string(rest[cut:]), " "))
		}
		b.WriteString(string(rest) + "\n")
	}
	return b.String()
}

// lastSpace returns where the last space of a text is, -1 if it has none.
func lastSpace(text []rune) int {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == ' ' {
			return i
		}
	}
	return -1
}

// color is that of the first line.
func (a Answer) color() string {
	if _, banned := a.inForce(); banned {
		return red
	}
	alert, found := a.gravest()
	switch {
	case found && rank(alert) == rankBan && alert.State != "delivered":
		return red
	case found && rank(alert) == rankHold:
		return yellow
	}
	return green
}

// remedy lists the commands that change the answer.
func remedy(b *strings.Builder, a Answer) {
	_, banned := a.inForce()
	alert, found := a.gravest()
	switch {
	case !banned && found && a.isOver(alert): // there is nothing to end
	case banned, found && rank(alert) == rankBan:
		fmt.Fprintf(b, "To end it: csmail unban %s\nNever again: guard.allow: [%s] in csmail.yaml.local\n", a.Addr, a.Addr)
	case found && alert.Rule == guard.NeverListed.String():
		fmt.Fprintf(b, "It is never banned (docs/safety.md); guard.allow in csmail.yaml.local may name it\n")
	case found && rank(alert) == rankHold && alert.State == string(control.Held):
		fmt.Fprintf(b, "To ban it all the same: csmail held release %s\n", alert.Value)
	}
}

// brief prints the newest findings and lines, one line each.
func brief(b *strings.Builder, a Answer, zone *time.Location) {
	if len(a.Alerts) > 0 {
		b.WriteString("\n")
	}
	for _, t := range newest(a.Alerts, fewLines) {
		fmt.Fprintln(b, clip(fmt.Sprintf("%s  %s, %d attempts: %s", dayTime(t.Last, zone), t.Scenario, t.Count, inZone(alertText(t), zone)), defaultColumns))
	}
	if lines := newest(a.Evidence, fewLines); len(lines) > 0 {
		b.WriteString("\n")
		for _, e := range lines {
			fmt.Fprintln(b, clip(e.Time.In(zone).Format("Jan _2 15:04:05")+"  "+Printable(e.Line), defaultColumns))
		}
	}
	for _, text := range a.Enforced {
		fmt.Fprintln(b, "\n"+inZone(text, zone))
	}
	if a.LAPIErr != "" && !a.NoLAPI {
		fmt.Fprintln(b, "\n"+wrapped("The LAPI was not asked: "+Printable(a.LAPIErr), defaultColumns))
		if a.Advice != "" {
			fmt.Fprintln(b, "hint: "+a.Advice)
		}
	}
	fmt.Fprintln(b, "\n-v shows all lines, what the guard looked at, and the alerts of the LAPI")
}

func newest[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }

// all prints all that is known.
func all(b *strings.Builder, a Answer, zone *time.Location) {
	at := func(t time.Time) string { return t.In(zone).Format(time.DateTime) }
	b.WriteString("\nWhat scenarios found\n")
	for _, t := range a.Alerts {
		fmt.Fprintf(b, "  %s  %s on %s %s: %d events since %s\n", at(t.Last), t.Scenario, t.Scope, t.Value, t.Count, at(t.First))
		fmt.Fprintf(b, "    %s\n", inZone(alertText(t), zone))
		for _, check := range t.Checks {
			fmt.Fprintf(b, "      %s\n", inZone(check, zone))
		}
	}
	none(b, len(a.Alerts), "no scenario overflowed")
	remedies(b, a)
	b.WriteString("\nWhere the scenarios stand\n")
	for _, l := range a.Buckets {
		fmt.Fprintf(b, "  %s\n", bucketText(l, at))
	}
	none(b, len(a.Buckets), "no bucket is open")
	b.WriteString("\nWhat the guard knows\n")
	for _, text := range a.History {
		fmt.Fprintf(b, "  %s\n", inZone(text, zone))
	}
	fmt.Fprintf(b, "\nThe log lines (the newest %d)\n", len(a.Evidence))
	for _, e := range a.Evidence {
		fmt.Fprintf(b, "  %s  %-18s %s\n", at(e.Time), e.Kind, Printable(e.Line))
	}
	none(b, len(a.Evidence), "none was kept")
	if len(a.Enforced) > 0 {
		b.WriteString("\nWhat is enforced\n")
		for _, text := range a.Enforced {
			fmt.Fprintf(b, "  %s\n", inZone(text, zone))
		}
	}
	b.WriteString("\nWhat the LAPI has\n")
	known(b, a, zone)
}

// remedies lists settings that would have prevented the ban, or prevent the next one.
func remedies(b *strings.Builder, a Answer) {
	if !slices.ContainsFunc(a.Alerts, func(t report.Alert) bool { return t.Verdict == guard.Ban.String() }) {
		return
	}
	fmt.Fprintf(b, "\nWhat would change that\n")
	fmt.Fprintf(b, "  fewer attempts than the scenario asks for, or as many excused by one of the rules above (docs/safety.md)\n")
	fmt.Fprintf(b, "  guard.allow: [%s] in the configuration: it is never banned, whatever it does\n", a.Addr)
	fmt.Fprintf(b, "  csmail unban %s: ends the ban, forgets what it did and lets it be for 24 hours\n", a.Addr)
}

// none prints a text if a list is empty.
func none(b *strings.Builder, n int, text string) {
	if n == 0 {
		fmt.Fprintf(b, "  %s\n", text)
	}
}

// alertText describes a finding and its outcome.
func alertText(t report.Alert) string {
	text := t.Verdict
	if t.Rule != "" {
		text += " by rule " + t.Rule
	}
	switch t.State {
	case "dropped":
		text = "no ban"
	case "held-back":
		text += ", not sent"
	}
	if t.Reason != "" {
		text += ": " + t.Reason
	}
	if t.State != "" {
		text += " (" + stateText(t.State)
		if t.Number != "" {
			text += " as alert " + t.Number
		}
		text += ")"
	}
	return text
}

// stateText describes, for a person, the daemon's list that holds an alert.
func stateText(list string) string {
	switch list {
	case string(control.Outbox):
		return "waits for the LAPI"
	case string(control.Parked):
		return "parked: the LAPI would not take it"
	}
	return list
}

// bucketText describes an open bucket.
func bucketText(l report.Bucket, at func(time.Time) string) string {
	text := fmt.Sprintf("%s %d", l.Scenario, l.Count)
	if l.Needed > 0 {
		text += fmt.Sprintf("/%d", l.Needed)
	}
	text += " (for " + l.Key + ")"
	if !l.NextLeak.IsZero() && l.Count > 0 {
		text += ", next leak at " + at(l.NextLeak)
	}
	if !l.Ends.IsZero() {
		text += ", ends at " + at(l.Ends)
	}
	if !l.Silent.IsZero() {
		text += ", silent until " + at(l.Silent)
	}
	return text
}

// known prints the LAPI's alerts and decisions.
func known(b *strings.Builder, a Answer, zone *time.Location) {
	if a.LAPIErr != "" {
		fmt.Fprintf(b, "  not asked: %s\n", a.LAPIErr)
		if a.Advice != "" {
			fmt.Fprintf(b, "  hint: %s\n", a.Advice)
		}
		return
	}
	none(b, len(a.LAPI), "nothing")
	for _, k := range a.LAPI {
		fmt.Fprintf(b, "  alert %d of %s: %s on %s %s\n    %s\n", k.Number, inZone(k.Created, zone), k.Scenario, k.Scope, k.Value, Printable(k.Message))
		for _, d := range k.Decisions {
			fmt.Fprintf(b, "    %s\n", inZone(d.String(), zone))
		}
	}
}
