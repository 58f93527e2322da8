package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"csmail/pkg/event"
	"csmail/pkg/logline"
)

// A Reader numbers lines, gives repetitions back, and dates the hour that comes twice
// by the line before.
func TestReader(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const smtpd = " mx postfix/smtpd[7]: "
	log := []string{
		"Oct 25 02:59:58" + smtpd + guess, "Oct 25 02:59:59 mx last message repeated 2 times", "noise",
		"Oct 25 02:00:01" + smtpd + guess, "Oct 25 02:30:00" + smtpd + "connect from unknown[192.0.2.1]", "Oct 25 02:31:00 mx last message repeated 2 times",
	}
	want := []string{
		"1 event 1 2026-10-25T00:59:58Z", "2 event 2 2026-10-25T00:59:59Z", "3 no-header 0 0001-01-01T00:00:00Z",
		"4 event 1 2026-10-25T01:00:01Z", "5 witness 0 2026-10-25T01:30:00Z", "6 witness 2 2026-10-25T01:31:00Z",
	}
	received := time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC)
	for name, resumes := range map[string]bool{"in one go": false, "resumed behind each event": true} {
		r := Reader{Line: logline.Line{Received: received, Read: received, Zone: zone}}
		var got []string
		for _, text := range log {
			var record event.Record
			r.Next(text, &record)
			got = append(got, fmt.Sprintf("%d %s %d %s", record.Line, record.Outcome, record.Attempts, record.Time.UTC().Format(time.RFC3339)))
			if last, ok := r.Repeatable(); ok && resumes {
				last.Event = last.Event.Clone()
				r = Reader{Line: logline.Line{Received: received, Read: received, Zone: zone}}
				r.Resume(last)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
}
