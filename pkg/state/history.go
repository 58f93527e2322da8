package state

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// history holds the alerts that left the lists, and knows the bans that may still run.
type history struct {
	*file
	lists *lists // a renewed ban enters the outbox in the same transaction
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// key returns the key of an alert in the history, in the order of time.
func (t *HistoryEntry) key() []byte { return timeKey(t.Sent, t.ID) }

// valueKey is the prefix of the keys of all alerts on one value, in the order of time.
// Clients choose the names of accounts, with any bytes and of any length, so the key
// holds the value's hash.
func valueKey(value string, history []byte) []byte {
	sum := sha256.Sum256([]byte(value))
	return append(sum[:16], history...)
}

// remember writes an entry that has left the lists into the history.
func remember(tx *bolt.Tx, e Entry, settled Settlement) error {
	t := HistoryEntry{
		ID: e.ID, Number: settled.Number, Status: settled.Status, Reason: settled.Reason, Sent: settled.At,
		Alert: e.Alert, Duration: e.Duration, Simulate: e.Simulate, Renewal: e.Renewal,
	}
	t.Alert.Evidence = nil
	if err := putHistory(tx, &t); err != nil {
		return err
	}
	byValue := valueKey(t.Alert.Value(), t.key())
	if err := tx.Bucket(valuesBucket).Put(byValue, seal(byValue, nil)); err != nil {
		return err
	}
	if t.Status != Delivered || t.Number == "" || t.Simulate || t.Alert.Informational {
		return nil
	}
	return putRunning(tx, t.key(), nil)
}

// putRunning says that a ban may run, or when it ended.
func putRunning(tx *bolt.Tx, k, end []byte) error {
	return tx.Bucket(runningBucket).Put(k, seal(k, end))
}

// putHistory writes an alert of the history under its key.
func putHistory(tx *bolt.Tx, t *HistoryEntry) error {
	return put(tx.Bucket(historyBucket), t.key(), func(c codec) { c.historyEntry(t) })
}

// readHistory reads the alert of a key that an index names. If the history lacks it, index
// and history disagree, so the file is damaged.
func readHistory(tx *bolt.Tx, k []byte) (HistoryEntry, error) {
	value := tx.Bucket(historyBucket).Get(k)
	if value == nil {
		return HistoryEntry{}, fmt.Errorf("%w: the history lacks an alert", errDamaged)
	}
	var t HistoryEntry
	err := get(k, value, func(c codec) { c.historyEntry(&t) })
	return t, err
}

// History returns up to limit alerts on one value ([event.Alert.Value]) that were
// delivered, held back by the LAPI, or dropped, newest first.
func (s *history) History(value string, limit int) ([]HistoryEntry, error) {
	var found []HistoryEntry
	err := s.view("read the history", func(tx *bolt.Tx) error {
		prefix := valueKey(value, nil)
		cursor := tx.Bucket(valuesBucket).Cursor()
		for k := before(cursor, valueKey(value, bytes.Repeat([]byte{0xff}, 9))); k != nil && len(found) < limit; k, _ = cursor.Prev() {
			if !bytes.HasPrefix(k, prefix) {
				return nil
			}
			t, err := readHistory(tx, k[len(prefix):])
			if err != nil {
				return err
			}
			found = append(found, t)
		}
		return nil
	})
	return found, err
}

// before moves to the last key before k.
func before(cursor *bolt.Cursor, k []byte) []byte {
	if found, _ := cursor.Seek(k); found == nil {
		last, _ := cursor.Last()
		return last
	}
	previous, _ := cursor.Prev()
	return previous
}

// Recent returns the newest alerts of the history, newest first.
func (s *history) Recent(limit int) ([]HistoryEntry, error) {
	var found []HistoryEntry
	err := s.view("read the history", func(tx *bolt.Tx) error {
		cursor := tx.Bucket(historyBucket).Cursor()
		for k, v := cursor.Last(); k != nil && len(found) < limit; k, v = cursor.Prev() {
			var t HistoryEntry
			if err := get(k, v, func(c codec) { c.historyEntry(&t) }); err != nil {
				return err
			}
			found = append(found, t)
		}
		return nil
	})
	return found, err
}

// Running returns up to limit delivered alerts with a ban that may still run. They come
// in the order of time, from the one after the given alert on (nil: from the oldest).
func (s *history) Running(after *HistoryEntry, limit int) ([]HistoryEntry, error) {
	var found []HistoryEntry
	err := s.view("read the running bans", func(tx *bolt.Tx) error {
		cursor := tx.Bucket(runningBucket).Cursor()
		k, v := cursor.First()
		if after != nil {
			k, v = cursor.Seek(append(after.key(), 0))
		}
		for ; k != nil && len(found) < limit; k, v = cursor.Next() {
			end, err := unsealIndex(tx, k, v)
			if err != nil {
				return err
			}
			if len(end) > 0 {
				continue // over
			}
			t, err := readHistory(tx, k)
			if err != nil {
				return err
			}
			found = append(found, t)
		}
		return nil
	})
	return found, err
}

// Looked stores the bans that the LAPI made of a delivered alert, and the time when the
// LAPI stored it, by the LAPI's clock.
func (s *history) Looked(t HistoryEntry, created time.Time, bans []Ban) error {
	return s.change(t, func(_ *bolt.Tx, t *HistoryEntry, _ *change) error {
		t.Bans, t.Created, t.Looked = bans, created, true
		return nil
	})
}

// Unbanned stores that a person ended the bans of an alert early. The alert is no longer
// watched.
func (s *history) Unbanned(t HistoryEntry, at time.Time) error {
	return s.change(t, func(tx *bolt.Tx, t *HistoryEntry, _ *change) error {
		t.Unbanned = at
		return tx.Bucket(runningBucket).Delete(t.key())
	})
}

// Over says that the bans of the alert have reached their end by the clock of the
// LAPI. It is watched no longer, unless [Store.Revive] finds that the clock was ahead.
func (s *history) Over(t HistoryEntry) error {
	return s.change(t, func(tx *bolt.Tx, t *HistoryEntry, _ *change) error {
		watched, err := isWatched(tx, t.key())
		if !watched || err != nil {
			return err // without one it has ended otherwise
		}
		return putRunning(tx, t.key(), timeKey(t.End(), ""))
	})
}

// Revive resumes watching the alerts that were marked as over and whose bans end after
// now, and returns their number. It undoes the marks that were set while the clock ran
// ahead.
func (s *history) Revive(now time.Time) (revived int, err error) {
	var keys [][]byte
	err = s.view("read the running bans", func(tx *bolt.Tx) error {
		keys = nil
		return tx.Bucket(runningBucket).ForEach(func(k, v []byte) error {
			end, err := unsealIndex(tx, k, v)
			if err != nil {
				return err
			}
			if len(end) > 0 && bytes.Compare(end, timeKey(now, "")) > 0 {
				keys = append(keys, slices.Clone(k))
			}
			return nil
		})
	})
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	return len(keys), s.update("watch bans again", func(tx *bolt.Tx, _ *change) error {
		running := tx.Bucket(runningBucket)
		for _, k := range keys {
			if running.Get(k) == nil {
				continue
			}
			if err := putRunning(tx, k, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ended says that no ban of the alert runs any more, or can be known of.
func (s *history) Ended(t HistoryEntry) error {
	return s.change(t, func(tx *bolt.Tx, t *HistoryEntry, _ *change) error { return tx.Bucket(runningBucket).Delete(t.key()) })
}

// Renew puts the alert into the outbox once more, to ban until the given time,
// and watches the ban before no longer.
func (s *history) Renew(t HistoryEntry, until, now time.Time) error {
	return s.change(t, func(tx *bolt.Tx, t *HistoryEntry, counted *change) error {
		e := Entry{Alert: t.Alert, Duration: t.Duration, Simulate: t.Simulate, Queued: now, Until: until, Renewal: t.Renewal + 1}
		if err := s.lists.add(tx, outboxBucket, e, counted); err != nil {
			return err
		}
		return tx.Bucket(runningBucket).Delete(t.key())
	})
}

// change changes an alert of the history. An alert that the history no longer holds is
// ignored.
func (s *history) change(t HistoryEntry, f func(*bolt.Tx, *HistoryEntry, *change) error) error {
	return s.update("change the history", func(tx *bolt.Tx, counted *change) error {
		if tx.Bucket(historyBucket).Get(t.key()) == nil {
			return nil
		}
		current, err := readHistory(tx, t.key())
		if err != nil {
			return err
		}
		if err := f(tx, &current, counted); err != nil {
			return err
		}
		return putHistory(tx, &current)
	})
}

// pruneBatch bounds the transactions of Prune.
const pruneBatch = 1000

// Prune removes alerts that are older than the history's limit. It keeps alerts with a
// ban that may still run, because the clock may be wrong and the LAPI decides when they
// are over. If there are more of these than the outbox may hold, they go as well.
func (s *history) Prune(now time.Time) error {
	limit := now.Add(-s.options.History)
	for spared := s.options.MaxPending; ; {
		n := 0
		err := s.update("prune the history", func(tx *bolt.Tx, _ *change) error {
			var err error
			n, err = pruneHistory(tx, limit, spared)
			return err
		})
		if err != nil {
			return err
		}
		if n < pruneBatch {
			return s.update("prune the history", func(tx *bolt.Tx, _ *change) error { return pruneKnown(tx, limit) })
		}
	}
}

// pruneHistory forgets up to pruneBatch alerts, and passes over the newest of those
// that are watched, as many as are to be spared.
func pruneHistory(tx *bolt.Tx, limit time.Time, spared int) (n int, err error) {
	var keys [][]byte
	end := timeKey(limit, "")
	watched := 0
	cursor := tx.Bucket(historyBucket).Cursor()
	for k := before(cursor, end); k != nil; k, _ = cursor.Prev() {
		is, err := isWatched(tx, k)
		if err != nil {
			return 0, err
		}
		if is {
			if watched++; watched <= spared {
				continue
			}
		}
		keys = append(keys, slices.Clone(k))
		if len(keys) == pruneBatch {
			break
		}
	}
	for _, k := range keys {
		if err := forget(tx, k); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// forget removes an alert from the history and from the indexes that lead to it.
func forget(tx *bolt.Tx, k []byte) error {
	t, err := readHistory(tx, k)
	if err != nil {
		return err
	}
	if err := tx.Bucket(valuesBucket).Delete(valueKey(t.Alert.Value(), k)); err != nil {
		return err
	}
	if err := tx.Bucket(runningBucket).Delete(k); err != nil {
		return err
	}
	return tx.Bucket(historyBucket).Delete(k)
}

// isWatched reports whether a ban of an alert may still run.
func isWatched(tx *bolt.Tx, k []byte) (bool, error) {
	v := tx.Bucket(runningBucket).Get(k)
	if v == nil {
		return false, nil
	}
	end, err := unsealIndex(tx, k, v)
	return err == nil && len(end) == 0, err
}

// pruneKnown removes the IDs that were seen before the limit. An ID is kept that long so
// that an alert that is added twice, for example by a replay after a crash, is delivered
// once.
func pruneKnown(tx *bolt.Tx, limit time.Time) error {
	known := tx.Bucket(knownBucket)
	end := timeKey(limit, "")
	var old [][]byte
	err := known.ForEach(func(k, v []byte) error {
		added, err := unsealIndex(tx, k, v)
		if err != nil {
			return err
		}
		if bytes.Compare(added, end) < 0 {
			old = append(old, slices.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range old {
		if err := known.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
