package state

import (
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The limits of the days that are kept.
const (
	// MaxDays is how many days there are at most, however long the history is.
	MaxDays = 400
	// maxDayParts is how many values they have together: the hours, and a sum of each day.
	maxDayParts = MaxDays * 26
	// maxDaysSize is how many bytes they take together, as stored. The oldest go
	// first.
	maxDaysSize = 64 << 20
)

// days holds the data of the daily report: the hours and days that are over.
type days struct{ *file }

// Beside is the data that is stored with a checkpoint, in the same transaction.
type Beside struct {
	Kept map[string][]byte // by name, as Keep has it; an empty value forgets
	// Large holds values of megabytes, by name, for Kept. They are compressed, and go to the
	// file as the parts of a checkpoint do. An empty value forgets.
	Large map[string][]byte
	// Days holds the data of hours and days that are over. The key of an hour is its
	// begin in UTC, for example 2026-11-28T13:00Z, that of a day its date, for example
	// 2026-11-28.
	Days map[string][]byte
	// Now is the time by the clock, after which nothing counts as the newest day: another
	// host's clock may be ahead. The zero time is none.
	Now time.Time
}

// putBeside stores the data that must agree with a checkpoint.
func (s *journal) putBeside(tx *bolt.Tx, beside Beside) error {
	for name, data := range beside.Kept {
		if err := keep(tx, name, data); err != nil {
			return err
		}
	}
	if len(beside.Days) == 0 {
		return nil
	}
	return pruneDays(tx.Bucket(daysBucket), s.options.History, beside.Now)
}

// nameOf returns the name of the value that a key is a part of, or the whole.
func nameOf(k []byte) string {
	name, _, _ := strings.Cut(string(k), "/")
	return name
}

// readDay reads the data of a date or an hour, nil if there is none.
func readDay(days *bolt.Bucket, name string) ([]byte, error) {
	data, isSeries, err := valueOf(days, name)
	if data == nil || err != nil || isSeries {
		return data, err
	}
	return uncompress(data) // an older file holds it compressed as a whole
}

// pruneDays forgets days that are older than the newest one, or than the present if that
// is earlier, by more than the history, are too many, or take too much room.
func pruneDays(days *bolt.Bucket, history time.Duration, now time.Time) error {
	newest, _ := days.Cursor().Last()
	last, err := time.Parse(time.DateOnly, string(newest[:min(len(newest), len(time.DateOnly))]))
	if err != nil {
		return nil // whoever names days otherwise keeps them
	}
	if !now.IsZero() && now.Before(last) {
		last = now
	}
	oldest := last.Add(-history).Format(time.DateOnly)
	total := map[string]int{} // bytes by name
	var names []string        // the newest first
	cursor := days.Cursor()
	for k, v := cursor.Last(); k != nil; k, v = cursor.Prev() {
		name := nameOf(k)
		if _, seen := total[name]; !seen {
			names = append(names, name)
		}
		total[name] += len(v)
		if series := days.Bucket(k); series != nil {
			total[name] += sizeOf(series)
		}
	}
	size := 0
	for i, name := range names {
		size += total[name]
		if i < maxDayParts && size <= maxDaysSize && name >= oldest {
			continue
		}
		if err := removeValue(days, name); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf returns the number of bytes of the values in a bucket.
func sizeOf(bucket *bolt.Bucket) (n int) {
	cursor := bucket.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		n += len(v)
	}
	return n
}

// Hours returns the data of the hours from one key to before another, by key.
func (s *days) Hours(from, to string) (hours map[string][]byte, err error) {
	hours = map[string][]byte{}
	err = s.view("read the hours from "+from, func(tx *bolt.Tx) error {
		return eachDay(tx, from, func(days *bolt.Bucket, name string) (more bool, err error) {
			if name >= to {
				return false, nil
			}
			if isHour(name) {
				hours[name], err = readDay(days, name)
			}
			return true, err
		})
	})
	return hours, err
}

// eachDay calls f with the name of each date and hour from one on, in order, as long as f
// wants more.
func eachDay(tx *bolt.Tx, from string, f func(days *bolt.Bucket, name string) (more bool, err error)) error {
	days := tx.Bucket(daysBucket)
	if days == nil { // of an older file that is only looked at
		return nil
	}
	const behind = "0" // sorts behind the slash of a part
	cursor := days.Cursor()
	for k, _ := cursor.Seek([]byte(from)); k != nil; {
		name := nameOf(k)
		more, err := f(days, name)
		if !more || err != nil {
			return err
		}
		k, _ = cursor.Seek([]byte(name + behind))
	}
	return nil
}

// isHour reports whether a name is that of an hour.
func isHour(name string) bool { return len(name) > len(time.DateOnly) }

// FirstHour returns the key of the oldest hour that is stored, "" if none is.
func (s *days) FirstHour() (first string, err error) {
	err = s.view("read the first hour", func(tx *bolt.Tx) error {
		return eachDay(tx, "", func(_ *bolt.Bucket, name string) (bool, error) {
			if isHour(name) {
				first = name
			}
			return first == "", nil
		})
	})
	return first, err
}

// Day returns the data of a date or an hour, nil if there is none.
func (s *days) Day(date string) (data []byte, err error) {
	err = s.view("read the day "+date, func(tx *bolt.Tx) error {
		days := tx.Bucket(daysBucket)
		if days == nil { // of an older file that is only looked at
			return nil
		}
		data, err = readDay(days, date)
		return err
	})
	return data, err
}
