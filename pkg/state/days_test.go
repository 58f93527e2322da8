package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func keepDays(t *testing.T, s *Store, days map[string][]byte) {
	t.Helper()
	must(t, draft(s, "").Store(s.Mark(), Beside{Days: days}))
}

func TestHours(t *testing.T) {
	s := open(t, path(t), Options{})
	if first, err := s.FirstHour(); first != "" || err != nil {
		t.Errorf("of an empty file: got %q, %v, want no hour", first, err)
	}
	keepDays(t, s, map[string][]byte{
		"2026-11-27": []byte("a day"), "2026-11-28T09:00Z": []byte("nine"), "2026-11-28T10:00Z": []byte("ten"), "2026-11-28": []byte("a sum"), "2026-11-28T11:30Z": []byte("half past"),
	})
	keepDays(t, s, map[string][]byte{"2026-11-28T10:00Z": []byte("ten again")})
	for _, tt := range []struct{ from, to, want string }{
		{"2026-11-28T09:00Z", "2026-11-28T11:00Z", "nine, ten again"},
		{"2026-11-27T00:00Z", "2026-11-29T00:00Z", "nine, ten again, half past"},
		{"2026-11-28T12:00Z", "2026-11-29T00:00Z", ""},
	} {
		hours, err := s.Hours(tt.from, tt.to)
		var got []string
		for _, key := range slices.Sorted(maps.Keys(hours)) {
			got = append(got, string(hours[key]))
		}
		if strings.Join(got, ", ") != tt.want || err != nil {
			t.Errorf("%s to %s: got %q, %v, want %s", tt.from, tt.to, got, err, tt.want)
		}
	}
	if first, err := s.FirstHour(); first != "2026-11-28T09:00Z" || err != nil {
		t.Errorf("the first hour is %q, %v, want nine o'clock", first, err)
	}
	if day, err := s.Day("2026-11-28"); string(day) != "a sum" || err != nil {
		t.Errorf("the day is %q, %v, want its sum", day, err)
	}
}

// What is older than the history goes, hours and days alike.
func TestOldHoursGo(t *testing.T) {
	s := open(t, path(t), Options{History: 48 * time.Hour})
	days := map[string][]byte{}
	for day := 20; day <= 28; day++ {
		days[fmt.Sprintf("2026-11-%d", day)] = []byte("x")
		days[fmt.Sprintf("2026-11-%dT13:00Z", day)] = []byte("x")
	}
	keepDays(t, s, days)
	hours, err := s.Hours("2026-01-01T00:00Z", "2027-01-01T00:00Z")
	if len(hours) != 3 || err != nil {
		t.Errorf("%d hours are left, %v, want those of three days", len(hours), err)
	}
	if old, err := s.Day("2026-11-25"); old != nil || err != nil {
		t.Errorf("a day of before the history: got %q, %v, want none", old, err)
	}
}
