package state

import (
	"time"

	bolt "go.etcd.io/bbolt"
)

// EachSince calls f with each alert that left the lists at that time or later, oldest
// first. The argument of f shares no memory with the file.
func (s *history) EachSince(from time.Time, f func(*HistoryEntry)) error {
	return s.view("read the history", func(tx *bolt.Tx) error {
		cursor := tx.Bucket(historyBucket).Cursor()
		for k, v := cursor.Seek(timeKey(from, "")); k != nil; k, v = cursor.Next() {
			var t HistoryEntry
			if err := get(k, v, func(c codec) { c.historyEntry(&t) }); err != nil {
				return err
			}
			f(&t)
		}
		return nil
	})
}
