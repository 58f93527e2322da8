package document

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/report"
)

// What a release before frames stored of a window is read as the window.
// (testdata/gob holds what csmail 63db3d5 stored of dayLines(1): the day, and the open
// hours after half of its lines.)
func TestOldWindowsStayReadable(t *testing.T) {
	old, err := os.ReadFile("testdata/gob/window.gob")
	if err != nil {
		t.Fatal(err)
	}
	since, until := day("2026-11-28")
	w, err := MergeWindows(report.Scope{Since: since, Until: until}, old)
	if err != nil {
		t.Fatal(err)
	}
	got := asText(t, Maker{Zone: time.UTC, ZoneName: "UTC"}.Of(w, Surroundings{Since: since, Until: until}))
	if diff := cmp.Diff(asOlder(t, ofWindow(t, dayLines(1), since, until)), asOlder(t, got)); diff != "" {
		t.Errorf("the stored day (-want +got):\n%s", diff)
	}
}

// The open hours of such a release are gone on with.
func TestOldDaysGoOn(t *testing.T) {
	old, err := os.ReadFile("testdata/gob/days.gob")
	if err != nil {
		t.Fatal(err)
	}
	lines := dayLines(1)
	restored, whole := newKeeper(t), newKeeper(t)
	first, second := newReader(), newReader()
	for i, line := range lines {
		whole.read(first, line)
		if i > len(lines)/2 {
			restored.read(second, line)
			continue
		}
		second.read(line, func(*event.Record) {}, func(engine.Result) {})
		if i == len(lines)/2 {
			whole.store()
			if restored.days, err = RestoreOldDays(restored.days.options, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if restored.days.First() != whole.days.First() || restored.days.Latest() != whole.days.Latest() {
		t.Errorf("got lines from %s to %s, want %s to %s", restored.days.First(), restored.days.Latest(), whole.days.First(), whole.days.Latest())
	}
	from := HourOf(timeOfLine(t, lines[len(lines)/2]), time.UTC)
	to := from.Add(3 * time.Hour)
	whole.kept = nil
	if diff := cmp.Diff(asOlder(t, asText(t, whole.report(from, to))), asOlder(t, asText(t, restored.report(from, to)))); diff != "" {
		t.Errorf("the hours that were open (-want +got):\n%s", diff)
	}
	if _, err := RestoreOldDays(restored.days.options, old[:len(old)/2]); err == nil {
		t.Error("half of the open hours: got no error, want one")
	}
}

func timeOfLine(t *testing.T, line string) time.Time {
	t.Helper()
	stamp, _, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// asOlder leaves out of a report what older releases did not count.
func asOlder(t *testing.T, text string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	connections := doc["connections"].(map[string]any)
	for _, key := range []string{"smtpd_per_hour", "smtpd_per_day", "smtpd_hosts"} {
		delete(connections, key)
	}
	delete(doc["warnings"].(map[string]any), "by") // had login names in its texts
	older, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(older)
}
