package state

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// keptPrefix separates the values of Keep from the store's own keys.
const keptPrefix = "kept "

// Keep stores a few bytes under a name for a later start, and replaces older ones. Empty
// data removes the name.
func (s *file) Keep(name string, data []byte) error {
	k := []byte(keptPrefix + name)
	return s.update("keep "+name, func(tx *bolt.Tx, _ *change) error {
		if len(data) == 0 {
			return tx.Bucket(metaBucket).Delete(k)
		}
		return tx.Bucket(metaBucket).Put(k, seal(k, data))
	})
}

// Kept returns the value that Keep stored under a name, or nil.
func (s *file) Kept(name string) (data []byte, err error) {
	k := []byte(keptPrefix + name)
	err = s.view("read "+name, func(tx *bolt.Tx) error {
		value := tx.Bucket(metaBucket).Get(k)
		if value == nil {
			return nil
		}
		found, err := unseal(k, value)
		data = append(data, found...) // nothing points into the file
		return err
	})
	return data, err
}

// keptChunk is the size of the parts in which KeepLarge stores a value. bbolt writes a
// page again with each change of a key on it, so a long value beside a frequently
// changed one would be rewritten over and over.
const keptChunk = 16 << 10

func chunkKey(name string, n int) []byte { return fmt.Appendf(nil, "%s%s/%06d", keptPrefix, name, n) }

// KeepLarge does what Keep does with data of megabytes. Read it with KeptLarge.
func (s *file) KeepLarge(name string, data []byte) error {
	return s.update("keep "+name, func(tx *bolt.Tx, _ *change) error {
		bucket, n := tx.Bucket(metaBucket), 0
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
	})
}

// KeptLarge returns the value that KeepLarge stored under a name, or nil.
func (s *file) KeptLarge(name string) (data []byte, err error) {
	err = s.view("read "+name, func(tx *bolt.Tx) error {
		for n := 0; ; n++ {
			k := chunkKey(name, n)
			value := tx.Bucket(metaBucket).Get(k)
			if value == nil {
				return nil
			}
			part, err := unseal(k, value)
			if err != nil {
				return err
			}
			data = append(data, part...)
		}
	})
	return data, err
}
