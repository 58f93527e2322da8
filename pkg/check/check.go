// Package check tests whether everything that csmail needs is in place: its logs,
// CrowdSec's Local API (LAPI), a bouncer, the doors in Postfix and Dovecot, and the
// settings of the mail servers.
//
// The problem: each of these can fail while the rest goes on, and then bans do not come
// or, worse, mail does not. The mechanism: a [Probe] for each; it asks one program,
// file or service through a small interface, and returns findings. Each finding has a
// level and the command that mends it. For example, a bouncer key that was revoked is
// critical, and its mend is "sudo cscli bouncers add csmail".
//
// The package changes nothing. It reads the output of postconf(1), doveconf(1), cscli
// (CrowdSec 1.4 to 1.7) and timedatectl(1).
package check

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Level is the severity of a finding.
type Level int

// The levels. A Note is advice, and changes neither the colour nor the exit status.
const (
	OK Level = iota
	Note
	Warning
	Critical
)

var levelNames = []string{"ok", "note", "warning", "critical"}

// String returns the level as csmail check prints it.
func (l Level) String() string { return levelNames[l] }

// MarshalText implements [encoding.TextMarshaler].
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is one thing that is not as it should be.
type Finding struct {
	Level   Level  `json:"level"`
	Problem string `json:"problem"`
	Mend    string `json:"mend,omitempty"` // a command, or a text and the file to write it to
}

// Result is the answer of one probe.
type Result struct {
	Name     string    `json:"name"`
	Level    Level     `json:"level"` // of the worst finding; OK if there are notes alone
	Text     string    `json:"text"`  // the result in one line
	Findings []Finding `json:"findings"`
}

// Probe looks at one thing.
type Probe struct {
	Name string
	// run returns the result in one line, and the findings.
	run func(context.Context) (string, []Finding)
}

// within bounds the time of one probe. The LAPI and doveconf may take seconds.
const within = 15 * time.Second

// Run asks all probes at the same time and returns the results in their order.
func Run(ctx context.Context, probes []Probe) []Result {
	results := make([]Result, len(probes))
	var all sync.WaitGroup
	for i, p := range probes {
		all.Go(func() { results[i] = p.ask(ctx) })
	}
	all.Wait()
	return results
}

func (p Probe) ask(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	text, findings := p.run(ctx)
	r := Result{Name: p.Name, Text: text, Findings: findings}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return int(b.Level - a.Level) })
	if len(r.Findings) > 0 && r.Findings[0].Level > Note {
		r.Level, r.Text = r.Findings[0].Level, r.Findings[0].Problem
	}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	return r
}

// Worst returns the level of the worst result.
func Worst(results []Result) Level {
	worst := OK
	for _, r := range results {
		worst = max(worst, r.Level)
	}
	return worst
}

// critical returns one finding.
func critical(mend, problem string, args ...any) []Finding {
	return []Finding{{Critical, fmt.Sprintf(problem, args...), mend}}
}

// warning returns one finding.
func warning(mend, problem string, args ...any) []Finding {
	return []Finding{{Warning, fmt.Sprintf(problem, args...), mend}}
}

// note returns one finding.
func note(mend, problem string, args ...any) []Finding {
	return []Finding{{Note, fmt.Sprintf(problem, args...), mend}}
}
