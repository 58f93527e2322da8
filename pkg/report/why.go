package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/guard"
)

// Why is all that is known of one source, for a person who asks why it is banned or is
// not.
type Why struct {
	Addr     netip.Addr `json:"ip"`
	History  []string   `json:"history"` // the guard's memory, in words
	Buckets  []Bucket   `json:"buckets"`
	Evidence []Evidence `json:"evidence"`           // the newest, oldest first
	Enforced []string   `json:"enforced,omitempty"` // decisions on it and refusals, in words
	Alerts   []Alert    `json:"alerts"`             // findings of scenarios, oldest first
	Waiting  []Waiting  `json:"waiting,omitempty"`  // what they found and the guard has not decided yet
}

// Waiting is what a scenario found, while the guard waits for evidence.
type Waiting struct {
	Scenario string    `json:"scenario"`
	Until    time.Time `json:"until"` // at the latest
	Rule     string    `json:"rule,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

// unknown is the history of a source without any.
const unknown = "nothing is known of it"

// IsUnknown reports whether nothing is known of the source itself. A bucket of its
// network may be open nevertheless.
func (w Why) IsUnknown() bool {
	return len(w.Evidence) == 0 && len(w.Alerts) == 0 && len(w.Waiting) == 0 && len(w.Enforced) == 0 && (len(w.History) == 0 || slices.Equal(w.History, []string{unknown}))
}

// Bucket is the state of one scenario for the source.
type Bucket struct {
	Scenario string    `json:"scenario"`
	Key      string    `json:"key"`
	Count    int       `json:"count"`
	Needed   int       `json:"needed"` // number that overflows; 0: the scenario does not count
	NextLeak time.Time `json:"next_leak,omitzero"`
	Ends     time.Time `json:"ends,omitzero"` // when an open counter overflows
	Silent   time.Time `json:"silent_until,omitzero"`
}

// Evidence is one event of the source.
type Evidence struct {
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Class   string    `json:"class"`
	Service string    `json:"service"`
	User    string    `json:"user,omitempty"`
	Line    string    `json:"line,omitempty"`
}

// Alert is one alert about the source and its outcome.
type Alert struct {
	Scenario string    `json:"scenario"`
	Scope    string    `json:"scope"`
	Value    string    `json:"value"`
	Count    int       `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Verdict  string    `json:"verdict"`

	Kinds  []event.Count `json:"kinds,omitempty"` // attempts by kind
	Rule   string        `json:"rule,omitempty"`
	Reason string        `json:"reason"`
	Checks []string      `json:"checks,omitempty"`
	State  string        `json:"state,omitempty"`  // pending, parked, held, delivered, held-back, dropped
	Number string        `json:"number,omitempty"` // the LAPI's
}

// AlertOf describes a finding.
func AlertOf(f engine.Finding) Alert {
	return Alert{
		Scenario: f.Alert.Scenario, Scope: string(f.Alert.Scope), Value: f.Alert.Value(), Count: f.Alert.Count,
		First: f.Alert.First, Last: f.Alert.Last, Kinds: f.Alert.Kinds,
		Verdict: f.Verdict.Action.String(), Rule: ruleText(f.Verdict.Rule), Reason: f.Verdict.Reason, Checks: f.Verdict.Checks,
	}
}

func ruleText(r guard.Rule) string {
	if r == guard.NoRule {
		return ""
	}
	return r.String()
}

// EvidenceOf returns an event in the form for a person. It shares no text with the log.
func EvidenceOf(e *event.Event) Evidence {
	return Evidence{
		Time: e.Time, Kind: e.Kind.String(), Class: e.Kind.Class().String(), Service: e.Service.String(),
		User: strings.Clone(e.User), Line: strings.Clone(e.Message),
	}
}

// StateOf returns the engine's present knowledge of a source.
func StateOf(e *engine.Engine, addr netip.Addr) Why {
	known := e.Guard().History(addr)
	w := Why{Addr: addr, History: historyTexts(known), Buckets: []Bucket{}, Evidence: []Evidence{}, Alerts: []Alert{}}
	for _, p := range known.Waiting {
		w.Waiting = append(w.Waiting, Waiting{p.Scenario, p.Until, ruleText(p.Rule), p.Reason})
	}
	for _, l := range e.Buckets().LevelsOf(addr) {
		w.Buckets = append(w.Buckets, Bucket{
			Scenario: l.Scenario.Name, Key: l.Key, Count: l.Count, Needed: l.Limit, NextLeak: l.NextLeak, Ends: l.Ends, Silent: l.Silent,
		})
	}
	return w
}

func historyTexts(h guard.History) []string {
	var texts []string
	say := func(format string, args ...any) { texts = append(texts, fmt.Sprintf(format, args...)) }
	if h.Never != "" {
		say("never banned: %s", h.Never)
	}
	if !h.Amnesty.IsZero() {
		say("amnesty until %s, by a person's word", h.Amnesty.UTC().Format(time.RFC3339))
	}
	if h.Proof != "" {
		say("proven: %s", h.Proof)
	}
	if h.Accounts > 0 {
		say("%d accounts logged in from there, the last one at %s", h.Accounts, h.LastLogin.UTC().Format(time.RFC3339))
	}
	if h.MailDays > 0 {
		say("mail was accepted from it on %d of the last 30 days", h.MailDays)
	}
	if len(h.Offences) > 0 {
		kinds, kept := make([]string, 0, len(h.Offences)), 0
		for _, k := range h.Offences {
			kinds, kept = append(kinds, fmt.Sprintf("%d × %s", k.N, k.Name)), kept+k.N
		}
		since := h.First.UTC().Format(time.RFC3339)
		if h.Forgotten > 0 {
			since += fmt.Sprintf(": %d attempts; the newest %d", kept+h.Forgotten, kept)
		}
		say("offences since %s: %s, on %d accounts", since, strings.Join(kinds, ", "), h.Tried)
	}
	for _, x := range h.Waiting {
		say("%s found it; the verdict waits for evidence and is looked at again by %s", x.Scenario, x.Until.UTC().Format(time.RFC3339))
	}
	for _, x := range h.Excuses {
		say("as things stand now the rule %s excuses %d of its attempts", x.Rule, x.Attempts)
	}
	if len(texts) == 0 {
		say(unknown)
	}
	return texts
}
