package replay

import (
	"slices"
	"testing"
	"time"

	"csmail/pkg/engine"
	"csmail/pkg/event"
	"csmail/pkg/input/archive"
)

// In Berlin, 02:00 to 03:00 came twice on 26 October 2025: the lines of both passes
// are dated by the lines before them, wherever the blocks are cut, and merged with
// the lines of a log that names its offset.
func TestHourThatComesTwice(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2025, 10, 25, 23, 30, 0, 0, time.UTC)
	for _, size := range []int{1, 7, 1000} {
		var local, zoned text
		var block string
		var want []string
		for i := range 180 {
			at := start.Add(time.Duration(i) * time.Minute)
			block += at.In(zone).Format(time.Stamp) + " mx1 postfix/smtpd[42]: connect from a[192.0.2.1]\n"
			zoned = append(zoned, at.Add(time.Second).In(zone).Format(time.RFC3339)+" mx2 postfix/smtpd[42]: connect from a[192.0.2.1]\n")
			if i%size == size-1 || i == 179 {
				block += "no header\n" + at.In(zone).Format(time.Stamp) + " mx1 postfix/smtpd[42]: news\n"
				local, block = append(local, block), ""
			}
			want = append(want, "mx1 "+at.Format(time.TimeOnly), "mx2 "+at.Add(time.Second).Format(time.TimeOnly))
		}
		say := func(r engine.Result) string { return r.Host + " " + r.Time.UTC().Format(time.TimeOnly) }
		check := func(name string, got []string) {
			if !slices.Equal(got, want) {
				t.Errorf("%s, blocks of %d lines:\ngot  %s\nwant %s", name, size, got, want)
			}
		}
		sources := func() []archive.Input {
			return []archive.Input{named{name: "local", text: local}, named{name: "zoned", text: zoned}}
		}
		var results, lines []string
		_, err := Run(t.Context(), sources(), Options{Zone: zone, Missed: func(string) {}, Result: func(_ string, r *engine.Result) { results = append(results, say(*r)) }})
		if err != nil {
			t.Fatal(err)
		}
		check("results", results)
		_, err = Run(t.Context(), sources(), Options{Zone: zone, Line: func(_ string, trace engine.Trace, r engine.Result) {
			if trace.Record.Outcome < event.Witness {
				return
			}
			lines = append(lines, say(r))
			if !trace.Record.Time.Equal(r.Time) {
				t.Errorf("the trace is of %s, the record of %s", trace.Record.Time, r.Time)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		check("lines", lines)
	}
}

// What is dated by the line before it costs nothing elsewhere: a line outside of
// that hour, and one that names its offset, is never dated twice.
func TestOnlyTwofoldTimesAreMended(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for stamp, want := range map[string]int{
		"Oct 26 01:59:59": 0, "Oct 26 02:00:00": 2, "Oct 26 02:59:59": 2, "Oct 26 03:00:00": 0,
		"2025-10-26T02:30:00": 2, "2025-10-26T02:30:00+02:00": 0, "2025-10-26T00:30:00Z": 0, "@4000000068fd6a2a00000000": 0,
	} {
		line := stamp + " mx1 postfix/smtpd[42]: connect from a[192.0.2.1]\n"
		j := job{block: archive.Block{Text: line + line, First: 1, Received: received}}
		j.parse(zone, nil, keep{})
		if len(j.records) != 2 || len(j.twofold) != want {
			t.Errorf("%q: %d of %d records may mean two times, want %d", stamp, len(j.twofold), len(j.records), want)
		}
	}
}
