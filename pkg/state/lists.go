package state

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// lists are the alerts that are to be delivered (outbox), could not be (parked) or are kept
// back (held).
type lists struct{ *file }

// change is the effect of a transaction on the figures. It counts once the transaction
// is on the disk.
type change struct {
	commits, checkpoints, added, repeated, overflowed uint64
	pending, parked, held, inputs                     int
	journal                                           int64
	out                                               *outgoing // as it is now; nil: unchanged

	dropped map[string]uint64 // by list: the number of the last entry that made room
}

// apply adds the effect of a transaction to the figures. It is called only after the
// transaction is on the disk.
func (s *file) apply(c change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark += Mark(c.inputs)
	s.stats.Commits += c.commits
	s.stats.Checkpoints += c.checkpoints
	s.stats.Added += c.added
	s.stats.Repeated += c.repeated
	s.stats.Overflowed += c.overflowed
	s.stats.Pending += c.pending
	s.stats.Parked += c.parked
	s.stats.Held += c.held
	s.stats.JournalBytes += c.journal
	if c.out != nil {
		s.out = *c.out
	}
}

// of returns the figure of a list.
func (c *change) of(list []byte) *int {
	switch string(list) {
	case string(outboxBucket):
		return &c.pending
	case string(parkedBucket):
		return &c.parked
	}
	return &c.held
}

func (c *change) noteDropped(list []byte, seq uint64) {
	if c.dropped == nil {
		c.dropped = map[string]uint64{}
	}
	c.dropped[string(list)] = seq
}

// limit returns the number of entries that a list may hold.
func (s *lists) limit(list []byte) int {
	if bytes.Equal(list, heldBucket) {
		return s.options.MaxHeld
	}
	return s.options.MaxPending
}

// size returns the number of entries in a list.
func (s *lists) size(list []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *(&change{pending: s.stats.Pending, parked: s.stats.Parked, held: s.stats.Held}).of(list)
}

// add puts a new entry into a list, unless its ID is known.
func (s *lists) add(tx *bolt.Tx, list []byte, e Entry, counted *change) error {
	e.ID = e.Alert.ID()
	if e.Renewal > 0 {
		e.ID = fmt.Sprintf("%s-%d", e.ID, e.Renewal)
	}
	known := tx.Bucket(knownBucket)
	if known.Get([]byte(e.ID)) != nil {
		counted.repeated++
		return nil
	}
	if err := known.Put([]byte(e.ID), seal([]byte(e.ID), timeKey(e.Queued, ""))); err != nil {
		return err
	}
	if bytes.Equal(list, outboxBucket) {
		counted.added++
	}
	return s.insert(tx, list, e, counted)
}

// insert puts an entry at the end of a list, and drops the oldest of a full one.
func (s *lists) insert(tx *bolt.Tx, list []byte, e Entry, counted *change) error {
	bucket := tx.Bucket(list)
	for s.size(list)+*counted.of(list) >= s.limit(list) {
		// First would go through all pages that this transaction has emptied.
		k, v := bucket.Cursor().Seek(key(counted.dropped[string(list)] + 1))
		if k == nil {
			break
		}
		var oldest Entry
		if err := get(k, v, func(c codec) { c.entry(&oldest) }); err != nil {
			return err
		}
		reason := fmt.Sprintf("%s was full with %d alerts", list, s.limit(list))
		if err := remember(tx, oldest, Settlement{Status: Dropped, Reason: reason, At: e.Queued}); err != nil {
			return err
		}
		counted.noteDropped(list, number(k))
		if err := bucket.Delete(slices.Clone(k)); err != nil {
			return err
		}
		*counted.of(list)--
		counted.overflowed++
	}
	seq, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	*counted.of(list)++
	return put(bucket, key(seq), func(c codec) { c.entry(&e) })
}

// read returns up to limit entries of a list after a sequence number, in order.
func (s *lists) read(list []byte, after uint64, limit int) ([]Entry, error) {
	var entries []Entry
	err := s.view("read "+string(list), func(tx *bolt.Tx) error {
		cursor := tx.Bucket(list).Cursor()
		for k, v := cursor.Seek(key(after + 1)); k != nil && len(entries) < limit; k, v = cursor.Next() {
			e := Entry{}
			if err := get(k, v, func(c codec) { c.entry(&e) }); err != nil {
				return err
			}
			e.Seq = number(k)
			entries = append(entries, e)
		}
		return nil
	})
	return entries, err
}

// Pending returns up to limit entries of the outbox that come after a sequence
// number (0: from the first on), oldest first.
func (s *lists) Pending(after uint64, limit int) ([]Entry, error) {
	return s.read(outboxBucket, after, limit)
}

// Parked returns up to limit alerts that the LAPI will not take, oldest first.
func (s *lists) Parked(after uint64, limit int) ([]Entry, error) {
	return s.read(parkedBucket, after, limit)
}

// Held returns up to limit alerts that are kept back, oldest first.
func (s *lists) Held(after uint64, limit int) ([]Entry, error) {
	return s.read(heldBucket, after, limit)
}

// Settle takes entries out of the outbox and stores their outcomes. An entry that is no
// longer in the outbox is ignored.
func (s *lists) Settle(settlements []Settlement) error {
	return s.update("settle", func(tx *bolt.Tx, counted *change) error {
		for _, settled := range settlements {
			e, err := take(tx, outboxBucket, settled.Seq, counted)
			if err != nil {
				return err
			}
			if e == nil {
				continue
			}
			if err := remember(tx, *e, settled); err != nil {
				return err
			}
		}
		return nil
	})
}

// take removes an entry from a list and returns it, nil if it is not there.
func take(tx *bolt.Tx, list []byte, seq uint64, counted *change) (*Entry, error) {
	bucket := tx.Bucket(list)
	value := bucket.Get(key(seq))
	if value == nil {
		return nil, nil
	}
	e := &Entry{}
	if err := get(key(seq), value, func(c codec) { c.entry(e) }); err != nil {
		return nil, err
	}
	e.Seq = seq
	*counted.of(list)--
	return e, bucket.Delete(key(seq))
}

// Refused stores that the LAPI did not take an entry. The entry stays in the outbox.
func (s *lists) Refused(seq uint64, reason string, at time.Time) error {
	return s.update("note a refusal", func(tx *bolt.Tx, _ *change) error {
		bucket := tx.Bucket(outboxBucket)
		value := bucket.Get(key(seq))
		if value == nil {
			return nil
		}
		e := Entry{}
		if err := get(key(seq), value, func(c codec) { c.entry(&e) }); err != nil {
			return err
		}
		e.Tries, e.Reason = e.Tries+1, reason
		if e.Refused.IsZero() {
			e.Refused = at
		}
		return put(bucket, key(seq), func(c codec) { c.entry(&e) })
	})
}

// Park moves an entry of the outbox to those that the LAPI will not take. ErrUnknown
// if it is not there.
func (s *lists) Park(seq uint64, reason string) error {
	return s.update("park", func(tx *bolt.Tx, counted *change) error {
		e, err := take(tx, outboxBucket, seq, counted)
		switch {
		case err != nil:
			return err
		case e == nil:
			return fmt.Errorf("%w in %s", ErrUnknown, outboxBucket)
		}
		e.Reason = reason
		return s.insert(tx, parkedBucket, *e, counted)
	})
}

// Retry moves parked alerts back into the outbox, in one transaction, and returns their
// number. ErrUnknown if no parked alert has one of the IDs.
func (s *lists) Retry(ids []string, now time.Time) (int, error) {
	return s.requeue("retry", parkedBucket, ids, now)
}

// Release moves held alerts into the outbox, as Retry does with parked ones.
func (s *lists) Release(ids []string, now time.Time) (int, error) {
	return s.requeue("release", heldBucket, ids, now)
}

// requeue moves entries of a list to the end of the outbox, all of them or none.
func (s *lists) requeue(what string, from []byte, ids []string, now time.Time) (moved int, err error) {
	err = s.update(what, func(tx *bolt.Tx, counted *change) error {
		found, err := findAll(tx, from, ids)
		if err != nil {
			return err
		}
		for _, seq := range found {
			e, err := take(tx, from, seq, counted)
			if err != nil {
				return err
			}
			e.Queued, e.Tries, e.Refused, e.Reason = now, 0, time.Time{}, ""
			if err := s.insert(tx, outboxBucket, *e, counted); err != nil {
				return err
			}
		}
		if moved = len(found); moved == 0 {
			return fmt.Errorf("%w in %s", ErrUnknown, from)
		}
		return nil
	})
	return moved, err
}

// findAll returns the places of the entries of a list that have one of the IDs, in
// their order: the entries themselves may be more than fit into memory.
func findAll(tx *bolt.Tx, list []byte, ids []string) (found []uint64, err error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	err = tx.Bucket(list).ForEach(func(k, v []byte) error {
		var e Entry
		if err := get(k, v, func(c codec) { c.entry(&e) }); err != nil {
			return err
		}
		if wanted[e.ID] {
			found = append(found, number(k))
		}
		return nil
	})
	return found, err
}

// Drop permanently removes alerts from the outbox, the parked and the held ones, in one
// transaction, and returns their number. ErrUnknown if no alert has one of the IDs.
func (s *lists) Drop(ids []string, now time.Time) (dropped int, err error) {
	err = s.update("drop", func(tx *bolt.Tx, counted *change) error {
		dropped = 0
		for _, list := range listBuckets() {
			found, err := findAll(tx, list, ids)
			if err != nil {
				return err
			}
			for _, seq := range found {
				e, err := take(tx, list, seq, counted)
				if err != nil {
					return err
				}
				if err := remember(tx, *e, Settlement{Status: Dropped, Reason: "dropped by hand", At: now}); err != nil {
					return err
				}
			}
			dropped += len(found)
		}
		if dropped == 0 {
			return fmt.Errorf("%w: %q", ErrUnknown, ids)
		}
		return nil
	})
	return dropped, err
}

// Stats returns the figures.
func (s *Store) Stats() Stats {
	oldest, err := s.Pending(0, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	if err == nil && len(oldest) > 0 {
		stats.Oldest = oldest[0].Queued
	}
	if s.broken == nil {
		if info, err := fileSize(s.path); err == nil {
			stats.FileBytes = info
		}
	}
	return stats
}
