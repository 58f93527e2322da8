package document

import (
	"testing"
	"time"
)

// A day begins with its first moment and ends with that of the next day, where clocks are
// set at midnight, too: at Santiago and Havana the hour after midnight is left out once a
// year, at Cairo as well, and at Havana it comes twice.
func TestMidnight(t *testing.T) {
	for _, tt := range []struct {
		zone, date, start string
		hours             float64
	}{
		{"America/Santiago", "2026-09-06", "2026-09-06T01:00:00-03:00", 23},
		{"America/Santiago", "2026-09-05", "2026-09-05T00:00:00-04:00", 24},
		{"America/Santiago", "2026-09-07", "2026-09-07T00:00:00-03:00", 24},
		{"America/Havana", "2026-03-08", "2026-03-08T01:00:00-04:00", 23},
		{"America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00", 25},
		{"Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00", 23},
		{"Africa/Cairo", "2026-04-23", "2026-04-23T00:00:00+02:00", 24},
		{"Europe/Berlin", "2026-03-29", "2026-03-29T00:00:00+01:00", 23},
		{"Europe/Berlin", "2026-10-25", "2026-10-25T00:00:00+02:00", 25},
		{"Asia/Kolkata", "2026-10-25", "2026-10-25T00:00:00+05:30", 24},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		start, err := ParseDay(tt.date, zone)
		end := Midnight(start, 1)
		if err != nil || start.Format(time.RFC3339) != tt.start || end.Sub(start).Hours() != tt.hours || !Midnight(end, -1).Equal(start) {
			t.Errorf("%s at %s: got %s and %v hours, the day before the next one begins at %s; want %s and %v (%v)",
				tt.date, tt.zone, start.Format(time.RFC3339), end.Sub(start).Hours(), Midnight(end, -1), tt.start, tt.hours, err)
		}
	}
	if _, err := ParseDay("2026-02-30", time.UTC); err == nil {
		t.Error("2026-02-30: got no error, want one")
	}
}
