package render

import (
	"fmt"
	"io"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/guard"
	"csmail/pkg/lapi"
)

// Totals are the counts of a whole scan.
type Totals struct {
	Lines     int64
	Found     string // the result, for example "3 events, 2 sources"
	Missed    int64  // lines of known daemons that no grammar matched
	Ambiguous int64  // lines that can be read in two ways
	NoHeader  int64  // lines that are no log lines
	Cut       int64  // lines that were too long and lost their end
	Counting  int    // counters that were open when the logs ended
	Took      time.Duration
	Remarks   []string // about the logs
}

// Summary prints the totals in one line, and a line for each trouble.
func Summary(w io.Writer, t Totals) {
	fmt.Fprintf(w, "Lines: %d lines, %s, %d missed [processed in %.2f sec]\n",
		t.Lines, t.Found, t.Missed, t.Took.Seconds())
	if t.Lines == 0 {
		fmt.Fprintf(w, "  nothing was read; after a rotation the older lines stand beside it, as in /var/log/mail.log.1\n")
	}
	for _, trouble := range [...]struct {
		n    int64
		text string
	}{
		{t.Missed, "of a known daemon matched no grammar; --missed prints them"},
		{t.Ambiguous, "can be read in two ways, so no address was taken; --missed prints them"},
		{t.NoHeader, "had no syslog header and were passed over"},
		{t.Cut, "were too long and read in part"},
	} {
		if trouble.n > 0 {
			fmt.Fprintf(w, "  %d lines %s\n", trouble.n, trouble.text)
		}
	}
	for _, remark := range t.Remarks {
		fmt.Fprintf(w, "  %s\n", remark)
	}
	switch t.Counting {
	case 0:
	case 1:
		fmt.Fprintf(w, "  1 counter was still open where the log ends, and said nothing (docs/scenarios.md)\n")
	default:
		fmt.Fprintf(w, "  %d counters were still open where the log ends, and said nothing (docs/scenarios.md)\n", t.Counting)
	}
}

// Pushed prints what became of each source that was to be told, and of each
// that the guard held. looks holds what the LAPI made of alerts, by their numbers.
func Pushed(w io.Writer, findings []engine.Finding, outcomes []lapi.Outcome, looks map[string]lapi.Look, zone *time.Location) {
	pushed, held, rejected := 0, 0, 0
	for _, o := range outcomes {
		switch o.Status {
		case lapi.Pushed:
			pushed++
			fmt.Fprintf(w, "pushed %s as alert %s%s\n", Printable(o.Alert.Value()), o.ID, madeOf(looks[o.ID], o.Alert.Scenario, zone))
		case lapi.HeldBack:
			held++
			fmt.Fprintf(w, "held back %s: %s\n", Printable(o.Alert.Value()), inZone(o.Reason, zone))
		case lapi.Rejected:
			rejected++
			fmt.Fprintf(w, "rejected %s: %s\n", Printable(o.Alert.Value()), o.Reason)
		}
	}
	for _, f := range findings {
		if f.Verdict.Action == guard.Hold {
			held++
			fmt.Fprintf(w, "held back %s: %s\n", Printable(f.Alert.Value()), inZone(f.Verdict.Reason, zone))
		}
	}
	fmt.Fprintf(w, "Push: %d pushed, %d held back, %d rejected\n", pushed, held, rejected)
}

// madeOf says what the LAPI made of an alert, and nothing if it was not asked.
func madeOf(look lapi.Look, scenario string, zone *time.Location) string {
	if !look.Known {
		return ""
	}
	if len(look.Bans) == 0 {
		return ": no ban, its profiles made no decision"
	}
	ban := look.Bans[0]
	text := ": " + banWord(ban.Type)
	if ban.Simulated {
		text += " in simulation only"
	}
	if !ban.Until.IsZero() {
		text += " until " + dayTime(ban.Until, zone)
	}
	return text + " for " + Printable(scenario)
}

// banWord is what a decision does to its source.
func banWord(kind string) string {
	if kind == "ban" {
		return "banned"
	}
	return "under " + Printable(kind)
}
