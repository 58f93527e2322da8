package state

import (
	"time"

	"csmail/pkg/wire"

	bolt "go.etcd.io/bbolt"
)

// EachSince calls f with each alert that left the lists at that time or later, oldest
// first. The argument of f shares no memory with the file.
func (s *history) EachSince(from time.Time, f func(*HistoryEntry)) error {
	return s.eachSince(from, func(Status) bool { return true }, f)
}

// EachDelivered calls f with those of EachSince that the LAPI has. While the LAPI is away a
// flood leaves thousands in the history that were dropped: of these only the first fields
// are read.
func (s *history) EachDelivered(from time.Time, f func(*HistoryEntry)) error {
	return s.eachSince(from, func(status Status) bool { return status == Delivered }, f)
}

func (s *history) eachSince(from time.Time, wanted func(Status) bool, f func(*HistoryEntry)) error {
	return s.view("read the history", func(tx *bolt.Tx) error {
		cursor := tx.Bucket(historyBucket).Cursor()
		for k, v := cursor.Seek(timeKey(from, "")); k != nil; k, v = cursor.Next() {
			data, err := unseal(k, v)
			if err != nil {
				return err
			}
			var t HistoryEntry
			head := codec{&wire.Stored{Version: wire.StoredVersion, Codec: wire.Codec{B: data, Reading: true}}}
			if head.historyHead(&t); head.Err == nil && !wanted(t.Status) {
				continue
			}
			if err := decode(data, func(c codec) { c.historyEntry(&t) }); err != nil {
				return err
			}
			f(&t)
		}
		return nil
	})
}
