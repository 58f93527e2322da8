package state

import (
	"bytes"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Keep stores bytes under a name for a later start, and replaces older ones. Empty data
// removes the name. A name holds no slash.
func (s *file) Keep(name string, data []byte) error {
	return s.update("keep "+name, func(tx *bolt.Tx, _ *change) error { return keep(tx, name, data) })
}

func keep(tx *bolt.Tx, name string, data []byte) error {
	return putValue(tx.Bucket(keptBucket), name, data)
}

// Kept returns the value that Keep stored under a name, or a checkpoint ([Beside.Large]), or
// nil.
func (s *file) Kept(name string) (data []byte, err error) {
	err = s.view("read "+name, func(tx *bolt.Tx) error {
		if version(tx) <= keptInMeta { // a file that is only looked at
			data, _, err = valueOf(tx.Bucket(metaBucket), keptPrefix+name)
			return err
		}
		data, _, err = valueOf(tx.Bucket(keptBucket), name)
		return err
	})
	return data, err
}

// keptPrefix separates the values of Keep from the store's own keys, in the bucket meta of
// older files.
const keptPrefix = "kept "

// moveKept moves the values of Keep from the bucket meta, their place in older files, and
// removes the rest of a draft from it.
func moveKept(tx *bolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	var keys [][]byte
	cursor := meta.Cursor()
	for k, v := cursor.Seek([]byte(keptPrefix)); bytes.HasPrefix(k, []byte(keptPrefix)); k, v = cursor.Next() {
		if v != nil {
			keys = append(keys, slices.Clone(k))
		}
	}
	names := map[string]bool{}
	for _, k := range keys {
		name, _, _ := bytes.Cut(k[len(keptPrefix):], []byte("/"))
		names[string(name)] = true
	}
	for name := range names {
		data, _, err := valueOf(meta, keptPrefix+name)
		if err != nil {
			return fmt.Errorf("what is kept of %q: %w", name, err)
		}
		if err := keep(tx, name, data); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := meta.Delete(k); err != nil {
			return err
		}
	}
	return empty(meta)
}
