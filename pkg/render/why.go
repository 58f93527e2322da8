package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"csmail/pkg/control"
	"csmail/pkg/guard"
	"csmail/pkg/lapi"
	"csmail/pkg/report"
)

// Answer is what csmail why found out.
type Answer struct {
	report.Why
	LAPI    []lapi.Known `json:"lapi"`
	LAPIErr string       `json:"lapi_error,omitempty"` // why the LAPI was not asked
	Advice  string       `json:"lapi_hint,omitempty"`  // what mends that
}

// WhyJSON prints it as one object.
func WhyJSON(w io.Writer, a Answer) error { return writeJSON(w, a) }

// Why prints it for a person.
func Why(w io.Writer, a Answer, zone *time.Location) error {
	var b strings.Builder
	at := func(t time.Time) string { return t.In(zone).Format(time.DateTime) }
	fmt.Fprintf(&b, "%s\n\nWhat scenarios found\n", a.Addr)
	for _, t := range a.Alerts {
		fmt.Fprintf(&b, "  %s  %s on %s %s: %d events since %s\n", at(t.Last), t.Scenario, t.Scope, t.Value, t.Count, at(t.First))
		fmt.Fprintf(&b, "    %s\n", toldText(t))
		for _, check := range t.Checks {
			fmt.Fprintf(&b, "      %s\n", check)
		}
	}
	none(&b, len(a.Alerts), "no scenario overflowed")
	remedies(&b, a)
	b.WriteString("\nWhere the scenarios stand\n")
	for _, l := range a.Buckets {
		fmt.Fprintf(&b, "  %s\n", bucketText(l, at))
	}
	none(&b, len(a.Buckets), "no bucket is open")
	b.WriteString("\nWhat the guard knows\n")
	for _, text := range a.History {
		fmt.Fprintf(&b, "  %s\n", inZone(text, zone))
	}
	fmt.Fprintf(&b, "\nThe log lines (the newest %d)\n", len(a.Evidence))
	for _, e := range a.Evidence {
		fmt.Fprintf(&b, "  %s  %-18s %s\n", at(e.Time), e.Kind, Printable(e.Line))
	}
	none(&b, len(a.Evidence), "none was kept")
	if len(a.Enforced) > 0 {
		b.WriteString("\nWhat is enforced\n")
		for _, text := range a.Enforced {
			fmt.Fprintf(&b, "  %s\n", inZone(text, zone))
		}
	}
	b.WriteString("\nWhat the LAPI has\n")
	known(&b, a, zone)
	_, err := io.WriteString(w, printableLines(b.String()))
	return err
}

// remedies tells what would have spared a source that is banned, and what spares
// it from now on.
func remedies(b *strings.Builder, a Answer) {
	if !slices.ContainsFunc(a.Alerts, func(t report.Told) bool { return t.Verdict == guard.Ban.String() }) {
		return
	}
	fmt.Fprintf(b, "\nWhat would change that\n")
	fmt.Fprintf(b, "  fewer attempts than the scenario asks for, or as many excused by one of the rules above (docs/safety.md)\n")
	fmt.Fprintf(b, "  guard.allow: [%s] in the configuration: it is never banned, whatever it does\n", a.Addr)
	fmt.Fprintf(b, "  csmail unban %s: csmail run forgets what it did and lets it be for 24 hours\n", a.Addr)
	fmt.Fprintf(b, "  sudo cscli decisions delete --ip %s: lifts the ban that is in force\n", a.Addr)
}

func none(b *strings.Builder, n int, text string) {
	if n == 0 {
		fmt.Fprintf(b, "  %s\n", text)
	}
}

func toldText(t report.Told) string {
	text := t.Verdict
	if t.Rule != "" {
		text += " by rule " + t.Rule
	}
	if t.State == "held-back" || t.State == "dropped" {
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

// stateText names the list of the daemon in which an alert is, for a person.
func stateText(list string) string {
	switch list {
	case string(control.Outbox):
		return "waits for the LAPI"
	case string(control.Parked):
		return "parked: the LAPI would not take it"
	}
	return list
}

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
