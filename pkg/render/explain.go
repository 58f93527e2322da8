package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// Step is one line after every stage.
type Step struct {
	Source string // if there are several sources; "" is not shown
	Number int64
	Trace  engine.Trace
	Result engine.Result  // zero for a line that was not stepped
	Levels []bucket.Level // of the scenarios that take the event, after it
}

// Explanation prints steps as trees, like cscli explain: with lines on a terminal, in
// ASCII elsewhere. Use it from one goroutine at a time.
type Explanation struct {
	w    io.Writer
	zone *time.Location
	fork string
	last string
	bar  string
	err  error

	source string // source of the last printed line
}

// NewExplanation prints to w, with times in zone.
func NewExplanation(w io.Writer, zone *time.Location, terminal bool) *Explanation {
	if terminal {
		return &Explanation{w: w, zone: zone, fork: "├ ", last: "└ ", bar: "│ "}
	}
	return &Explanation{w: w, zone: zone, fork: "|- ", last: "`- ", bar: "|  "}
}

// Err returns the first error of writing.
func (x *Explanation) Err() error { return x.err }

// stage is a branch of the tree.
type stage struct {
	name  string
	lines []string
}

// Step prints one line's tree.
func (x *Explanation) Step(s Step) {
	if s.Source != x.source {
		x.source = s.Source
		x.print("file: %s\n", Printable(s.Source))
	}
	x.print("line %d: %s\n", s.Number, Printable(s.Trace.Line.Text))
	stages := []stage{x.header(s.Trace), x.grammar(s.Trace)}
	if s.Result.Record != nil {
		stages = append(stages, x.session(s))
		if s.Result.Outcome == event.Noted {
			stages = append(stages, x.scenarios(s))
		}
	}
	for _, f := range s.Result.Findings {
		stages = append(stages, x.finding(f)...)
	}
	x.tree(stages)
}

// Findings prints findings that no line caused, at the end of the log.
func (x *Explanation) Findings(findings []engine.Finding) {
	for _, f := range findings {
		x.print("at the end of the log\n")
		x.tree(x.finding(f))
	}
}

// tree prints the branches of one step.
func (x *Explanation) tree(stages []stage) {
	for i, s := range stages {
		branch, bar := x.fork, x.bar
		if i == len(stages)-1 {
			branch, bar = x.last, strings.Repeat(" ", len([]rune(x.bar)))
		}
		x.print(" %s%s\n", branch, s.name)
		for _, line := range s.lines {
			x.print(" %s  %s\n", bar, Printable(line))
		}
	}
	x.print("\n")
}

// print writes a text and keeps the first error.
func (x *Explanation) print(format string, args ...any) {
	if x.err == nil {
		_, x.err = io.WriteString(x.w, printableLines(fmt.Sprintf(format, args...)))
	}
}

func (x *Explanation) time(t time.Time) string { return t.In(x.zone).Format("2006-01-02 15:04:05 MST") }

// header describes the header of the line.
func (x *Explanation) header(t engine.Trace) stage {
	if !t.HasHeader {
		return stage{"header: none", []string{"the line does not start with a syslog header, so it is passed over"}}
	}
	words := []string{"time " + x.time(t.Header.Time(t.Line))}
	if t.Header.Host != "" {
		words = append(words, "host "+t.Header.Host)
	}
	if t.Header.Program != "" {
		words = append(words, "program "+t.Header.Program)
	}
	if t.Header.PID != 0 {
		words = append(words, fmt.Sprint("pid ", t.Header.PID))
	}
	if t.Header.Repeat > 1 {
		words = append(words, fmt.Sprintf("repeated %d times", t.Header.Repeat))
	}
	lines := []string{strings.Join(words, ", ")}
	if t.Header.Doubt != "" {
		lines = append(lines, "not believed, since the writer of the entry is no mail daemon: "+t.Header.Doubt+"; see docs/inputs.md, trusted")
	}
	return stage{"header", lines}
}

var outcomeTexts = map[event.Outcome]string{
	event.NoHeader:  "not read",
	event.Foreign:   "a program that is none of ours",
	event.Benign:    "benign: it says nothing about a client",
	event.Missed:    "missed: a daemon of ours, but no rule of its grammar fits",
	event.Ambiguous: "ambiguous: it can be read in two ways, so no address is taken",
	event.Witness:   "a witness: it counts neither for nor against the client by itself",
}

// grammar describes the event that the grammar found, and the text of each of its fields.
func (x *Explanation) grammar(t engine.Trace) stage {
	r := &t.Record
	if r.Outcome != event.Noted && r.Outcome != event.Witness {
		return stage{"grammar: " + outcomeTexts[r.Outcome], nil}
	}
	if r.Testimony == event.Repeated {
		return stage{fmt.Sprintf("grammar: the line before it, %d times more", r.Attempts), nil}
	}
	s := stage{name: "grammar " + r.Program}
	if r.Outcome == event.Noted {
		s.lines = append(s.lines, fmt.Sprintf("%s (%s): %s", r.Kind, r.Kind.Class(), r.Kind.Meaning()))
	} else {
		s.lines = append(s.lines, outcomeTexts[event.Witness])
	}
	for _, taken := range t.Taken {
		s.lines = append(s.lines, fmt.Sprintf("%s %q from byte %d", taken.Field, taken.Text, taken.At))
	}
	if r.Attempts > 1 {
		s.lines = append(s.lines, fmt.Sprintf("%d attempts", r.Attempts))
	}
	if r.Outcome == event.Noted && !r.Addr.IsValid() {
		s.lines = append(s.lines, "no address that can be trusted")
	}
	return s
}

// session describes the result of the join.
func (x *Explanation) session(s Step) stage {
	r := s.Result
	switch {
	case r.Outcome == event.Noted && s.Trace.Record.Testimony == event.Repeated:
		return stage{fmt.Sprintf("session: the line before it (%s of %s) over again, counts %d", r.Kind, addressText(r), r.Pours()), nil}
	case r.Outcome == event.Witness:
		return stage{"session: remembered", decided(r)}
	case r.Copy:
		return stage{"session: folded, it is a copy of an earlier line", nil}
	case r.Folded:
		return stage{"session: folded, an earlier line told of this attempt", nil}
	case r.Repeated:
		return stage{"session: the same session was refused for the same before, so it does not count again", nil}
	case r.Withheld && r.Service == event.Dovecot:
		return stage{"session: withheld, it counts unless a line says within moments why the login failed", nil}
	case r.Withheld:
		return stage{"session: withheld, it counts when the session ends without a login", nil}
	case r.LoggedIn:
		return stage{"session: no offence, since the session has logged in", nil}
	case r.Attempts != r.Pours():
		return stage{fmt.Sprintf("session: %d attempts, of which %d count", r.Attempts, r.Pours()), nil}
	}
	return stage{fmt.Sprintf("session: counts %d", r.Pours()), decided(r)}
}

// decided describes the decisions of a line about earlier ones.
func decided(r engine.Result) []string {
	var lines []string
	for i := range r.Released() {
		lines = append(lines, fmt.Sprintf("line %d (%s), withheld until now, counts", r.Released()[i].Record.Line, r.Released()[i].Record.Kind))
	}
	for i := range r.Excused() {
		why := "is no offence, since the session has logged in"
		if r.Service == event.Dovecot {
			why = "is about the same login, which this line counts"
		}
		lines = append(lines, fmt.Sprintf("line %d (%s) %s", r.Excused()[i].Line, r.Excused()[i].Kind, why))
	}
	for i := range r.Superseded() {
		lines = append(lines, fmt.Sprintf("it counts in place of %s in the same connection", r.Superseded()[i].Kind))
	}
	return lines
}

// addressText describes the client of an event.
func addressText(r engine.Result) string {
	if !r.Addr.IsValid() {
		return "nobody"
	}
	return r.Addr.String()
}

// scenarios describes the buckets that the event was poured into.
func (x *Explanation) scenarios(s Step) stage {
	class := s.Result.Kind.Class()
	switch {
	case class == event.Success:
		return stage{"scenarios: none, a success speaks for its source", nil}
	case class != event.Hostile && class != event.Suspect:
		return stage{"scenarios: none, it is no doing of the client's", nil}
	case len(s.Levels) == 0:
		return stage{"scenarios: none takes it", nil}
	}
	st := stage{name: "scenarios"}
	if s.Result.Pours() == 0 {
		st.name = "scenarios, as they stand"
	}
	for _, level := range s.Levels {
		st.lines = append(st.lines, LevelText(level, s.Result.Time, x.zone))
	}
	return st
}

// LevelText describes a bucket, for example "csmail/auth-bf 3/6, next leak in 4m".
func LevelText(l bucket.Level, now time.Time, zone *time.Location) string {
	text := l.Scenario.Name
	if l.Limit > 0 {
		text += fmt.Sprintf(" %d/%d", l.Count, l.Limit)
	} else {
		text += fmt.Sprintf(" %d", l.Count)
	}
	if !l.NextLeak.IsZero() && l.Count > 0 {
		text += ", next leak in " + short(l.NextLeak.Sub(now).Round(time.Second))
	}
	if !l.Ends.IsZero() {
		text += ", ends in " + short(l.Ends.Sub(now).Round(time.Second))
	}
	if l.Silent.After(now) {
		text += ", silent until " + l.Silent.In(zone).Format(time.DateTime)
	}
	return text + " (for " + l.Key + ")"
}

// finding describes a finding and the guard's verdict.
func (x *Explanation) finding(f engine.Finding) []stage {
	verdict := stage{name: "guard: " + VerdictText(f.Verdict)}
	verdict.lines = append(verdict.lines, f.Verdict.Checks...)
	alert := stage{name: fmt.Sprintf("alert %s on %s %s", f.Alert.Scenario, f.Alert.Scope, f.Alert.Value()), lines: []string{f.Alert.Message}}
	return []stage{verdict, alert}
}

// VerdictText describes the guard's verdict.
func VerdictText(v guard.Verdict) string {
	text := v.Action.String()
	if v.Rule != guard.NoRule {
		text += " by rule " + v.Rule.String()
	}
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	return text
}
