package check

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"csmail/pkg/bucket"
	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/logline"
	"csmail/pkg/scenario"
)

// Run is one test log and its result.
type Run struct {
	Scenario  string `json:"scenario"`
	Log       string `json:"log"`
	Wants     bool   `json:"wants_overflow"`
	Overflows int    `json:"overflows"`
	Events    int    `json:"events"` // that counted for any scenario
	Lines     int    `json:"lines"`
}

// Passed reports whether the scenario overflowed or not as the log's name demands.
func (r Run) Passed() bool { return r.Wants == (r.Overflows > 0) }

// Missing returns the kind of test log that a scenario lacks.
func Missing(runs []Run) string {
	has := func(wants bool) bool {
		return slices.ContainsFunc(runs, func(r Run) bool { return r.Wants == wants })
	}
	switch {
	case !has(true) && !has(false):
		return "no test log"
	case !has(true):
		return "no over*.log"
	case !has(false):
		return "no under*.log"
	}
	return ""
}

// Folder is where the logs of a scenario stand: the part of its name behind the
// author's.
func Folder(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// Logs runs the scenario of the set with that name over each of its logs in
// fsys, sorted by name. Without any the list is empty.
func Logs(set *scenario.Set, name string, fsys fs.FS) ([]Run, error) {
	folder := Folder(name)
	entries, err := fs.ReadDir(fsys, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read test logs: %w", err)
	}
	var runs []Run
	for _, entry := range entries {
		over, under := strings.HasPrefix(entry.Name(), "over"), strings.HasPrefix(entry.Name(), "under")
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".log") || !over && !under {
			continue
		}
		text, err := fs.ReadFile(fsys, path.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read test log: %w", err)
		}
		r := Run{Scenario: name, Log: path.Join(folder, entry.Name()), Wants: over}
		r.play(set, string(text))
		runs = append(runs, r)
	}
	return runs, nil
}

// received dates years and bounds clocks: no test log is of later than that. It is
// a leap year, so that February 29 is a day.
var received = time.Date(2096, 12, 31, 23, 59, 59, 0, time.UTC)

func (r *Run) play(set *scenario.Set, text string) {
	sessions := engine.New(engine.Options{})
	buckets := bucket.New(set, bucket.Limits{}, event.HashKey{})
	reader := engine.Reader{Line: logline.Line{Received: received, Read: received, Zone: time.UTC}}
	for line := range strings.Lines(text) {
		r.Lines++
		var record event.Record
		reader.Next(strings.TrimRight(line, "\n"), &record)
		if record.Outcome < event.Witness {
			continue
		}
		result := sessions.Step(&record)
		r.release(buckets, result)
		r.pour(buckets, result)
	}
	r.release(buckets, sessions.EndSessions(received))
	r.count(buckets.Advance(received)) // counters end by time
}

// release pours offences that were withheld until now.
func (r *Run) release(buckets *bucket.Engine, result engine.Result) {
	for i := range result.Released() {
		r.pour(buckets, engine.Result{Record: &result.Released()[i].Record})
	}
}

func (r *Run) pour(buckets *bucket.Engine, result engine.Result) {
	if !result.IsOffence() {
		return
	}
	r.Events += result.Pours()
	for range result.Pours() {
		r.count(buckets.Pour(&result.Event))
	}
}

func (r *Run) count(overflows []bucket.Overflow) {
	for i := range overflows {
		if overflows[i].Scenario.Name == r.Scenario {
			r.Overflows++
		}
	}
}
