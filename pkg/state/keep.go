package state

import (
	"bytes"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// keptChunk is the size of the parts in which a value is kept. bbolt writes a page again
// with each change of a key on it, so a long value beside a frequently changed one would
// be rewritten over and over.
const keptChunk = 16 << 10

func chunkKey(name string, n int) []byte { return fmt.Appendf(nil, "%s/%06d", name, n) }

// Keep stores bytes under a name for a later start, and replaces older ones. Empty data
// removes the name. A name holds no slash.
func (s *file) Keep(name string, data []byte) error {
	return s.update("keep "+name, func(tx *bolt.Tx, _ *change) error { return keep(tx, name, data) })
}

func keep(tx *bolt.Tx, name string, data []byte) error {
	bucket, n := tx.Bucket(keptBucket), 0
	for ; len(data) > 0; n++ {
		part := data[:min(len(data), keptChunk)]
		k := chunkKey(name, n)
		if err := bucket.Put(k, seal(k, part)); err != nil {
			return err
		}
		data = data[len(part):]
	}
	for ; bucket.Get(chunkKey(name, n)) != nil; n++ {
		if err := bucket.Delete(chunkKey(name, n)); err != nil {
			return err
		}
	}
	return nil
}

// Kept returns the value that Keep stored under a name, or nil.
func (s *file) Kept(name string) (data []byte, err error) {
	err = s.view("read "+name, func(tx *bolt.Tx) error {
		if version(tx) <= keptInMeta { // a file that is only looked at
			data, err = keptOf(tx.Bucket(metaBucket), keptPrefix+name)
			return err
		}
		data, err = keptOf(tx.Bucket(keptBucket), name)
		return err
	})
	return data, err
}

// keptOf reads a value that is stored in parts, or, in older files, in one piece.
func keptOf(bucket *bolt.Bucket, name string) (data []byte, err error) {
	if k := []byte(name); bucket.Get(k) != nil {
		whole, err := unseal(k, bucket.Get(k))
		return slices.Clone(whole), err
	}
	for n := 0; ; n++ {
		k := chunkKey(name, n)
		value := bucket.Get(k)
		if value == nil {
			return data, nil
		}
		part, err := unseal(k, value)
		if err != nil {
			return nil, err
		}
		data = append(data, part...)
	}
}

// keptPrefix separates the values of Keep from the store's own keys, in the bucket meta of
// older files.
const keptPrefix = "kept "

// moveKept moves the values of Keep from the bucket meta, in which they are in older
// files, and removes the rest of a draft, which was there, too.
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
		data, err := keptOf(meta, keptPrefix+name)
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
	return removeAside(meta)
}
