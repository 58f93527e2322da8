package state

import (
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
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
	// Days holds the data of hours and days that are over. The key of an hour is its
	// begin in UTC, for example 2026-11-28T13:00Z, that of a day its date, for example
	// 2026-11-28.
	Days map[string][]byte
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
	days := tx.Bucket(daysBucket)
	for date, data := range beside.Days {
		k := []byte(date)
		if err := days.Put(k, seal(k, s2.Encode(nil, data))); err != nil {
			return err
		}
	}
	return pruneDays(days, s.options.History)
}

// pruneDays forgets days that are older than the newest one by more than the
// history, are too many, or take too much room.
func pruneDays(days *bolt.Bucket, history time.Duration) error {
	newest, _ := days.Cursor().Last()
	last, err := time.Parse(time.DateOnly, string(newest[:min(len(newest), len(time.DateOnly))]))
	if err != nil {
		return nil // whoever names days otherwise keeps them
	}
	oldest := last.Add(-history).Format(time.DateOnly)
	var old [][]byte
	count, size := 0, 0
	cursor := days.Cursor()
	for k, v := cursor.Last(); k != nil; k, v = cursor.Prev() {
		count, size = count+1, size+len(v)
		if count > maxDayParts || size > maxDaysSize || string(k) < oldest {
			old = append(old, slices.Clone(k))
		}
	}
	for _, k := range old {
		if err := days.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// Hours returns the data of the hours from one key to before another, by key.
func (s *days) Hours(from, to string) (hours map[string][]byte, err error) {
	hours = map[string][]byte{}
	err = s.view("read the hours from "+from, func(tx *bolt.Tx) error {
		days := tx.Bucket(daysBucket)
		if days == nil {
			return nil
		}
		cursor := days.Cursor()
		for k, v := cursor.Seek([]byte(from)); k != nil && string(k) < to; k, v = cursor.Next() {
			if !isHour(k) {
				continue
			}
			data, err := unpack(k, v)
			if err != nil {
				return err
			}
			hours[string(k)] = data
		}
		return nil
	})
	return hours, err
}

// isHour reports whether a key is that of an hour.
func isHour(k []byte) bool { return len(k) > len(time.DateOnly) }

// FirstHour returns the key of the oldest hour that is stored, "" if none is.
func (s *days) FirstHour() (first string, err error) {
	err = s.view("read the first hour", func(tx *bolt.Tx) error {
		days := tx.Bucket(daysBucket)
		if days == nil {
			return nil
		}
		cursor := days.Cursor()
		for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
			if isHour(k) {
				first = string(k)
				return nil
			}
		}
		return nil
	})
	return first, err
}

// Day returns the data of a date or an hour, nil if there is none.
func (s *days) Day(date string) (data []byte, err error) {
	k := []byte(date)
	err = s.view("read the day "+date, func(tx *bolt.Tx) error {
		days := tx.Bucket(daysBucket)
		if days == nil { // of a file of before that is only looked at
			return nil
		}
		v := days.Get(k)
		if v == nil {
			return nil
		}
		data, err = unpack(k, v)
		return err
	})
	return data, err
}
