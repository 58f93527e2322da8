package state

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// keptPrefix sets what is kept apart from the store's own keys.
const keptPrefix = "kept "

// Keep stores a few bytes under a name for a later start, in place of those before;
// none forgets them.
func (s *Store) Keep(name string, data []byte) error {
	k := []byte(keptPrefix + name)
	return s.update("keep "+name, func(tx *bolt.Tx, _ *change) error {
		if len(data) == 0 {
			return tx.Bucket(metaBucket).Delete(k)
		}
		return tx.Bucket(metaBucket).Put(k, seal(k, data))
	})
}

// Kept returns what Keep stored under a name, nil if nothing is.
func (s *Store) Kept(name string) (data []byte, err error) {
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

// keptChunk is the size of the parts of what KeepLarge stores. bbolt writes a page again
// with each change of a key beside it, so a long value beside a busy one would be written
// over and over.
const keptChunk = 16 << 10

func chunkKey(name string, n int) []byte { return fmt.Appendf(nil, "%s%s/%06d", keptPrefix, name, n) }

// KeepLarge does what Keep does with data of megabytes. Read it with KeptLarge.
func (s *Store) KeepLarge(name string, data []byte) error {
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

// KeptLarge returns what KeepLarge stored under a name, nil if nothing is.
func (s *Store) KeptLarge(name string) (data []byte, err error) {
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
