package render

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/guard"
	"csmail/pkg/report"
)

// alertLine is one alert of csmail backtest -o json. Tools depend on the names.
type alertLine struct {
	Scenario    string       `json:"scenario"`
	Scope       string       `json:"scope"`
	Value       string       `json:"value"`
	StartAt     time.Time    `json:"start_at"`
	StopAt      time.Time    `json:"stop_at"`
	EventsCount int          `json:"events_count"`
	Remediation bool         `json:"remediation"`
	Verdict     guard.Action `json:"verdict"`
	Rule        guard.Rule   `json:"rule"`
	Reason      string       `json:"reason"`
	Message     string       `json:"message"`
	VerdictAt   time.Time    `json:"verdict_at"`
}

// Alerts prints the object of csmail backtest -o json in pieces, so that the list of
// alerts is never in memory. Use it from one goroutine at a time.
type Alerts struct {
	out   *bufio.Writer
	count int
	err   error
}

// NewAlerts begins the object.
func NewAlerts(w io.Writer) *Alerts {
	a := &Alerts{out: bufio.NewWriter(w)}
	_, a.err = a.out.WriteString("{\n  \"alerts\": [")
	return a
}

// Print adds findings. After an error it prints nothing more.
func (a *Alerts) Print(findings []engine.Finding) {
	for _, f := range findings {
		line := alertLine{
			Scenario: f.Alert.Scenario, Scope: string(f.Alert.Scope), Value: f.Alert.Value(), StartAt: f.Alert.First, StopAt: f.Alert.Last,
			EventsCount: f.Alert.Count, Remediation: !f.Alert.Informational,
			Verdict: f.Verdict.Action, Rule: f.Verdict.Rule, Reason: f.Verdict.Reason, Message: engine.Describe(f.Alert).Message, VerdictAt: f.At,
		}
		text, err := json.Marshal(line)
		if err != nil && a.err == nil {
			a.err = err
		}
		text = escape(text)
		separator := ",\n    "
		if a.count == 0 {
			separator = "\n    "
		}
		a.count++
		a.write(separator, string(text))
	}
}

// write writes texts and keeps the first error.
func (a *Alerts) write(texts ...string) {
	for _, text := range texts {
		if a.err == nil {
			_, a.err = a.out.WriteString(text)
		}
	}
}

// Close ends the object with the outcome, and with that of --against if it is not nil.
func (a *Alerts) Close(o report.Outcome, against *report.Outcome) error {
	if a.count > 0 {
		a.write("\n  ")
	}
	a.write("],\n  \"outcome\": ", outcomeJSON(o))
	if against != nil {
		a.write(",\n  \"against\": ", outcomeJSON(*against))
	}
	a.write("\n}\n")
	if a.err != nil {
		return a.err
	}
	return a.out.Flush()
}

// outcomeJSON returns the outcome as a JSON object.
func outcomeJSON(o report.Outcome) string {
	text, err := json.MarshalIndent(o, "  ", "  ")
	if err != nil {
		return "null" // an outcome always marshals
	}
	return string(escape(text))
}

// Judged is the outcome of judging a log by some scenarios.
type Judged struct {
	By string // the names of their sets and files, as they were given
	report.Outcome
}

// Backtest prints an outcome for a person, beside that of other scenarios if against is
// not nil.
func Backtest(w io.Writer, o Judged, against *Judged, zone *time.Location, screen Screen) error {
	var b strings.Builder
	if o.From.IsZero() {
		_, err := io.WriteString(w, "Nothing happened in these logs\n")
		return err
	}
	fmt.Fprintf(&b, "From %s to %s\n", o.From.In(zone).Format(time.DateTime), o.To.In(zone).Format(time.DateTime))
	columns := []Judged{o}
	header := []string{"", o.By}
	if against != nil {
		columns, header = append(columns, *against), append(header, against.By)
	}
	t := newGrid(screen, header...)
	for _, row := range backtestRows {
		line := []any{row.name}
		for _, c := range columns {
			line = append(line, row.value(c.Outcome))
		}
		t.add(line...)
	}
	fmt.Fprintln(&b, t)
	for _, c := range columns {
		if against != nil {
			fmt.Fprintf(&b, "\n%s:\n", c.By)
		}
		backtestDetail(&b, c.Outcome, zone, screen)
	}
	if against != nil {
		difference(&b, o, *against)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var backtestRows = [...]struct {
	name  string
	value func(report.Outcome) string
}{
	{"Bans", func(o report.Outcome) string { return fmt.Sprintf("%d (%d more while banned)", o.Bans, o.Renewed) }},
	{"Held by the guard", func(o report.Outcome) string { return fmt.Sprint(o.Holds) }},
	{"Alerts without a ban", func(o report.Outcome) string { return fmt.Sprint(o.Alerts) }},
	{"Offences", func(o report.Outcome) string { return fmt.Sprint(o.Offences) }},
	{"of these prevented", func(o report.Outcome) string {
		return fmt.Sprintf("%d (%s)", o.Prevented, percent(o.Prevented, o.Offences))
	}},
	{"First offence to ban", func(o report.Outcome) string {
		return fmt.Sprintf("%s (median), %s at most", o.MedianWait.Round(time.Second), o.Longest.Round(time.Second))
	}},
	{"Banned, later honest", func(o report.Outcome) string { return fmt.Sprint(o.Good) }},
}

// percent writes a share.
func percent(part, whole int) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

// backtestDetail lists the banned sources that later logged in or delivered mail.
func backtestDetail(b *strings.Builder, o report.Outcome, zone *time.Location, screen Screen) {
	if len(o.ByDay) > 0 {
		t := newGrid(screen, "Day", "Scenario", "Bans")
		for _, d := range o.ByDay {
			t.add(d.Day, d.Scenario, d.Bans)
		}
		fmt.Fprintln(b, t)
	}
	if len(o.HeldBy) > 0 {
		t := newGrid(screen, "Held by", "Findings")
		for _, rule := range sortedKeys(o.HeldBy) {
			t.add(rule, o.HeldBy[rule])
		}
		fmt.Fprintln(b, t)
	}
	if len(o.Collateral) == 0 {
		return
	}
	t := newGrid(screen, "Banned, later honest", "Scenario", "Banned", "Proof", "At", "In the ban")
	for _, c := range o.Collateral {
		t.add(c.Value, c.Scenario, c.Banned.In(zone).Format(time.DateTime), c.Proof, c.Good.In(zone).Format(time.DateTime), yesNo(c.InBan))
	}
	fmt.Fprintln(b, t)
}

// difference lists the sources that only one of the two sets of scenarios bans.
func difference(b *strings.Builder, these, others Judged) {
	for _, side := range [...][2]Judged{{these, others}, {others, these}} {
		var only []string
		for _, value := range side[0].Values {
			if _, both := slices.BinarySearch(side[1].Values, value); !both {
				only = append(only, value)
			}
		}
		fmt.Fprintf(b, "Banned only by %s: %d\n", side[0].By, len(only))
		for i, value := range only {
			if i == 20 {
				fmt.Fprintf(b, "  and %d more; -o json lists all\n", len(only)-i)
				break
			}
			fmt.Fprintf(b, "  %s\n", value)
		}
	}
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
