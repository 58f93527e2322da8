package logline

import (
	"testing"
	"time"
)

// In Berlin, 02:00 to 03:00 came twice on 25 October 2026: first at 00:00 UTC, and
// again at 01:00 UTC.
func TestEndOfSummerTime(t *testing.T) {
	at := func(clock string) time.Time {
		when, err := time.Parse(time.RFC3339, "2026-10-"+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for name, tt := range map[string]struct {
		text                  string
		received, read, after string
		want                  string
	}{
		"live, first time":              {"Oct 25 02:30:00", "25T00:30:01", "25T00:30:01", "25T00:29:00", "25T00:30:00"},
		"live, second time":             {"Oct 25 02:30:00", "25T01:30:01", "25T01:30:01", "25T01:29:00", "25T01:30:00"},
		"live, second time, first line": {"Oct 25 02:30:00", "25T01:30:01", "25T01:30:01", "", "25T01:30:00"},
		"live, after a silent hour":     {"Oct 25 02:30:00", "25T01:30:01", "25T01:30:01", "25T00:31:00", "25T01:30:00"},
		"before it":                     {"Oct 25 01:59:59", "25T01:30:01", "25T01:30:01", "24T23:59:58", "24T23:59:59"},
		"after it":                      {"Oct 25 03:00:00", "25T02:00:01", "25T02:00:01", "25T01:59:59", "25T02:00:00"},
		"the first moment":              {"Oct 25 02:00:00", "25T00:00:01", "25T00:00:01", "24T23:59:59", "25T00:00:00"},
		"the clock is put back":         {"Oct 25 02:00:00", "25T01:00:01", "25T01:00:01", "25T00:59:59", "25T01:00:00"},
		"later, first time":             {"Oct 25 02:30:00", "26T12:00:00", "26T12:00:00", "25T00:29:00", "25T00:30:00"},
		"later, second time":            {"Oct 25 02:30:00", "26T12:00:00", "26T12:00:00", "25T01:29:00", "25T01:30:00"},
		"later, the clock put back":     {"Oct 25 02:00:00", "26T12:00:00", "26T12:00:00", "25T00:59:59", "25T01:00:00"},
		"later, out of order":           {"Oct 25 02:30:00", "26T12:00:00", "26T12:00:00", "25T00:30:04", "25T00:30:00"},
		"later, nothing before":         {"Oct 25 02:30:00", "26T12:00:00", "26T12:00:00", "", "25T00:30:00"},
		"with a year":                   {"2026-10-25T02:30:00", "25T01:30:01", "25T01:30:01", "25T01:29:00", "25T01:30:00"},
		"with its offset":               {"2026-10-25T02:30:00+02:00", "25T01:30:01", "25T01:30:01", "25T01:29:00", "25T00:30:00"},
		"live, a minute's silence":      {"Oct 25 02:30:00", "25T01:31:00", "25T01:31:00", "25T00:29:00", "25T00:30:00"},
		"live, more than a minute":      {"Oct 25 02:30:00", "25T01:31:00", "25T01:31:00", "25T00:28:59", "25T01:30:00"},
		"read a minute later":           {"Oct 25 02:30:00", "25T01:31:00", "25T01:31:00", "", "25T01:30:00"},
		"read more than a minute later": {"Oct 25 02:30:00", "25T01:31:01", "25T01:31:01", "", "25T00:30:00"},
		"a file written in that hour":   {"Oct 25 02:30:00", "25T01:30:01", "26T12:00:00", "", "25T01:30:00"},
		"a file of another time":        {"Oct 25 02:30:00", "26T12:00:00", "25T00:30:01", "", "25T00:30:00"},
	} {
		t.Run(name, func(t *testing.T) {
			line := Line{Text: tt.text + " mx1 postfix/qmgr[1]: x", Zone: berlin(t), Received: at(tt.received), Read: at(tt.read)}
			if tt.after != "" {
				line.After = at(tt.after)
			}
			header, _, ok := Split(line)
			if got := header.Time(line); !ok || !got.Equal(at(tt.want)) {
				t.Errorf("%s, want %s", got.UTC(), at(tt.want))
			}
			var s Splitter
			var h Header
			for range 2 { // the second time it compares
				if _, ok := s.Split(&line, &h); !ok || !s.Time(&line, &h).Equal(at(tt.want)) {
					t.Errorf("the splitter: %s, want %s", s.Time(&line, &h).UTC(), at(tt.want))
				}
			}
		})
	}
}

// In Berlin, the hour after 02:00 was left out on 29 March 2026.
func TestBeginOfSummerTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"Mar 29 01:59:59": time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC),
		"Mar 29 03:00:00": time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
	} {
		line := Line{Text: text + " mx1 postfix/qmgr[1]: x", Zone: berlin(t), Received: want, Read: want, After: want.Add(-time.Second)}
		header, _, ok := Split(line)
		if got := header.Time(line); !ok || !got.Equal(want) {
			t.Errorf("%s is %s, want %s", text, got.UTC(), want)
		}
	}
}

// A zone that never changes its clocks shows nothing twice.
func TestFixedZones(t *testing.T) {
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 7200), time.FixedZone("west", -7200)} {
		at := time.Date(2026, 10, 25, 2, 30, 0, 0, zone)
		if first, second, twice := bothOf(at); twice || !first.Equal(at) || !second.Equal(at) {
			t.Errorf("%s: %s and %s, %t, want twice false, first %s, second %s", zone, first, second, twice, at, at)
		}
	}
}

// Both moments have the same two, whichever is asked for.
func TestBothOf(t *testing.T) {
	zone := berlin(t)
	start := time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC)
	for minute := range 12 * 60 {
		at := start.Add(time.Duration(minute) * time.Minute).In(zone)
		first, second, twice := bothOf(at)
		inside := minute >= 4*60 && minute < 6*60
		if twice != inside {
			t.Fatalf("%s: twice %t, want %t", at, twice, inside)
		}
		if !inside {
			continue
		}
		if second.Sub(first) != time.Hour || !first.Equal(at) && !second.Equal(at) || first.Format(time.DateTime) != second.Format(time.DateTime) {
			t.Fatalf("%s: %s and %s", at, first, second)
		}
	}
}
