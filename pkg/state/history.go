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

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (t *Told) key() []byte { return timeKey(t.Sent, t.ID) }

// valueKey leads to all alerts on one value, in the order of time. Clients choose
// accounts, with any bytes and of any length, so the value's hash stands for it.
func valueKey(value string, history []byte) []byte {
	sum := sha256.Sum256([]byte(value))
	return append(sum[:16], history...)
}

// remember writes an entry that has left the lists into the history.
func remember(tx *bolt.Tx, e Entry, settled Settlement) error {
	t := Told{
		ID: e.ID, Number: settled.Number, Status: settled.Status, Reason: settled.Reason, Sent: settled.At,
		Alert: e.Alert, Duration: e.Duration, Simulate: e.Simulate, Renewal: e.Renewal,
	}
	t.Alert.Evidence = nil
	if err := putTold(tx, &t); err != nil {
		return err
	}
	if err := tx.Bucket(valuesBucket).Put(valueKey(t.Alert.Value(), t.key()), nil); err != nil {
		return err
	}
	if t.Status != Delivered || t.Number == "" || t.Simulate || t.Alert.Informational {
		return nil
	}
	return tx.Bucket(runningBucket).Put(t.key(), nil)
}

func putTold(tx *bolt.Tx, t *Told) error {
	return put(tx.Bucket(historyBucket), t.key(), func(c *codec) { c.told(t) })
}

func readTold(tx *bolt.Tx, k []byte) (Told, error) {
	value := tx.Bucket(historyBucket).Get(k)
	if value == nil {
		return Told{}, fmt.Errorf("%w: the history lacks an alert", errDamaged)
	}
	var t Told
	err := get(value, func(c *codec) { c.told(&t) })
	return t, err
}

// History returns up to limit alerts on one value ([event.Alert.Value]) that were
// delivered, held back by the LAPI, or dropped, newest first.
func (s *Store) History(value string, limit int) ([]Told, error) {
	var found []Told
	err := s.view("read the history", func(tx *bolt.Tx) error {
		prefix := valueKey(value, nil)
		cursor := tx.Bucket(valuesBucket).Cursor()
		for k := before(cursor, valueKey(value, bytes.Repeat([]byte{0xff}, 9))); k != nil && len(found) < limit; k, _ = cursor.Prev() {
			if !bytes.HasPrefix(k, prefix) {
				return nil
			}
			t, err := readTold(tx, k[len(prefix):])
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
func (s *Store) Recent(limit int) ([]Told, error) {
	var found []Told
	err := s.view("read the history", func(tx *bolt.Tx) error {
		cursor := tx.Bucket(historyBucket).Cursor()
		for k, v := cursor.Last(); k != nil && len(found) < limit; k, v = cursor.Prev() {
			var t Told
			if err := get(v, func(c *codec) { c.told(&t) }); err != nil {
				return err
			}
			found = append(found, t)
		}
		return nil
	})
	return found, err
}

// Running returns up to limit delivered alerts of which a ban may still run, after
// the given one in the order of time (nil: from the oldest on).
func (s *Store) Running(after *Told, limit int) ([]Told, error) {
	var found []Told
	err := s.view("read the running bans", func(tx *bolt.Tx) error {
		cursor := tx.Bucket(runningBucket).Cursor()
		k, _ := cursor.First()
		if after != nil {
			k, _ = cursor.Seek(append(after.key(), 0))
		}
		for ; k != nil && len(found) < limit; k, _ = cursor.Next() {
			t, err := readTold(tx, k)
			if err != nil {
				return err
			}
			found = append(found, t)
		}
		return nil
	})
	return found, err
}

// Looked notes which bans the LAPI made of a delivered alert.
func (s *Store) Looked(t Told, bans []Ban) error {
	return s.change(t, func(_ *bolt.Tx, t *Told, _ *change) error {
		t.Bans, t.Looked = bans, true
		return nil
	})
}

// Unbanned notes that a person ended the bans of an alert early, and watches it
// no longer.
func (s *Store) Unbanned(t Told, at time.Time) error {
	return s.change(t, func(tx *bolt.Tx, t *Told, _ *change) error {
		t.Unbanned = at
		return tx.Bucket(runningBucket).Delete(t.key())
	})
}

// Ended says that no ban of the alert runs any more, or can be known of.
func (s *Store) Ended(t Told) error {
	return s.change(t, func(tx *bolt.Tx, t *Told, _ *change) error { return tx.Bucket(runningBucket).Delete(t.key()) })
}

// Renew puts the alert into the outbox once more, to ban until the given time,
// and watches the ban before no longer.
func (s *Store) Renew(t Told, until, now time.Time) error {
	return s.change(t, func(tx *bolt.Tx, t *Told, counted *change) error {
		e := Entry{Alert: t.Alert, Duration: t.Duration, Simulate: t.Simulate, Queued: now, Until: until, Renewal: t.Renewal + 1}
		if err := s.add(tx, outboxBucket, e, counted); err != nil {
			return err
		}
		return tx.Bucket(runningBucket).Delete(t.key())
	})
}

// change changes an alert of the history. One that is forgotten meanwhile is left
// so.
func (s *Store) change(t Told, f func(*bolt.Tx, *Told, *change) error) error {
	return s.update("change the history", func(tx *bolt.Tx, counted *change) error {
		if tx.Bucket(historyBucket).Get(t.key()) == nil {
			return nil
		}
		current, err := readTold(tx, t.key())
		if err != nil {
			return err
		}
		if err := f(tx, &current, counted); err != nil {
			return err
		}
		return putTold(tx, &current)
	})
}

// pruneBatch bounds the transactions of Prune.
const pruneBatch = 1000

// Prune forgets what is older than the history is to be kept.
func (s *Store) Prune(now time.Time) error {
	limit := now.Add(-s.options.History)
	for {
		n := 0
		err := s.update("prune the history", func(tx *bolt.Tx, _ *change) error {
			var err error
			n, err = pruneHistory(tx, limit)
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

func pruneHistory(tx *bolt.Tx, limit time.Time) (n int, err error) {
	history := tx.Bucket(historyBucket)
	cursor := history.Cursor()
	end := timeKey(limit, "")
	for k, _ := cursor.First(); k != nil && bytes.Compare(k, end) < 0 && n < pruneBatch; k, _ = cursor.First() {
		k = slices.Clone(k)
		t, err := readTold(tx, k)
		if err != nil {
			return n, err
		}
		if err := tx.Bucket(valuesBucket).Delete(valueKey(t.Alert.Value(), k)); err != nil {
			return n, err
		}
		if err := tx.Bucket(runningBucket).Delete(k); err != nil {
			return n, err
		}
		if err := history.Delete(k); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func pruneKnown(tx *bolt.Tx, limit time.Time) error {
	known := tx.Bucket(knownBucket)
	end := timeKey(limit, "")
	var old [][]byte
	err := known.ForEach(func(k, v []byte) error {
		if bytes.Compare(v, end) < 0 {
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
