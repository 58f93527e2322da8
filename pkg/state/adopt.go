package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// ErrNoMemory means that a file holds no memory of a judge.
var ErrNoMemory = errors.New("the file holds nothing that a judge knows")

// adopted are the buckets with a judge's memory and its alerts. The others are about the
// file's own host: how far its logs were read, and the facts that it has to send as an edge.
func adopted() [][]byte {
	return [][]byte{checkpointBucket, outboxBucket, parkedBucket, heldBucket, knownBucket, historyBucket, valuesBucket, runningBucket}
}

// Adopt replaces a judge's memory by that of another file, in one transaction: the engine's
// state, the alerts, and the value of Keep of that name. The file keeps all about its own
// host as an edge, so a host that is edge and judge can take the memory of another
// one. Values are stored under the names of notes. The caller closes both files after it.
func (s *Store) Adopt(from *Store, kept string, notes map[string][]byte) error {
	memory, err := from.Kept(kept)
	if err != nil {
		return err
	}
	return from.view("take the memory of a judge", func(source *bolt.Tx) error {
		if err := isNewest(source); err != nil {
			return fmt.Errorf("it is of another release: %w", err)
		}
		if first, _ := source.Bucket(checkpointBucket).Cursor().First(); first == nil || memory == nil {
			return ErrNoMemory
		}
		return s.update("take the memory of another judge", func(tx *bolt.Tx, _ *change) error {
			for _, name := range adopted() {
				if err := replaceBucket(tx, source, name); err != nil {
					return err
				}
			}
			values := tx.Bucket(keptBucket)
			if err := putValue(values, kept, memory); err != nil {
				return err
			}
			for name, data := range notes {
				if err := putValue(values, name, data); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// replaceBucket puts a copy of a bucket in the place of the one of that name.
func replaceBucket(tx, source *bolt.Tx, name []byte) error {
	if err := tx.DeleteBucket(name); err != nil {
		return err
	}
	to, err := tx.CreateBucket(name)
	if err != nil {
		return err
	}
	from := source.Bucket(name)
	to.FillPercent = 1 // the keys come in their order
	if err := to.SetSequence(from.Sequence()); err != nil {
		return err
	}
	return from.ForEach(func(k, v []byte) error {
		if v == nil {
			return fmt.Errorf("%w: a bucket in %s", errDamaged, name)
		}
		return to.Put(slices.Clone(k), bytes.Clone(v))
	})
}
