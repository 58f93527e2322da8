package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	bolt "go.etcd.io/bbolt"
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

// A day of an older file is in one piece. It is read, and replaced by parts.
// A day that is ahead of the clock, as another host's lines may be, ends no history.
func TestADayThatIsAheadEndsNoHistory(t *testing.T) {
	const today = "2026-11-28"
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		ahead string
		now   time.Time
		kept  bool
	}{
		"years ahead":            {"2031-01-01T00:00Z", now, true},
		"a month ahead":          {"2026-12-28T00:00Z", now, true},
		"years ahead, no clock":  {"2031-01-01T00:00Z", time.Time{}, false},
		"time has passed":        {"2026-12-28T00:00Z", now.AddDate(0, 1, 0), false},
		"the clock is behind":    {"2026-11-28T13:00Z", time.Unix(0, 0), true},
		"the clock is far ahead": {"2026-11-28T13:00Z", now.AddDate(9, 0, 0), true},
	} {
		s := open(t, path(t), Options{History: 48 * time.Hour})
		keepDays(t, s, map[string][]byte{today: []byte("x"), "2026-11-27T13:00Z": []byte("x")})
		must(t, draft(s, "").Store(s.Mark(), Beside{Days: map[string][]byte{tt.ahead: []byte("x")}, Now: tt.now}))
		day, err := s.Day(today)
		if (day != nil) != tt.kept || err != nil {
			t.Errorf("%s: the day is kept: %t, %v, want %t", name, day != nil, err, tt.kept)
		}
		if hour, err := s.Day(tt.ahead); hour == nil || err != nil {
			t.Errorf("%s: the hour ahead is %q, %v, want it", name, hour, err)
		}
	}
}

func TestDaysOfOlderFiles(t *testing.T) {
	p := path(t)
	must(t, open(t, p, Options{}).Close())
	long := noise(100_000)
	edit(t, p, func(tx *bolt.Tx) error {
		meta, days := tx.Bucket(metaBucket), tx.Bucket(daysBucket)
		mark, err := readMark(tx)
		put := func(name string, data []byte) {
			err = errors.Join(err, days.Put([]byte(name), seal([]byte(name), s2.Encode(nil, data))))
		}
		put("2026-11-27", long)
		put("2026-11-28T09:00Z", long)
		put("2026-11-28T10:00Z", []byte("ten"))
		return errors.Join(err, meta.Put(markKey, seal(sealedMark(6), key(uint64(mark)))), meta.Put(schemaKey, key(6)))
	})
	s := open(t, p, Options{})
	want := func(when, ten string) {
		t.Helper()
		hours, err := s.Hours("2026-11-28T00:00Z", "2026-11-29T00:00Z")
		if err != nil || len(hours) != 2 || !bytes.Equal(hours["2026-11-28T09:00Z"], long) || string(hours["2026-11-28T10:00Z"]) != ten {
			t.Errorf("%s: got %d hours and error %v, want nine and %s", when, len(hours), err, ten)
		}
	}
	want("older", "ten")
	keepDays(t, s, map[string][]byte{"2026-11-28T10:00Z": []byte("again")})
	s = reopen(t, s, Options{})
	want("replaced", "again")
	if day, err := s.Day("2026-11-27"); err != nil || !bytes.Equal(day, long) {
		t.Errorf("the day: got %d bytes and error %v, want %d", len(day), err, len(long))
	}
}

// noise returns bytes that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	for i, random := 0, rand.New(rand.NewPCG(1, 2)); i < n; i++ {
		b[i] = byte(random.Uint32())
	}
	return b
}

// Hours of megabytes are not written again with each new one: a checkpoint writes little
// more than what is new.
func TestLongDaysStayWhereTheyAre(t *testing.T) {
	s := open(t, path(t), Options{})
	long := noise(3 << 20)
	for hour := range 6 {
		keepDays(t, s, map[string][]byte{fmt.Sprintf("2026-11-28T0%d:00Z", hour): long})
	}
	stats := s.db.Stats()
	before := stats.TxStats.GetPageAlloc()
	keepDays(t, s, map[string][]byte{"2026-11-28T07:00Z": long[:1000]})
	stats = s.db.Stats()
	if got := stats.TxStats.GetPageAlloc() - before; got > 1<<20 {
		t.Errorf("a short hour beside long ones has %d bytes written, want at most %d", got, 1<<20)
	}
}
