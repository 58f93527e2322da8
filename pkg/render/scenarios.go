package render

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/scenario"
	"csmail/pkg/scenario/check"
)

// scenarioRow is one scenario of csmail scenarios list -o json.
type scenarioRow struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Type        string   `json:"type"`
	Scope       string   `json:"scope"`
	Counts      []string `json:"counts"` // kinds of event
	Threshold   string   `json:"threshold"`
	Needed      int      `json:"needed"` // number that overflows; 0: the scenario does not count
	Remediation bool     `json:"remediation"`
	File        string   `json:"file"`
	Line        int      `json:"line"`
}

func scenarioRows(all []*scenario.Scenario) []scenarioRow {
	rows := make([]scenarioRow, 0, len(all))
	for _, s := range all {
		row := scenarioRow{
			Name: s.Name, Description: s.Description, Type: s.Type, Scope: s.Scope, Counts: []string{},
			Threshold: ThresholdText(s), Remediation: s.Labels.Remediation, File: s.File, Line: s.Line,
		}
		if s.Type == "leaky" || s.Type == "trigger" {
			row.Needed = s.Capacity + 1
		}
		for _, k := range event.Kinds() {
			if class := k.Class(); s.Kinds.Has(k) && (class == event.Hostile || class == event.Suspect) {
				row.Counts = append(row.Counts, k.String())
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// ThresholdText describes when a scenario overflows, for example "6 within 25m (one leaks
// each 5m)".
func ThresholdText(s *scenario.Scenario) string {
	what := ""
	if s.CountsAccounts() {
		what = " accounts"
	}
	switch s.Type {
	case "trigger":
		return "each one" + blackholeText(s)
	case "leaky":
		// When the last of capacity+1 events comes, one less than capacity have leaked:
		// so much time may pass for as many events as fit into the bucket.
		return fmt.Sprintf("%d%s within %s (one leaks each %s)", s.Capacity+1, what, short(time.Duration(s.Capacity)*s.LeakSpeed), short(s.LeakSpeed))
	case "counter":
		return "counted for " + short(s.Duration)
	case "conditional":
		return "its condition, within " + short(s.LeakSpeed)
	}
	return "its odds, within " + short(s.LeakSpeed)
}

// blackholeText describes the time without further alerts.
func blackholeText(s *scenario.Scenario) string {
	if s.Blackhole <= 0 {
		return ""
	}
	return ", then silent for " + short(s.Blackhole)
}

// short writes a duration without units that are zero: 5m, 1h30m, 2d.
func short(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// ScenariosJSON prints the scenarios as one array.
func ScenariosJSON(w io.Writer, all []*scenario.Scenario) error {
	return writeJSON(w, scenarioRows(all))
}

// ScenariosRaw prints them as CSV with a header, like cscli.
func ScenariosRaw(w io.Writer, all []*scenario.Scenario) error {
	out := csv.NewWriter(w)
	lines := [][]string{{"name", "type", "scope", "counts", "threshold", "remediation", "file"}}
	for _, r := range scenarioRows(all) {
		lines = append(lines, []string{r.Name, r.Type, r.Scope, strings.Join(r.Counts, " "), r.Threshold, strconv.FormatBool(r.Remediation), r.File})
	}
	return out.WriteAll(lines)
}

// Scenarios prints them for a person: one line each with when it overflows, and what it
// counts below. The type and the file are in the other forms.
func Scenarios(w io.Writer, all []*scenario.Scenario, screen Screen) error {
	var b strings.Builder
	rows := [][]string{{"Name", "Scope", "Overflows at"}}
	counts := []string{""}
	for _, r := range scenarioRows(all) {
		rows = append(rows, []string{r.Name, r.Scope, r.Threshold})
		what := strings.Join(r.Counts, ", ")
		if !r.Remediation {
			what += "; bans nobody"
		}
		counts = append(counts, what)
	}
	for i, row := range rows {
		line := ""
		for k, cell := range row {
			line += pad(cell, slices.Max(cellWidths(rows, k)), false) + "  "
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
		if counts[i] != "" {
			fmt.Fprintln(&b, "  "+wrapped(counts[i], cmp.Or(screen.Columns, defaultColumns)-2))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// TrialsJSON prints test runs as one array.
func TrialsJSON(w io.Writer, runs []check.Run) error {
	rows := make([]trialRow, 0, len(runs))
	for _, r := range runs {
		rows = append(rows, trialRow{r, r.Passed()})
	}
	return writeJSON(w, rows)
}

// trialRow is one test run of csmail scenarios test -o json.
type trialRow struct {
	check.Run
	Passed bool `json:"passed"`
}

// Trials prints test runs for a person. The name of a log begins with its scenario's.
func Trials(w io.Writer, runs []check.Run, screen Screen) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(w, "No test logs")
		return err
	}
	rows, failed := [][]string{{"Result", "Lines", "Events", "Overflows", "Wanted", "Log"}}, 0
	for _, r := range runs {
		wanted, mark := "none", "ok"
		if r.Wants {
			wanted = "some"
		}
		if !r.Passed() {
			failed++
			mark = "FAILED"
		}
		log := r.Log
		if !strings.HasPrefix(log, strings.TrimPrefix(r.Scenario, "csmail/")+"/") {
			log += " (" + r.Scenario + ")"
		}
		rows = append(rows, []string{mark, fmt.Sprint(r.Lines), fmt.Sprint(r.Events), fmt.Sprint(r.Overflows), wanted, log})
	}
	var b strings.Builder
	printRows(&b, rows, 1, 2, 3)
	_, err := fmt.Fprintf(w, "%s%d logs, %d failed\n", hanging(b.String(), cmp.Or(screen.Columns, defaultColumns)), len(runs), failed)
	return err
}
